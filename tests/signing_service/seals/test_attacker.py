"""Whoever runs web server, database and worker, but has no holder's key, gets no seal (docs/trust.md).

Custody is a process of its own here. The attacker writes what he likes into the database, calls the socket as web
server and worker do, and holds every order that was ever kept; the holder's USB key he does not have.
"""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from cli.opened_home import open_home
from cli.processes import running
from cli.stage import open_stage
from hardware.driver import list_tokens, open_token
from hardware.pin_source import read_pin_file
from hardware.ports import Mechanism
from signing_service.custody.client import CustodyClient
from signing_service.custody.errors import SealingFrozen
from signing_service.custody.policy import change_policy
from signing_service.kernel.audit_log import AuditLog
from signing_service.pdf.cms_attributes import build_signed_attributes
from signing_service.people.register import PeopleRegister
from signing_service.pki.rules import Actor
from signing_service.pki.signature_algorithms import algorithm_for
from signing_service.seals import authorisation_errors as errors
from signing_service.seals.authorisation import authorise_digests, standing_order
from signing_service.seals.holder_signature import SignedAuthorisation, sign_authorisation
from signing_service.seals.use_book import UseBook

SEAL, ECDSA = "default", Mechanism.ECDSA_SHA256
HOUR = timedelta(hours=1)


@pytest.fixture
def stage(home):
    """A production home's custody: no direct sealing."""
    settings = open_home(home)
    change_policy(settings.custody, lambda policy: replace(policy, direct_sealing=False))
    opened = open_stage(settings)
    yield opened
    opened.close()
    change_policy(settings.custody, lambda policy: replace(policy, direct_sealing=True))


@pytest.fixture
def custody(stage, tmp_path):
    """The socket of the custody process."""
    with running(stage.settings.home, "custody", log=tmp_path / "custody.log"):
        client = CustodyClient(stage.settings.custody_socket)
        yield client
        client.close()


@pytest.fixture
def signed_by_holder(stage):
    """What the holder's USB key signed, in its time."""
    settings = stage.settings
    serials = {info.label: info.serial for info in list_tokens(settings.token_module)}
    pin = read_pin_file(settings.pins / "seal-holder.pin")
    with open_token(settings.token_module, serial=serials["seal-holder"], pin=pin) as token:
        key = token.key(label="signing")
        signer = key, token.certificate_for(key), algorithm_for(key.public_key).mechanism
        yield lambda what: sign_authorisation(what, signer)


def attributes(custody, text):
    return build_signed_attributes(hashlib.sha256(text.encode()).digest(), custody.seal_certificates(SEAL)[0])


def execute(stage, statement):
    with stage.database.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_with_the_database_alone_there_is_no_seal(stage, custody, holders):
    """A key of the attacker's own, entered everywhere in the database as the holder's."""
    own = holders.Holder("用印人", since=stage.clock.now() - timedelta(days=1))
    people = PeopleRegister(stage.database, stage.clock, AuditLog())
    with stage.database.write() as session:
        people.bind_certificate(session, "seal-holder", own.certificate)
    now = stage.clock.now().replace(microsecond=0)
    order = sign_authorisation(standing_order(SEAL, "批复", 9, not_before=now, until=now + HOUR), own.signer)
    with pytest.raises(errors.AuthorisationMissing):
        custody.seal(SEAL, attributes(custody, "伪造"), b"", ECDSA)
    with pytest.raises(errors.HolderUnknown):
        custody.seal(SEAL, attributes(custody, "伪造"), order, ECDSA, document_type="批复")
    with pytest.raises(errors.HolderUnknown):
        stage.order_book().keep(order, custody.pinned(SEAL), Actor("seal-holder"))


def test_used_expired_withdrawn_and_altered_orders_are_refused_by_name_whatever_the_rows_say(
    stage, custody, signed_by_holder
):
    now = stage.clock.now().replace(microsecond=0)
    once = signed_by_holder(
        authorise_digests(SEAL, {hashlib.sha256("真件".encode()).hexdigest()}, not_before=now - HOUR, until=now + HOUR)
    )
    assert custody.seal(SEAL, attributes(custody, "真件"), once, ECDSA)
    execute(stage, "DELETE FROM seal_use")
    with pytest.raises(errors.AuthorisationUsed):
        custody.seal(SEAL, attributes(custody, "真件"), once, ECDSA)

    orders, holder = stage.order_book(), Actor("seal-holder")
    past = standing_order(SEAL, "旧文", 9, not_before=now - 2 * HOUR, until=now - HOUR)
    kept = orders.keep(signed_by_holder(past), custody.pinned(SEAL), holder)
    execute(stage, f"UPDATE seal_order SET until = '2099-01-01 00:00:00' WHERE id = '{kept.id}'")
    with pytest.raises(errors.AuthorisationExpired):
        custody.seal(SEAL, attributes(custody, "旧文"), kept.encoded, ECDSA, document_type="旧文")

    order = standing_order(SEAL, "急文", 9, not_before=now - HOUR, until=now + HOUR)
    kept = orders.keep(signed_by_holder(order), custody.pinned(SEAL), holder)
    assert custody.seal(SEAL, attributes(custody, "急文 1"), kept.encoded, ECDSA, document_type="急文")
    true = SignedAuthorisation.decode(kept.encoded)
    wider = replace(true, statement=true.statement.replace(b'"count":9', b'"count":99999'))
    with pytest.raises(errors.AuthorisationAltered):
        custody.seal(SEAL, attributes(custody, "急文 2"), wider.encode(), ECDSA, document_type="急文")
    orders.withdraw(kept.id, "换人", holder, tell=custody.withdraw)
    execute(stage, f"UPDATE seal_order SET state = 'signed' WHERE id = '{kept.id}'")
    assert [each.id for each in orders.standing(SEAL, "急文", now)] == [kept.id]
    with pytest.raises(errors.AuthorisationWithdrawn):
        custody.seal(SEAL, attributes(custody, "急文 3"), kept.encoded, ECDSA, document_type="急文")


def test_a_suspended_seal_stays_stopped_whatever_the_rows_say(stage, custody, signed_by_holder, zhengyin):
    zhengyin("suspend", SEAL, "--as", "seal-holder", "--reason", "怀疑失控")
    execute(stage, f"UPDATE seal SET state = 'active' WHERE id = '{SEAL}'")
    execute(stage, f"DELETE FROM seal_change WHERE seal_id = '{SEAL}' AND move = 'suspend'")
    now = stage.clock.now().replace(microsecond=0)
    digest = hashlib.sha256("批复".encode()).hexdigest()
    order = signed_by_holder(authorise_digests(SEAL, {digest}, not_before=now - HOUR, until=now + HOUR))
    with pytest.raises(SealingFrozen, match="怀疑失控"):
        custody.seal(SEAL, attributes(custody, "批复"), order, ECDSA)
    assert not hasattr(custody, "thaw")
    with pytest.raises(Exception, match="no call"):
        custody._call("thaw", scope=f"register:{SEAL}", actor="x", reason="x")
    zhengyin("thaw", f"register:{SEAL}", "--as", "seal-admin-1", "--reason", "已查明")
    assert custody.seal(SEAL, attributes(custody, "批复"), order, ECDSA)
    assert UseBook(stage.seal_register()).uses(SEAL) == []
