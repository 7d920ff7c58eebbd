"""What stops all of a batch makes it wait with a reason; what concerns one document is that document's alone."""

import errno
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from cli.seal_batches import BatchRequest, documents_of, new_batch
from cli.seal_processes import home_seals, this_worker
from signing_service.custody.core import Custody
from signing_service.pades.batch_folder import as_items, list_folder
from signing_service.pades.batch_rules import MOST_ATTEMPTS
from signing_service.pades.batch_sealing import BatchSealer, Seals
from signing_service.pades.batch_tables import ItemState, SealBatch, SealBatchItem
from signing_service.pades.placing import Placing
from signing_service.pades.request import Level
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.rules import Actor
from signing_service.seals.rules import ADMINISTRATOR, Why
from signing_service.seals.seal_tables import SealRow
from signing_service.seals.use_book import UseBook, UseState

ADMIN = Actor("seal-admin-1", frozenset({ADMINISTRATOR}))
CLERK = Actor("reviewer-1")
TYPE = "batch"
PROFILES = ("seal", "officer-signing")


class Desk:
    """A batch of a folder, worked on in this process."""

    def __init__(self, office, source):
        self.office, self.book = office, office.book()
        request = BatchRequest(
            {"folder": source}, "default", TYPE, Level.B_B, Placing(), CLERK, folder=source, output=source
        )
        self.batch = self.book.open(new_batch(office.settings, self.book.register, request))
        self.book.add(as_items(self.batch.id, list_folder(source, recursive=False), beside=True))
        self.documents = documents_of(office.settings, self.batch)
        self.seals = home_seals(office.settings, self.book, self.batch)

    def work(self, documents=None, seals=None):
        self.book.start(self.batch.id)
        worker = this_worker(self.office.home)
        BatchSealer(self.book, self.batch, documents or self.documents, seals or self.seals, worker).run(lambda: False)
        return self.book.find(self.batch.id).pause_code

    def states(self):
        return [str(item.state) for item in self.book.items(self.batch.id)]

    def uses(self):
        names = {item.reference for item in self.book.items(self.batch.id)}
        return [use.state for use in UseBook(self.book.register).uses("default") if use.reference in names]


@pytest.fixture
def desk(office, folder, request):
    return Desk(office, folder(4, request.node.name[:40]))


@contextmanager
def conditions(desk, **given):
    """The default seal's conditions of use for a while."""
    with desk.book.register.database.write() as session:
        session.get_one(SealRow, "default").conditions = given
    yield
    with desk.book.register.database.write() as session:
        session.get_one(SealRow, "default").conditions = {}


class Between:
    """The real key, and something that happens after it has signed."""

    def __init__(self, key, happens):
        self._key, self._happens = key, happens
        self.certificate, self.chain = key.certificate, key.chain

    def sign_all(self, data, mechanism):
        values = self._key.sign_all(data, mechanism)
        self._happens()
        return values


class FullDisk:
    """The real documents, but that one of them finds no room on the disk."""

    def __init__(self, documents, name):
        self._documents, self._name = documents, name

    def __getattr__(self, name):
        return getattr(self._documents, name)

    def keep(self, made):
        if any(item.name == self._name for item, _ in made):
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._documents.keep(made)


def test_a_stop_switch_pauses_the_batch_and_marks_nothing_refused(desk):
    custody = Custody(desk.office.settings.custody)
    custody.freeze("seal:default", actor="seal-admin-1", reason="怀疑失控")
    assert desk.work() == "sealing_frozen"
    assert desk.states() == ["pending"] * 4
    assert "怀疑失控" in desk.book.find(desk.batch.id).pause_text[0]
    custody.thaw("seal:default", actor="seal-admin-2", reason="已查明")
    assert desk.work() == ""
    assert desk.states() == ["sealed"] * 4
    desk.office.check_once(desk.batch.id, 4)


@pytest.mark.parametrize(("whose", "by_list"), [("seal:default", False), ("seal:default", True), ("seal-holder", True)])
def test_a_certificate_on_hold_makes_the_batch_wait_even_without_revocation_data(office, folder, whose, by_list):
    """The seal's own, or the holder's who signed the list: nothing is sealed until it is released."""
    source = folder(3, f"{whose.replace(':', '-')}-{by_list}")
    pin = f"file:{office.settings.pins}/seal-holder.pin"
    key = ("--key", f"pkcs11:token=seal-holder;object=signing?pin-source={pin}") if by_list else ()
    with office.book().register.database.read() as session:
        which = session.scalar(
            select(CertificateRow.fingerprint).where(
                CertificateRow.owner == whose, CertificateRow.state == "active", CertificateRow.profile.in_(PROFILES)
            )
        )
    assert which
    hold = ("--as", "pki-operator", "--reason", "核查")
    office.run("pki", "suspend", which, *hold)
    try:
        waiting = office.apply(source, "--as", "reviewer-1", *key, code=1)
        assert (waiting["state"], waiting["pause_code"]) == ("paused", "certificate_revoked")
        assert (waiting["counts"]["sealed"], waiting["counts"]["refused"]) == (0, 0)
        assert not list(source.glob("*.sealed.pdf"))
    finally:
        office.run("pki", "release", which, *hold)
    assert office.apply(source, "--as", "reviewer-1", *key)["counts"]["sealed"] == 3


def test_a_seal_suspended_after_its_key_signed_lets_nothing_out(desk):
    register = desk.book.register
    suspended = Seals(
        lambda batch, list_id: Between(
            desk.seals.key(batch, list_id), lambda: register.change("default", "suspend", ADMIN, Why("核查"))
        )
    )
    assert desk.work(seals=suspended) == "seal_not_usable"
    assert desk.uses() == [UseState.QUARANTINED] * 4
    assert not [path for path in desk.documents._output.iterdir() if "sealed" in path.name or "zhengyin" in path.name]
    register.change("default", "resume", ADMIN, Why("核查完毕"))
    assert desk.work() == ""
    assert desk.uses() == [UseState.RELEASED] * 4
    desk.office.check_once(desk.batch.id, 4)


def test_the_days_count_seals_as_many_as_it_allows_and_then_waits(desk):
    today = len([use for use in UseBook(desk.book.register).uses("default") if use.state != UseState.VOIDED])
    with conditions(desk, per_day=today + 3):
        assert desk.work() == "seal_daily_limit_reached"
        assert desk.states() == ["sealed"] * 3 + ["pending"]
    assert desk.work() == ""
    desk.office.check_once(desk.batch.id, 4)


def test_a_full_disk_is_that_documents_result_and_it_can_be_tried_again(desk):
    name = desk.book.items(desk.batch.id)[2].name
    assert desk.work(documents=FullDisk(desk.documents, name)) == ""
    assert desk.states() == ["sealed", "sealed", "refused", "sealed"]
    assert desk.book.items(desk.batch.id)[2].reason == "disk_full"
    assert desk.book.retry_refused(desk.batch.id) == 1
    assert desk.work() == ""
    desk.office.check_once(desk.batch.id, 4)


def test_a_document_that_ends_its_process_again_and_again_is_given_up(desk):
    with desk.book.register.database.write() as session:
        first = desk.book.items(desk.batch.id)[0]
        session.get_one(SealBatchItem, first.id).attempts = MOST_ATTEMPTS
    desk.work()
    assert desk.states() == ["refused"] + ["sealed"] * 3
    assert desk.book.items(desk.batch.id)[0].reason == "gave_up"


def test_a_source_changed_after_it_was_listed_is_not_sealed(desk):
    item = desk.book.items(desk.batch.id)[0]
    (desk.documents._folder / item.name).write_bytes(b"%PDF-1.4 other")
    desk.work()
    assert desk.book.items(desk.batch.id)[0].reason == "source_changed"


def test_the_holders_key_signs_the_list_and_custody_seals_what_is_on_it(office, folder):
    source = folder(40, "liste")
    pins = office.settings.pins
    key = f"pkcs11:token=seal-holder;object=signing?pin-source=file:{pins}/seal-holder.pin"
    done = office.apply(source, "--key", key)
    assert (done["state"], done["counts"]["sealed"]) == ("done", 40)
    office.check_once(done["batch"], 40)
    with office.book().register.database.read() as session:
        assert session.get_one(SealBatch, done["batch"]).authorisation == b""
    custody = Custody(office.settings.custody)
    digests = {item.digest for item in office.book().items(done["batch"], states=[ItemState.SEALED])}
    assert {use.use.kind for use in custody.uses("default") if use.use.digest in digests} == {"digests"}
    custody.close()
