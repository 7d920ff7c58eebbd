"""The database's tables: which modules declare them, and Alembic with a branch for each package.

`python -m cli.schema signing|registry "message"` writes the next migration of a branch from what the rooms declare.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import cert_registry
import signing_service
from signing_service.kernel.database import Base, Database

BRANCHES = {"signing": signing_service, "registry": cert_registry}
NOT_ROOMS = ("migrations", "agent", "web", "app")


def load_tables() -> None:
    """Import every room of both packages, so that `Base.metadata` knows all tables."""
    for package in BRANCHES.values():
        for room in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            if room.ispkg and room.name.rpartition(".")[2] not in NOT_ROOMS:
                _load(importlib.import_module(room.name))


def upgrade(database: Database) -> None:
    """Bring the database to the newest revision of both branches."""
    with database.engine.begin() as connection:
        command.upgrade(_config(connection), "heads")


def missing_revisions(database: Database) -> list[str]:
    """Heads that the database has not been brought to; empty when it is at head. Raises what the driver raises."""
    with database.engine.connect() as connection:
        heads = set(ScriptDirectory.from_config(_config(connection)).get_heads())
        return sorted(heads - set(MigrationContext.configure(connection).get_current_heads()))


def present_revisions(database: Database) -> list[str]:
    """The revisions that the database is at, one for each branch."""
    with database.engine.connect() as connection:
        return sorted(MigrationContext.configure(connection).get_current_heads())


def differences(database: Database) -> list[Any]:
    """What the rooms declare and the migrated database lacks, or the other way round. Empty when they agree."""
    load_tables()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [change for change in compare_metadata(context, Base.metadata) if "alembic_version" not in str(change)]


def write_migration(branch: str, message: str) -> None:
    """Compare a fresh, upgraded SQLite database with the tables of one package and write the difference down."""
    load_tables()
    package = BRANCHES[branch]
    folder = _folder(package)
    with tempfile.TemporaryDirectory() as scratch:
        database = Database(f"sqlite:///{scratch}/schema.db")
        upgrade(database)
        with database.engine.begin() as connection:
            config = _config(connection, include_object=_only(package))
            first = not list(folder.glob("*.py"))
            place: dict[str, Any] = {"head": "base", "branch_label": branch} if first else {"head": f"{branch}@head"}
            command.revision(config, message, autogenerate=True, version_path=str(folder), **place)
        database.close()


def _config(connection: object, **attributes: object) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", ":".join(str(_folder(package)) for package in BRANCHES.values()))
    config.set_main_option("file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(slug)s")
    config.attributes.update(connection=connection, **attributes)
    return config


def _folder(package: ModuleType) -> Path:
    return Path(package.__path__[0]) / "migrations"


def _load(package: ModuleType) -> None:
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)


def _only(package: ModuleType) -> Any:
    """Alembic's filter: tables whose class lives in this package."""
    owned = {
        mapper.local_table.name  # type: ignore[attr-defined]
        for mapper in Base.registry.mappers
        if mapper.class_.__module__.startswith(package.__name__ + ".")
    }

    def include(thing: Any, name: str | None, kind: str, reflected: bool, compared_to: Any) -> bool:
        return kind != "table" or name in owned

    return include


if __name__ == "__main__":
    write_migration(sys.argv[1], sys.argv[2])
