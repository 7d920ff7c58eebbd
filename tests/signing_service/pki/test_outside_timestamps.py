"""Outside timestamp authorities: a real one (openssl ts) beside ours, in order, bounded, and trusted for time alone."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from signing_service.kernel.audit_log import AuditEntry
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.pki.assembly import PkiServices
from signing_service.pki.register import CertificateRegister
from signing_service.pki.timestamp_register import TimestampRow
from signing_service.pki.timestamp_response import Asked, TimestampWrong, certificates_of_token, checked_token
from signing_service.pki.trusted_timestamps import TrustedTimestamper
from signing_service.pki.tsp_client import FallbackTimestamper, HttpTimestamper, NoTimestamp, timestamp_query
from tests.signing_service.pki.second_ca import SecondCa
from tests.signing_service.pki.second_tsa import CONFIGURATION, OpensslTsa

DIGEST = hashlib.sha256(b"signature value").digest()


class Now:
    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def tsa(tmp_path: Path) -> Iterator[OpensslTsa]:
    made = OpensslTsa(SecondCa(tmp_path / "tsa"))
    yield made
    made.kill()


class Own:
    """Our own authority in this process."""

    def __init__(self, services: PkiServices) -> None:
        self._tsa = services.tsa

    def timestamp(self, digest: bytes) -> bytes:
        return checked_token(self._tsa.respond(timestamp_query(digest, 7)), Asked("own", digest, 7))


def outside(tsa: OpensslTsa, *anchors: bytes) -> TrustedTimestamper:
    outbound = Outbound(OutboundPolicy(frozenset({"127.0.0.1"}), timeout_seconds=5))
    return TrustedTimestamper(HttpTimestamper(tsa.url, outbound), tsa.url, lambda: anchors, Now())


def signer(token: bytes) -> bytes:
    return certificates_of_token(token, "")[0]


def test_the_first_of_the_order_stamps_and_ours_when_it_is_killed(tsa: OpensslTsa, services: PkiServices) -> None:
    both = FallbackTimestamper([outside(tsa, tsa.root), Own(services)])
    assert signer(both.timestamp(DIGEST)) == tsa.ca.der("tsa.pem")
    tsa.kill()
    assert signer(both.timestamp(DIGEST)) == signer(Own(services).timestamp(DIGEST))


def test_its_token_is_good_for_openssl_too(tsa: OpensslTsa) -> None:
    token = outside(tsa, tsa.root).timestamp(DIGEST)
    (tsa.ca.folder / "token.der").write_bytes(token)
    done = subprocess.run(
        ["openssl", "ts", "-verify", "-digest", DIGEST.hex(), "-in", "token.der", "-token_in", "-CAfile", "ca.pem",
         "-untrusted", "tsa.pem"],
        cwd=tsa.ca.folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Verification: OK" in done.stdout + done.stderr


def test_a_root_that_is_not_trusted_for_time_is_told_and_the_next_one_asked(
    tsa: OpensslTsa, services: PkiServices, tmp_path: Path
) -> None:
    stranger = SecondCa(tmp_path / "stranger", "Another CA").root
    with pytest.raises(TimestampWrong, match="--for timestamps"):
        outside(tsa, stranger).timestamp(DIGEST)
    token = FallbackTimestamper([outside(tsa, stranger), Own(services)]).timestamp(DIGEST)
    assert signer(token) != tsa.ca.der("tsa.pem")


def test_the_status_of_a_refusal_is_in_the_message(tsa: OpensslTsa) -> None:
    tsa.configure(CONFIGURATION.replace("digests = sha256", "digests = sha512"))
    with pytest.raises(NoTimestamp) as refusal:
        FallbackTimestamper([outside(tsa, tsa.root)]).timestamp(DIGEST)
    said = refusal.value.explain("en")
    assert "rejection" in said
    assert "bad_alg" in said
    assert tsa.url in said
    assert refusal.value.advice is not None


def test_our_timestamps_go_into_the_register_of_their_own_and_not_into_the_audit_log(
    services: PkiServices, register: CertificateRegister
) -> None:
    def counts() -> list[Any]:
        with register.database.read() as session:
            return [session.scalar(select(func.count()).select_from(table)) for table in (TimestampRow, AuditEntry)]

    stamps, entries = counts()
    for _ in range(3):
        Own(services).timestamp(DIGEST)
    assert counts() == [stamps + 3, entries]
