"""Shared by all tests: the external corpora, and one real PostgreSQL that the run itself starts."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from signing_service.kernel.database import Base, Database

PROJECT = Path(__file__).resolve().parent.parent
CORPORA = Path(os.environ.get("ZHENGYIN_CORPORA", PROJECT.parent / "shared" / "corpora"))


class FolderByFolder(LoadScopeScheduling):
    """A folder's tests run in one process, one after the other: a room's tokens are those of its own SoftHSM store, and
    SoftHSM knows one store at a time in a process."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0].rpartition("/")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderByFolder:
    """Called by pytest-xdist."""
    return FolderByFolder(config, log)


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
        options += "" if synced else " -c fsync=off"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self._socket / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "stop")

    def new_database(self) -> str:
        """The SQLAlchemy URL of a fresh, empty database."""
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(host=str(self._socket), user="postgres", dbname="postgres", autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}"')
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


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'zhengyin.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """All tables that the test's imports know of, on both databases."""
    opened = Database(database_url)
    Base.metadata.create_all(opened.engine)
    yield opened
    opened.close()
