"""The quick look into the register says the same as the register, or that it cannot say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from signing_service.kernel.database import Database
from signing_service.pki.certificates import OUTSIDE, OWN, CertificateRow
from signing_service.pki.origin_lookup import surely_usable
from signing_service.pki.outside import CertificateRevoked, OutsideCheck
from signing_service.pki.register import fingerprint


def _enter(database: Database, certificate: bytes, origin: str, revoked_at: datetime | None = None) -> None:
    with database.write() as session:
        session.add(
            CertificateRow(reference=f"R-{certificate.hex()[:24]}", profile="officer", state="active", origin=origin,
                           owner="officer", requested_by="test", fingerprint=fingerprint(certificate), der=certificate,
                           revoked_at=revoked_at, subject="CN=示例")
        )  # fmt: skip


def test_only_a_certificate_from_outside_goes_on_to_the_register(database: Database, database_url: str) -> None:
    _enter(database, b"from outside", OUTSIDE)
    _enter(database, b"our own", OWN)
    assert not surely_usable(database_url, b"from outside")
    quick = database.is_sqlite  # a server's database is asked by its library
    assert surely_usable(database_url, b"our own") is quick
    assert surely_usable(database_url, b"nobody's") is quick


def test_a_certificate_that_is_revoked_or_on_hold_is_refused_wherever_it_comes_from(
    database: Database, database_url: str
) -> None:
    for origin in (OWN, OUTSIDE):
        certificate = b"lost " + origin.encode()
        _enter(database, certificate, origin, datetime(2026, 11, 25, 1, 0, tzinfo=UTC))
        assert not surely_usable(database_url, certificate)
        with pytest.raises(CertificateRevoked, match="2026-11-25 09:00"):
            OutsideCheck(database, AskedInVain()).require_usable(certificate)


def test_of_ours_in_use_and_of_an_unknown_one_nobody_is_asked(database: Database) -> None:
    _enter(database, b"our own", OWN)
    check = OutsideCheck(database, AskedInVain())
    check.require_usable(b"our own")
    check.require_usable(b"nobody's")


class AskedInVain:
    """An outside CA that must not be needed."""

    def require(self, *_: object) -> NoReturn:
        raise AssertionError("an outside CA was asked")


def test_without_a_database_nothing_is_said_and_none_is_made(tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    assert not surely_usable(f"sqlite:///{missing}", b"certificate")
    assert not missing.exists()
    (tmp_path / "empty.db").touch()
    assert not surely_usable(f"sqlite:///{tmp_path / 'empty.db'}", b"certificate")
