"""A copy of a database that is in use, and its return: SQLite's backup API, PostgreSQL's pg_dump and pg_restore."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy
from sqlalchemy.engine import URL, make_url

from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.database import Database

SQLITE, POSTGRESQL = "sqlite", "postgresql"
NAMES = {SQLITE: "zhengyin.db", POSTGRESQL: "postgresql.dump"}


class DatabaseCopyFailed(SigningServiceError):
    code = "database_copy_failed"

    def __init__(self, program: str, why: str) -> None:
        super().__init__(
            Text("数据库没有备份或恢复成功。", "The database was not copied or restored."),
            why=Text(f"{program}:{why}", f"{program}: {why}"),
            advice=Text(
                "请检查数据库服务、权限和 postgresql-client 的版本。",
                "Check the database server, your rights, and the version of postgresql-client.",
            ),
        )


class DatabaseNotEmpty(SigningServiceError):
    code = "database_not_empty"

    def __init__(self, url: URL) -> None:
        shown = url.render_as_string(hide_password=True)
        super().__init__(
            Text(f"数据库 {shown} 里已有数据,没有恢复。", f"The database {shown} is not empty; nothing was restored."),
            advice=Text("请新建一个空数据库,用 --database 指明。", "Make an empty one and name it with --database."),
        )


def kind_of(url: str) -> str:
    return make_url(url).get_backend_name()


def copy_database(url: str, folder: Path) -> Path:
    """One consistent state of it, as a file in `folder`. Writers are not held up."""
    target = folder / NAMES[kind_of(url)]
    if kind_of(url) == SQLITE:
        copy_sqlite(Path(make_url(url).database or ""), target)
    else:
        _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")
    return target


def copy_sqlite(source: Path, target: Path) -> None:
    """SQLite's backup API in one step, so that it is one transaction's view."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
    target.chmod(0o600)


def restore_database(kind: str, copy: Path, url: str) -> None:
    """Raises DatabaseNotEmpty, DatabaseCopyFailed."""
    if kind == SQLITE:
        target = Path(make_url(url).database or "")
        if target.exists():
            raise DatabaseNotEmpty(make_url(url))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(copy, target)
        return
    database = Database(url)
    try:
        if sqlalchemy.inspect(database.engine).get_table_names():
            raise DatabaseNotEmpty(database.url)
    finally:
        database.close()
    _run("pg_restore", url, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(copy))


def _run(program: str, url: str, *arguments: str) -> None:
    """One of PostgreSQL's own programs. The password goes by an owner-only file, never by argv or environment."""
    parsed = make_url(url)
    plain = parsed.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    with _password_file(parsed) as environment:
        done = subprocess.run(
            [_binary(program), f"--dbname={plain}", *arguments],
            env={**os.environ, **environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise DatabaseCopyFailed(program, (done.stderr.strip().splitlines() or ["?"])[-1])


@contextmanager
def _password_file(url: URL) -> Iterator[dict[str, str]]:
    if not url.password:
        yield {}
        return
    with tempfile.NamedTemporaryFile("w", prefix="zhengyin-pgpass-") as file:  # made owner-only
        escaped = str(url.password).replace("\\", "\\\\").replace(":", "\\:")
        file.write(f"*:*:*:*:{escaped}\n")
        file.flush()
        yield {"PGPASSFILE": file.name}


def _binary(program: str) -> str:
    """The newest that is installed: pg_dump may be newer than its server, not older."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    found = [str(folder / program) for folder in versions if (folder / program).exists()]
    path = found[-1] if found else shutil.which(program)
    if path is None:
        raise DatabaseCopyFailed(program, "postgresql-client")
    return path
