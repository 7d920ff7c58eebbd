"""Look-up keys: a new one for what is written, searches under all, and every row hashed anew by a job that may be
stopped."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import func, select, update

from cert_registry.licences import re_hashing
from cert_registry.licences.data_keys import KeyRing
from cert_registry.licences.holder_vault import AesHolderVault
from cert_registry.licences.merging import AbsorbedCertificate
from cert_registry.licences.re_hashing import pending, re_hash
from cert_registry.licences.register import Licence, LicenceHolder, by_holder
from signing_service.kernel.database import Database

NOW = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)
ONE, TWO = b"1" * 32, b"2" * 32
BEFORE = AesHolderVault({1: ONE})
AFTER = AesHolderVault({1: ONE, 2: TWO}, lookup=2, earlier=[1])
ALONE = AesHolderVault({1: ONE, 2: TWO}, lookup=2)
"""Knows nothing of the earlier key: finds only what was hashed anew."""
COUNT, KIND = 7, "1"


def code(number: int) -> str:
    return f"34052419800101{number:03}X"


def licence(number: int, vault: AesHolderVault) -> Licence:
    lookup = vault.lookup(code(number), "111")
    made = Licence(
        identifier=f"id-{number}", type_code=KIND, issuer_code="1", issuer_name="示例", serial=str(number), version=1,
        number=str(number), approval_id=str(number), fields={}, issued_on=NOW.date(), valid_from=NOW.date(),
        operation="issue", prepared_by="a", prepared_at=NOW, digest=f"{number:064}",
    )  # fmt: skip
    sealed = vault.seal(code(number), made.identifier)
    made.holders = [
        LicenceHolder(
            position=0, name="示例", code_type="111", code_sealed=sealed, code_hash=lookup.digest, hash_key=lookup.key,
            code_shown="*",
        )
    ]  # fmt: skip
    return made


@pytest.fixture
def rows(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Seven licences under the first key, two of which stand for a merged type; pages of three."""
    monkeypatch.setattr(re_hashing, "PAGE", 3)
    with database.write() as session:
        session.add_all(licence(number, BEFORE) for number in range(COUNT))
        for number in (0, 1):
            hashed = BEFORE.lookup(code(number), "111").digest
            session.add(AbsorbedCertificate(code_hash=hashed, type_code="9", by=f"id-{number}"))
    return database


def found(database: Database, vault: AesHolderVault) -> list[int]:
    """Of whom a licence is found."""
    with database.read() as session:
        return [
            number
            for number in range(COUNT)
            if by_holder(session, vault.lookups(code(number), "111"), [KIND], after=0, limit=9)
        ]


def test_a_new_key_hashes_and_the_old_ones_rows_are_found(rows: Database) -> None:
    assert AFTER.lookup("x", "111").key == 2
    assert AFTER.lookup("x", "111") != BEFORE.lookup("x", "111")
    assert set(AFTER.lookups("x", "111")) == {AFTER.lookup("x", "111").digest, BEFORE.lookup("x", "111").digest}
    assert found(rows, AFTER) == list(range(COUNT))
    assert found(rows, ALONE) == []


def test_everything_is_hashed_anew_and_then_there_is_nothing_left(rows: Database) -> None:
    told: list[int] = []
    assert pending(rows, AFTER) == COUNT + 2
    outcome = re_hash(rows, AFTER, told.append)
    assert (outcome.done, outcome.unreadable) == (COUNT + 2, 0)
    assert told == [3, 6, 7, 9]
    assert pending(rows, AFTER) == 0
    assert found(rows, ALONE) == list(range(COUNT))
    with rows.read() as session:
        merged = {row.by: (row.code_hash, row.hash_key) for row in session.scalars(select(AbsorbedCertificate))}
    assert merged == {f"id-{number}": (AFTER.lookup(code(number), "111").digest, 2) for number in (0, 1)}
    assert re_hash(rows, AFTER).done == 0


def test_a_run_that_is_stopped_goes_on_where_it_was(rows: Database) -> None:
    class Stopped(Exception):
        pass

    def stop(done: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        re_hash(rows, AFTER, stop)
    assert pending(rows, AFTER) == COUNT + 2 - 3
    assert found(rows, AFTER) == list(range(COUNT))
    assert re_hash(rows, AFTER).done == COUNT + 2 - 3


def test_what_is_written_meanwhile_is_found_whichever_key_wrote_it(rows: Database) -> None:
    """A writer that had not yet seen the new key counts as pending; a merged type may stand there twice for a while."""
    with rows.write() as session:
        session.add(licence(COUNT, BEFORE))
        session.add(licence(COUNT + 1, AFTER))
        session.add(AbsorbedCertificate(
            code_hash=AFTER.lookup(code(0), "111").digest, type_code="9", by="id-0", hash_key=2))  # fmt: skip
    assert pending(rows, AFTER) == COUNT + 3
    assert re_hash(rows, AFTER).done == COUNT + 3
    with rows.read() as session:
        assert by_holder(session, ALONE.lookups(code(COUNT), "111"), [KIND], after=0, limit=9)
        assert session.scalar(select(func.count()).select_from(AbsorbedCertificate)) == 2


def test_writers_at_the_same_time_lose_nothing(rows: Database) -> None:
    def write() -> None:
        for number in range(COUNT, COUNT + 20):
            with rows.write() as session:
                session.add(licence(number, BEFORE if number % 2 else AFTER))

    writer = threading.Thread(target=write)
    writer.start()
    re_hash(rows, AFTER)
    writer.join()
    re_hash(rows, AFTER)
    assert pending(rows, AFTER) == 0
    with rows.read() as session:
        for number in range(COUNT + 20):
            assert by_holder(session, ALONE.lookups(code(number), "111"), [KIND], after=0, limit=9), number


def test_what_no_key_opens_is_counted_and_left(rows: Database) -> None:
    with rows.write() as session:
        session.execute(
            update(LicenceHolder).where(LicenceHolder.licence_id == 1).values(code_sealed=b"\x01" + b"0" * 40)
        )
    outcome = re_hash(rows, AFTER)
    assert (outcome.done, outcome.unreadable) == (COUNT, 2)  # its holder, and the merged type that only he could tell
    assert pending(rows, AFTER) == 2
    assert found(rows, AFTER) == list(range(COUNT))


def test_a_ring_remembers_its_earlier_look_up_keys() -> None:
    key = rsa.generate_private_key(65537, 2048).public_key()
    wrapping = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ring = KeyRing.first(ONE, wrapping, NOW).with_new(TWO, wrapping, NOW)
    for _ in range(2):
        ring = ring.with_new_lookup(TWO, wrapping, NOW)
    assert (ring.present, ring.lookup, ring.earlier) == (2, 4, (3, 1))
    assert KeyRing.from_json(ring.as_json()) == ring
    written_before = ring.as_json().replace('"earlier_lookups"', '"other"').replace('"lookup": 4', '"lookup": 1')
    assert KeyRing.from_json(written_before).earlier == ()
