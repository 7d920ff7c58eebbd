import importlib.util
from datetime import timedelta
from pathlib import Path

import pytest

from hardware.softhsm import SoftHsmStore
from signing_service.agent.page_images import find_spot
from signing_service.channel.completion import PadesCompletion
from signing_service.channel.delivery import Delivery, NewJob
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.blobs import LocalBlobs
from signing_service.kernel.database import Base, Database
from signing_service.pades.appearance import TextAppearance
from signing_service.pades.placing import Placing
from signing_service.pades.sign import SignatureRequest, prepare

_spec = importlib.util.spec_from_file_location("channel_usb_keys", Path(__file__).parents[1] / "agent" / "usb_keys.py")
_usb_keys = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_usb_keys)


class SetClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, now):
        self.instant = now

    def now(self):
        return self.instant

    def advance(self, **parts):
        self.instant += timedelta(**parts)


class RecordingPurpose:
    """Takes completed files; `fail` makes the next call raise once, as a submitter may."""

    def __init__(self, clock):
        self.clock, self.done, self.fail = clock, {}, None

    def consented(self, reference, officer, certificate):
        self._maybe_fail()
        return self.clock.now() + timedelta(minutes=2)

    def completed(self, reference, officer, certificate, document, opinion):
        self._maybe_fail()
        self.done[reference] = (officer, document, opinion)

    def _maybe_fail(self):
        error, self.fail = self.fail, None
        if error is not None:
            raise error


@pytest.fixture(scope="session")
def usb_keys():
    return _usb_keys


@pytest.fixture(scope="session")
def key_ring(tmp_path_factory):
    store = SoftHsmStore(tmp_path_factory.mktemp("softhsm"))
    store.activate()
    authority = _usb_keys.Authority()
    made = {
        name: _usb_keys.make_usb_key(store, authority, label)
        for name, label in (("li", "审批员甲"), ("wang", "审批员乙"))
    }
    return store, authority, made


@pytest.fixture
def ring(key_ring, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    key_ring[0].activate()
    return key_ring[2]


@pytest.fixture
def clock():
    return SetClock(_usb_keys.NOW)


@pytest.fixture
def purpose(clock):
    return RecordingPurpose(clock)


@pytest.fixture
def delivery(database, tmp_path, clock, purpose):
    blobs = LocalBlobs(tmp_path / "blobs")
    return Delivery(database, blobs, clock, AuditLog(), PadesCompletion(), purpose)


@pytest.fixture(scope="session")
def original():
    return _usb_keys.form()


@pytest.fixture
def new_job(ring, original):
    """Makes a job for one of the officers."""

    def make(reference, officer="li", opinion="同意。"):
        certificate = ring[officer].signing
        request = SignatureRequest(
            field=f"step-{reference}", signed_at=_usb_keys.NOW, appearance=TextAppearance((opinion,)),
            placing=Placing(0, 30, 40, 70, 25),
        )  # fmt: skip
        prepared = prepare(original, request, certificate, [])
        return NewJob(
            officer=officer, reference=reference, title=f"示例工程 {reference}", asked_by="示例市行政审批局",
            prepared=prepared, original=original, certificate=certificate, texts=(opinion,), opinion=opinion,
            spot=find_spot(prepared.document, prepared.field),
        )  # fmt: skip

    return make


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
