import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import APIRouter, Request
from fastapi.testclient import TestClient

from signing_service.app import Parts, create_app
from signing_service.kernel.database import Base, Database
from signing_service.settings import Settings


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
def sqlite(tmp_path):
    """One database is enough for the edge: the rooms below are tested on both."""
    opened = Database(f"sqlite:///{tmp_path / 'zhengyin.db'}")
    Base.metadata.create_all(opened.engine)
    yield opened
    opened.close()


@pytest.fixture
def settings(tmp_path):
    return Settings(
        home=tmp_path,
        profile="demo",
        database_url=f"sqlite:///{tmp_path / 'zhengyin.db'}",
        token_module="",
        city="示例市",
        base_url="http://127.0.0.1:8000",
        outbound_hosts=frozenset(),
    )


@pytest.fixture
def client_of(settings, sqlite, clock):
    """A client of an app with these routers."""
    with contextlib.ExitStack() as stack:

        def build(*routers, **parts):
            app = create_app(settings, Parts(database=sqlite, clock=clock, routers=routers, **parts))
            return stack.enter_context(TestClient(app, raise_server_exceptions=False))

        yield build


@pytest.fixture
def failing():
    """Routes that fail in every way there is."""
    routes = APIRouter()

    @routes.get("/unnamed")
    def unnamed():
        raise KeyError("the secret cause")

    @routes.get("/number/{value}")
    def number(value: int):
        return value

    @routes.post("/size")
    async def size(request: Request):
        return len(await request.body())

    return routes
