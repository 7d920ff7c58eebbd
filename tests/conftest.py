"""Shared by all tests: the external corpora, and one real PostgreSQL that the run itself starts."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from signing_service.kernel.database import Base, Database

PROJECT = Path(__file__).resolve().parent.parent
CORPORA = Path(os.environ.get("ZHENGYIN_CORPORA", PROJECT.parent / "shared" / "corpora"))


# The folders that take longest, longest first: begun last, one of them would run alone at the end.
LONGEST = (
    "tests/main_job",
    "tests/signing_service/web",
    "tests/signing_service/batch",
    "tests/signing_service/pki",
    "tests/hardware",
    "tests",
    "tests/signing_service/seals",
    "tests/cert_registry/web",
    "tests/cert_registry/cli",
    "tests/cli",
)


class FolderByFolder(LoadScopeScheduling):
    """A folder's tests run in one process, one after the other: a room's tokens are those of its own SoftHSM store, and
    SoftHSM knows one store at a time in a process. Folders are begun in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return folder_of(nodeid)


def folder_of(nodeid: str) -> str:
    return nodeid.partition("::")[0].rpartition("/")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderByFolder:
    """Called by pytest-xdist."""
    config.option.loadscopereorder = False
    return FolderByFolder(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a worker of pytest-xdist: `LONGEST` first, then the folders with the most tests. Within a folder as before."""
    if not hasattr(config, "workerinput"):
        return
    sizes = Counter(folder_of(item.nodeid) for item in items)
    ranks = {folder: LONGEST.index(folder) if folder in LONGEST else len(LONGEST) for folder in sizes}
    items.sort(key=lambda item: (ranks[folder := folder_of(item.nodeid)], -sizes[folder], folder))


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of external files, or a skip that says so."""
    if not (CORPORA / "MANIFEST.tsv").exists():
        pytest.skip(f"external corpora not found at {CORPORA}; name them with ZHENGYIN_CORPORA")
    return CORPORA


class PostgresServer:
    """A PostgreSQL cluster of its own in a temporary folder, reached by a Unix socket only."""

    def __init__(self, folder: Path) -> None:
        self._data, self._socket = folder / "data", folder
        self._binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self._as_user = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []

    def start(self, *, synced: bool = False) -> None:
        """`synced`: as in production; tests need not survive a power cut."""
        if self._as_user:
            shutil.chown(self._socket, "postgres")
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "postgres", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories='{self._socket}'"
        options += "" if synced else " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self._socket / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "stop")

    def new_database(self, like: str | None = None) -> str:
        """The SQLAlchemy URL of a fresh database: empty, or a copy of the one at the URL `like`, which nobody uses."""
        name = f"t{uuid.uuid4().hex}"
        template = f' TEMPLATE "{make_url(like).database}"' if like else ""
        with psycopg.connect(host=str(self._socket), user="postgres", dbname="postgres", autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}"{template}')
        return f"postgresql+psycopg://postgres@/{name}?host={self._socket}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(self._binaries / program), *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="zypg-", dir="/tmp"))
    folder.chmod(0o755)
    server = PostgresServer(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


class DatabasesWithTables:
    """Fresh databases with all tables that the imports so far know of: made once for a set of tables, then copied."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[str, frozenset[str]], str] = {}
        self._copied: set[str] = set()

    def sqlite(self, path: Path) -> str:
        made = self._like("sqlite", lambda: f"sqlite:///{self._folder / uuid.uuid4().hex}")
        shutil.copyfile(str(make_url(made).database), path)
        self._copied.add(f"sqlite:///{path}")
        return f"sqlite:///{path}"

    def postgresql(self, server: PostgresServer) -> str:
        url = server.new_database(self._like("postgresql", server.new_database))
        self._copied.add(url)
        return url

    def complete(self, url: str) -> None:
        """Gives the database at `url` its tables, unless it was made with them."""
        if url in self._copied:
            return
        if (wanted := make_url(url)).get_backend_name() == "sqlite" and not Path(str(wanted.database)).exists():
            self.sqlite(Path(str(wanted.database)))
            return
        opened = Database(url)
        Base.metadata.create_all(opened.engine)
        opened.close()

    def _like(self, kind: str, new: Callable[[], str]) -> str:
        key = (kind, frozenset(Base.metadata.tables))
        if key not in self._made:
            opened = Database(url := new())
            Base.metadata.create_all(opened.engine)
            opened.close()
            self._made[key] = url
        return self._made[key]


@pytest.fixture(scope="session")
def databases_with_tables(tmp_path_factory: pytest.TempPathFactory) -> DatabasesWithTables:
    return DatabasesWithTables(tmp_path_factory.mktemp("databases"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, databases_with_tables: DatabasesWithTables) -> str:
    """A fresh database, once on SQLite and once on PostgreSQL: empty, unless the test asks for `database` too."""
    path, with_tables = tmp_path / "zhengyin.db", "database" in request.fixturenames
    if request.param == "sqlite":
        return databases_with_tables.sqlite(path) if with_tables else f"sqlite:///{path}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return databases_with_tables.postgresql(server) if with_tables else server.new_database()


@pytest.fixture
def database(database_url: str, databases_with_tables: DatabasesWithTables) -> Iterator[Database]:
    """All tables that the test's imports know of, on both databases."""
    databases_with_tables.complete(database_url)
    opened = Database(database_url)
    yield opened
    opened.close()
