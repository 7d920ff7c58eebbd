import contextlib
import importlib.util
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, Request
from fastapi.testclient import TestClient

from hardware.softhsm import SoftHsmStore
from signing_service.agent.login import log_in
from signing_service.agent.pairing import connect, pair
from signing_service.app import Parts, create_app
from signing_service.kernel.database import Base, Database
from signing_service.settings import Settings

_spec = importlib.util.spec_from_file_location("desk_office", Path(__file__).with_name("desk_office.py"))
desk_office = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(desk_office)

_spec = importlib.util.spec_from_file_location("seal_office", Path(__file__).with_name("seal_office.py"))
seal_office = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(seal_office)


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


@pytest.fixture(scope="session")
def key_ring(tmp_path_factory):
    """A store with the USB keys of a reviewer each and of two administrators, made once."""
    store = SoftHsmStore(tmp_path_factory.mktemp("softhsm"))
    store.activate()
    authority = desk_office.usb_keys.Authority()
    names = desk_office.OFFICERS
    made = {id: desk_office.usb_keys.make_usb_key(store, authority, name) for id, name in names.items()}
    return store, authority, made


@pytest.fixture
def office_of(key_ring, tmp_path, monkeypatch):
    """Starts a server with its office; see `desk_office.Office` for the options."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    store, authority, made = key_ring
    store.activate()
    with contextlib.ExitStack() as stack:

        def start(**options):
            opened = desk_office.Office(tmp_path, made, authority, **options)
            opened.start()
            stack.callback(opened.stop)
            return opened

        yield start


@pytest.fixture
def office(office_of):
    """A running server with its office."""
    return office_of()


@pytest.fixture
def scripted():
    """Makes a surface that answers as an officer would."""
    return desk_office.Scripted


@pytest.fixture
def paired(office, scripted):
    """Pairs an officer's PC; gives its connection."""

    def make(officer):
        servers = office.servers_of(officer)
        return connect(pair(office.origin, office.key_of(officer), scripted(), servers))

    return make


@pytest.fixture
def logged_in(office, scripted, paired):
    """A browser (an HTTP client) with an officer's session."""
    with contextlib.ExitStack() as stack:

        def make(officer):
            headers = {"origin": office.origin, "accept": "text/html"}
            browser = stack.enter_context(httpx.Client(base_url=office.origin, headers=headers, follow_redirects=True))
            surface, page = scripted(), []
            surface.code = lambda: re.search(r'id="code">([^<]+)<', page[-1].text)[1]
            log_in(paired(officer), office.key_of(officer), surface, lambda address: page.append(browser.get(address)))
            return browser

        yield make


@pytest.fixture(scope="session")
def whole_home(tmp_path_factory):
    """A home with its server, made once for the seals' pages."""
    opened = seal_office.SealOffice(tmp_path_factory.mktemp("seal-office"))
    yield opened
    opened.stop()


@pytest.fixture
def seals(whole_home, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    whole_home.activate()
    return whole_home
