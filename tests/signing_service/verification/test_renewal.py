"""When a stored document needs a new archive timestamp: by what carries it, and by the table of algorithms."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from pdf_bytes import document
from sealed_files import SIGNED, sign, stamp_document

from signing_service.verification.renewal import (
    CERTIFICATE,
    AlgorithmEnds,
    AlgorithmEndsUnreadable,
    Stamp,
    carrying_stamps,
    end_of,
    is_due,
)

FAR = datetime(2060, 1, 1, tzinfo=UTC)
NONE = AlgorithmEnds({}, [])


def stamp(ends: datetime = FAR, family: str = "ecdsa", bits: int = 256, digests=("sha256",)) -> Stamp:
    return Stamp(b"", ends, family, bits, digests)


def test_the_first_certificate_to_end_decides() -> None:
    early, late = datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
    end = end_of([stamp(late), stamp(early)], NONE)
    assert end is not None
    assert (end.at, end.cause) == (early, CERTIFICATE)
    assert end_of([], NONE) is None


@pytest.mark.parametrize(
    ("given", "cause", "last"),
    [
        (stamp(digests=("sha256", "sha1")), "SHA1", date(2012, 8, 1)),
        (stamp(family="rsa", bits=2048), "RSA-2048", date(2030, 12, 31)),
        (stamp(family="rsa", bits=3072), "RSA-3072", date(2035, 12, 31)),
        (stamp(family="ecdsa", bits=224), "ECDSA-224", date(2030, 12, 31)),
        (stamp(), "ECDSA-256", date(2035, 12, 31)),
    ],
)
def test_an_algorithm_ends_by_the_shipped_table(given: Stamp, cause: str, last: date) -> None:
    end = end_of([given], AlgorithmEnds.read())
    assert end is not None
    assert (end.cause, end.at.date()) == (cause, last + timedelta(days=1))


def test_it_is_due_a_margin_before_its_end() -> None:
    end = end_of([stamp(datetime(2030, 7, 1, tzinfo=UTC))], NONE)
    margin = timedelta(days=30)
    assert not is_due(end, datetime(2030, 5, 31, tzinfo=UTC), margin)
    assert is_due(end, datetime(2030, 6, 1, tzinfo=UTC), margin)
    assert not is_due(None, FAR, margin)


def test_what_a_newer_document_timestamp_covers_no_longer_carries(sealed, world) -> None:
    (of_signature,) = carrying_stamps(sealed)
    stamped = stamp_document(sealed, world, SIGNED + timedelta(days=1))
    (of_document,) = carrying_stamps(stamped)
    assert of_document.token != of_signature.token
    later = sign(stamped, world, world.officer, world.officers, field="Later", box=None)
    first, _second = carrying_stamps(later)
    assert first.token == of_document.token


def test_a_file_without_a_timestamp_has_nothing_to_renew(world) -> None:
    assert carrying_stamps(document()) == []
    assert carrying_stamps(sign(document(), world, world.seal, stamped=None)) == []


def test_a_wrong_table_is_named(tmp_path) -> None:
    table = tmp_path / "algorithm-ends.yaml"
    table.write_text("digests: {sha1: soon}\nkeys: []\n")
    with pytest.raises(AlgorithmEndsUnreadable, match=r"algorithm-ends\.yaml"):
        AlgorithmEnds.read(table)
