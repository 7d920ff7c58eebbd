"""The quick look into the register says the same as the register, or that it cannot say."""

from __future__ import annotations

from pathlib import Path

from signing_service.kernel.database import Database
from signing_service.pki.certificates import OUTSIDE, OWN, CertificateRow
from signing_service.pki.origin_lookup import surely_not_from_outside
from signing_service.pki.register import fingerprint


def _enter(database: Database, certificate: bytes, origin: str) -> None:
    with database.write() as session:
        session.add(
            CertificateRow(reference=f"R-{origin}", profile="officer", state="active", origin=origin, owner="officer",
                           requested_by="test", fingerprint=fingerprint(certificate), der=certificate)
        )  # fmt: skip


def test_only_a_certificate_from_outside_goes_on_to_the_register(database: Database, database_url: str) -> None:
    _enter(database, b"from outside", OUTSIDE)
    _enter(database, b"our own", OWN)
    assert not surely_not_from_outside(database_url, b"from outside")
    quick = database.is_sqlite  # a server's database is asked by its library
    assert surely_not_from_outside(database_url, b"our own") is quick
    assert surely_not_from_outside(database_url, b"nobody's") is quick


def test_without_a_database_nothing_is_said_and_none_is_made(tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    assert not surely_not_from_outside(f"sqlite:///{missing}", b"certificate")
    assert not missing.exists()
    (tmp_path / "empty.db").touch()
    assert not surely_not_from_outside(f"sqlite:///{tmp_path / 'empty.db'}", b"certificate")
