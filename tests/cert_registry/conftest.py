"""Shared by the registry's tests: catalogue, vault, clock, and an issuing service on both databases."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cert_registry.licences import issuers
from cert_registry.licences.catalogue import Catalogue
from cert_registry.licences.drafts import IssueRequest, Registered
from cert_registry.licences.holder_vault import AesHolderVault
from cert_registry.licences.issue import Issuing
from cli.schema import load_tables
from signing_service.kernel.blobs import LocalBlobs
from signing_service.kernel.database import Base, Database
from tests.cert_registry.world import BUREAU, CLERK, TRANSPORT, SetClock, paper_code, seal


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to copy."""
    load_tables()
    path = tmp_path_factory.mktemp("schema") / "empty.db"
    made = Database(f"sqlite:///{path}")
    Base.metadata.create_all(made.engine)
    made.close()
    return path


@pytest.fixture(scope="session")
def kept_postgres(request: pytest.FixtureRequest) -> Iterator[Database]:
    """One PostgreSQL database for the run, emptied before each test: making one takes a second."""
    load_tables()
    made = Database(request.getfixturevalue("postgres").new_database())
    Base.metadata.create_all(made.engine)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Empty tables, once on SQLite and once on PostgreSQL."""
    if request.param == "postgresql":
        kept: Database = request.getfixturevalue("kept_postgres")
        names = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
        with kept.engine.begin() as connection:
            connection.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
        yield kept
        return
    path = tmp_path / "zhengyin.db"
    shutil.copy(request.getfixturevalue("empty_sqlite"), path)
    opened = Database(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue.load()


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2026, 11, 24, 7, 4, tzinfo=UTC))


@pytest.fixture
def vault() -> AesHolderVault:
    return AesHolderVault({1: bytes(range(32))})


@pytest.fixture
def issuing(
    database: Database, tmp_path: Path, catalogue: Catalogue, vault: AesHolderVault, clock: SetClock
) -> Issuing:
    """The fictional approval bureau may issue every type, the transport bureau only transport licences."""
    with database.write() as session:
        since = datetime(2020, 1, 1, tzinfo=UTC)
        for kind in catalogue:
            issuers.permit(session, kind, BUREAU.code, since=since, basis="示例依据", actor="officer:1")
        road = catalogue.get("road-transport-licence")
        issuers.permit(session, road, TRANSPORT.code, since=since, basis="示例依据", actor="officer:1")
    return Issuing(database, LocalBlobs(tmp_path / "blobs"), catalogue, vault, clock, "zw.example.cn")


@pytest.fixture
def issue(issuing: Issuing) -> Callable[[IssueRequest], Registered]:
    """Issue at once, with the tests' paper code and seal."""
    return lambda request: issuing.issue(request, CLERK, paper_code=paper_code, seal=seal)
