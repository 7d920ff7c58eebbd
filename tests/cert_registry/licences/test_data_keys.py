"""Data keys: a new one for new writes, the old ones readable, everything sealed anew by a job that may be stopped."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import insert, select, update

from cert_registry.licences import re_encryption
from cert_registry.licences.bulk import BulkJob, BulkRow
from cert_registry.licences.data_keys import KeyRing
from cert_registry.licences.errors import DataKeysUnreadable, HolderCodeUnreadable
from cert_registry.licences.holder_vault import AesHolderVault
from cert_registry.licences.re_encryption import pending, re_encrypt
from cert_registry.licences.register import Licence, LicenceHolder
from signing_service.kernel.database import Database

NOW = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
ONE, TWO = b"1" * 32, b"2" * 32
BEFORE, AFTER = AesHolderVault({1: ONE}), AesHolderVault({1: ONE, 2: TWO}, present=2, lookup=1)
COUNT = 7


def code(number: int) -> str:
    return f"34052419800101{number:03}X"


@pytest.fixture
def rows(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Seven holders and seven rows of a bulk job under the first key, two of those issued already; pages of three."""
    monkeypatch.setattr(re_encryption, "PAGE", 3)
    with database.write() as session:
        session.add(
            BulkJob(id="job", type_code="1", issuer_code="1", issuer_name="示例", issued_on=NOW.date(), started_by="a",
                    started_at=NOW)
        )  # fmt: skip
        for number in range(COUNT):
            licence = Licence(
                identifier=f"id-{number}", type_code="1", issuer_code="1", issuer_name="示例", serial=str(number),
                version=1, number=str(number), approval_id=str(number), fields={}, issued_on=NOW.date(),
                valid_from=NOW.date(), operation="issue", prepared_by="a", prepared_at=NOW,
            )  # fmt: skip
            licence.holders = [
                LicenceHolder(
                    position=0, name="示例", code_type="111", code_sealed=BEFORE.seal(code(number), f"id-{number}"),
                    code_hash=BEFORE.lookup(code(number), "111").digest, code_shown="*",
                )
            ]  # fmt: skip
            session.add(licence)
        session.flush()
        session.execute(
            insert(BulkRow),
            [
                {"job_id": "job", "number": number, "state": "waiting", "identifier": "", "error": "",
                 "content": b"" if number < 2 else BEFORE.seal(code(number), f"job:{number}")}
                for number in range(COUNT)
            ],
        )  # fmt: skip
    return database


def opened(database: Database, vault: AesHolderVault) -> list[str]:
    query = select(Licence.identifier, LicenceHolder.code_sealed).join(Licence).order_by(LicenceHolder.id)
    with database.read() as session:
        return [vault.open(sealed, bound_to) for bound_to, sealed in session.execute(query)]


def test_new_writes_use_the_new_key_and_old_ones_stay_readable(rows: Database) -> None:
    assert AFTER.seal("x", "a").startswith(AFTER.prefix())
    assert opened(rows, AFTER) == [code(number) for number in range(COUNT)]
    with pytest.raises(HolderCodeUnreadable):
        BEFORE.open(AFTER.seal("x", "a"), "a")
    assert AFTER.lookup("x", "111") == BEFORE.lookup("x", "111")


def test_everything_is_sealed_anew_and_then_there_is_nothing_left(rows: Database) -> None:
    told: list[int] = []
    assert pending(rows, AFTER) == 2 * COUNT - 2
    outcome = re_encrypt(rows, AFTER, told.append)
    assert (outcome.done, outcome.unreadable) == (2 * COUNT - 2, 0)
    assert told == [3, 6, 7, 10, 12]
    assert pending(rows, AFTER) == 0
    assert opened(rows, AesHolderVault({1: b"0" * 32, 2: TWO}, present=2)) == [code(number) for number in range(COUNT)]
    assert re_encrypt(rows, AFTER).done == 0
    with rows.read() as session:
        contents = list(session.scalars(select(BulkRow.content).order_by(BulkRow.number)))
    assert contents[:2] == [b"", b""]
    assert AFTER.open(contents[2], "job:2") == code(2)


def test_a_run_that_is_stopped_goes_on_where_it_was(rows: Database) -> None:
    class Stopped(Exception):
        pass

    def stop(done: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        re_encrypt(rows, AFTER, stop)
    assert pending(rows, AFTER) == 2 * COUNT - 2 - 3
    assert opened(rows, AFTER) == [code(number) for number in range(COUNT)]
    assert re_encrypt(rows, AFTER).done == 2 * COUNT - 2 - 3


def test_what_no_key_opens_is_counted_and_left(rows: Database) -> None:
    with rows.write() as session:
        first = session.scalars(select(LicenceHolder).order_by(LicenceHolder.id)).first()
        assert first is not None
        spoiled = first.code_sealed[:-1] + bytes([first.code_sealed[-1] ^ 1])
        session.execute(update(LicenceHolder).where(LicenceHolder.id == first.id).values(code_sealed=spoiled))
    outcome = re_encrypt(rows, AFTER)
    assert (outcome.done, outcome.unreadable) == (2 * COUNT - 3, 1)
    assert pending(rows, AFTER) == 1


@pytest.fixture(scope="module")
def wrapping() -> list[rsa.RSAPrivateKey]:
    return [rsa.generate_private_key(65537, 2048) for _ in range(2)]


def spki(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def unwrapper(key: rsa.RSAPrivateKey) -> Any:
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return lambda wrapped: key.decrypt(wrapped.wrapped, oaep)


def test_a_ring_grows_and_is_wrapped_anew(wrapping: list[rsa.RSAPrivateKey]) -> None:
    old, new = wrapping
    ring = KeyRing.first(ONE, spki(old), NOW).with_new(TWO, spki(old), NOW)
    assert (ring.present, ring.lookup) == (2, 1)
    again = KeyRing.from_json(ring.as_json()).rewrapped(unwrapper(old), spki(new))
    assert [unwrapper(new)(key) for key in again.keys] == [ONE, TWO]
    assert again.rewrapped(unwrapper(old), spki(new)) == again  # those that are wrapped by it already stay


def test_a_damaged_ring_is_told(wrapping: list[rsa.RSAPrivateKey]) -> None:
    ring = KeyRing.first(ONE, spki(wrapping[0]), NOW)
    content = json.loads(ring.as_json())
    for damage in ({"present": 9}, {"version": 2}, {"keys": [{"number": 1}]}):
        with pytest.raises(DataKeysUnreadable):
            KeyRing.from_json(json.dumps(content | damage))
    with pytest.raises(DataKeysUnreadable):
        KeyRing.from_json("{")
