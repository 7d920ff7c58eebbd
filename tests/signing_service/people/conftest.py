from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.database import Base, Database
from signing_service.people import oauth
from signing_service.people.register import NewOfficer, PeopleRegister
from signing_service.people.rules import Role

CODE = "11990000MB9900013U"


class SetClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, now):
        self.instant = now

    def now(self):
        return self.instant

    def advance(self, **parts):
        self.instant += timedelta(**parts)


@pytest.fixture
def clock():
    return SetClock(datetime(2026, 11, 24, 7, 4, tzinfo=UTC))


@pytest.fixture
def people(database, clock):
    """Two administrators and two officers of one department of 示例市."""
    register = PeopleRegister(database, clock, AuditLog())
    with database.write() as session:
        register.add_department(session, "approvals", "示例市行政审批局", CODE)
        for id, name in (("admin-1", "管理员甲"), ("admin-2", "管理员乙"), ("li", "审批员甲"), ("wang", "审批员乙")):
            register.add_officer(session, NewOfficer(id, name, "approvals"))
        register.bootstrap(session, [("admin-1", Role.SEAL_ADMINISTRATOR), ("admin-2", Role.SEAL_ADMINISTRATOR)])
    return register


@pytest.fixture(scope="session")
def client_key():
    return ec.generate_private_key(ec.SECP256R1())


AUDIENCE = "https://zhengyin.example/oauth2/token"


@pytest.fixture
def endpoint(database, clock, people, client_key):
    with database.write() as session:
        client = oauth.NewClient("housing-1", "approvals", "住建系统", oauth.public_jwks(client_key.public_key()))
        oauth.add_client(session, client, clock, AuditLog())
    return oauth.TokenEndpoint(database, clock, AUDIENCE)


@pytest.fixture(scope="session")
def one_postgres(postgres):
    """One PostgreSQL database for all tests of this room, emptied after each."""
    opened = Database(postgres.new_database())
    Base.metadata.create_all(opened.engine)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path, databases_with_tables):
    """All tables, empty, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        opened = Database(databases_with_tables.sqlite(tmp_path / "zhengyin.db"))
        yield opened
        opened.close()
        return
    shared = request.getfixturevalue("one_postgres")
    yield shared
    with shared.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
