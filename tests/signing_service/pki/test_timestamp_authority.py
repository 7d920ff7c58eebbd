"""The TSA before openssl and pyHanko, its refusals, and its register."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko.sign.validation.status import TimestampSignatureStatus
from pyhanko_certvalidator import ValidationContext
from sqlalchemy import select
from sqlalchemy.exc import DatabaseError

from hardware.errors import Text, TokenError
from signing_service.kernel.database import Database
from signing_service.pki.assembly import PkiServices
from signing_service.pki.errors import IssuingRefused
from signing_service.pki.profiles import TIMESTAMP_POLICY
from signing_service.pki.timestamp_register import TimestampRegister, TimestampRow
from signing_service.pki.timestamping import TimestampAuthority

DIGEST = hashlib.sha256(b"document").digest()
BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


def query(**changed: Any) -> bytes:
    values: dict[str, Any] = {
        "version": 1,
        "message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": DIGEST},
        "nonce": 4711,
        "cert_req": True,
    }
    return tsp.TimeStampReq({key: value for key, value in (values | changed).items() if value is not None}).dump()


def token(services: PkiServices, request: bytes) -> cms.SignedData:
    return tsp.TimeStampResp.load(services.tsa.respond(request), strict=True)["time_stamp_token"]["content"]


def info(services: PkiServices, request: bytes) -> tsp.TSTInfo:
    return token(services, request)["encap_content_info"]["content"].parsed


def refusal(tsa: TimestampAuthority, request: bytes) -> set[str]:
    """The failure info of an answer without a token. (asn1crypto's TimeStampResp insists on a token.)"""
    (only,) = core.SequenceOf(spec=tsp.PKIStatusInfo).load(tsa.respond(request), spec=tsp.PKIStatusInfo)
    assert only["status"].native == "rejection"
    assert only["status_string"].native[0]
    return only["fail_info"].native


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("certificates", [True, False])
def test_openssl_verifies_a_token(
    services: PkiServices, ceremony: Any, openssl: Any, pem: Any, tmp_path: Path, digest: str, certificates: bool
) -> None:
    (tmp_path / "data").write_bytes(b"document")
    for name in ("root", "issuing", "tsa"):
        (tmp_path / f"{name}.pem").write_bytes(pem(ceremony.record.certificate(name)))
    (tmp_path / "above.pem").write_bytes((tmp_path / "tsa.pem").read_bytes() + (tmp_path / "issuing.pem").read_bytes())
    openssl("ts", "-query", "-data", "data", f"-{digest}", *(["-cert"] if certificates else []), "-out", "q.tsq")
    (tmp_path / "a.tsr").write_bytes(services.tsa.respond((tmp_path / "q.tsq").read_bytes()))
    above = "issuing.pem" if certificates else "above.pem"
    trusted = ["-CAfile", "root.pem", "-untrusted", above]
    assert "Verification: OK" in openssl("ts", "-verify", "-queryfile", "q.tsq", "-in", "a.tsr", *trusted)
    assert "Verification: OK" in openssl("ts", "-verify", "-data", "data", "-in", "a.tsr", *trusted)
    said = openssl("ts", "-reply", "-in", "a.tsr", "-text")
    assert f"Policy OID: {TIMESTAMP_POLICY}" in said
    assert "Accuracy: 0x01 seconds" in said
    (tmp_path / "data").write_bytes(b"another")
    assert "FAILED" in openssl("ts", "-verify", "-data", "data", "-in", "a.tsr", *trusted, check=False)


def test_pyhanko_trusts_a_token(services: PkiServices, ceremony: Any) -> None:

    root, issuing = (asn1_x509.Certificate.load(ceremony.record.certificate(name)) for name in ("root", "issuing"))
    context = ValidationContext(trust_roots=[root], other_certs=[issuing], moment=ceremony.at + timedelta(hours=1))
    signed = token(services, query())
    status = TimestampSignatureStatus(
        **asyncio.run(validate_tst_signed_data(signed, context, lambda _algorithm: DIGEST))
    )
    assert status.valid
    assert status.trusted


def test_what_was_asked_is_echoed(services: PkiServices, clock: Any) -> None:
    clock.advance(seconds=0.25)
    found = info(services, query(nonce=1 << 200))
    assert found["nonce"].native == 1 << 200
    assert found["gen_time"].native == clock.now()
    assert found["message_imprint"]["hashed_message"].native == DIGEST
    assert info(services, query(nonce=None))["nonce"].native is None


def test_certificates_come_only_when_asked_for(services: PkiServices) -> None:
    without = token(services, query(cert_req=False))
    assert not without["certificates"]
    asked = token(services, query())
    names = {choice.chosen.subject.native["common_name"] for choice in asked["certificates"]}
    assert names == {"示例市内部时间戳服务", "示例市内部签发CA"}


def _imprint(algorithm: str, digest: bytes) -> dict[str, Any]:
    return {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": digest}


REFUSED = {
    "sha1": (query(message_imprint=_imprint("sha1", b"1" * 20)), "bad_alg"),
    "md5": (query(message_imprint=_imprint("md5", b"1" * 16)), "bad_alg"),
    "unknown digest": (query(message_imprint=_imprint("1.2.3.4.5", b"1" * 32)), "bad_alg"),
    "wrong length": (query(message_imprint=_imprint("sha256", b"1" * 20)), "bad_data_format"),
    "version": (query(version=2), "bad_request"),
    "policy": (query(req_policy="1.2.3.4"), "unaccepted_policy"),
    "extension": (
        query(extensions=[{"extn_id": "1.2.3.4", "critical": False, "extn_value": b"x"}]),
        "unaccepted_extensions",
    ),
    "long nonce": (query(nonce=1 << 600), "bad_data_format"),
    "empty": (b"", "bad_data_format"),
    "html": (b"<html>", "bad_data_format"),
    "trailing byte": (query() + b"\x00", "bad_data_format"),
    "megabyte": (b"\x30\x84\x00\x10\x00\x00" + b"\x00" * (1 << 20), "bad_data_format"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_name_their_cause(services: PkiServices, case: str) -> None:
    request, failure = REFUSED[case]
    assert refusal(services.tsa, request) == {failure}


def test_the_named_policy_is_accepted(services: PkiServices) -> None:
    assert info(services, query(req_policy=TIMESTAMP_POLICY))["policy"].native == TIMESTAMP_POLICY


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_damaged_requests_get_a_protocol_answer(services: PkiServices, data: Any) -> None:
    request = bytearray(query())
    for _ in range(data.draw(st.integers(1, 3))):
        request[data.draw(st.integers(0, len(request) - 1))] = data.draw(st.integers(0, 255))
    response = services.tsa.respond(bytes(request[: data.draw(st.integers(0, len(request)))]))
    status = core.Sequence.load(response, strict=True)[0]
    assert status[0].native in (0, 2)


@BOTH
def test_serials_rise_and_every_token_is_in_the_register(services: PkiServices, database: Database) -> None:
    serials = [info(services, query())["serial_number"].native for _ in range(3)]
    assert serials == sorted(set(serials))
    with database.read() as session:
        rows = session.execute(select(TimestampRow.id, TimestampRow.digest).order_by(TimestampRow.id)).all()
    assert [tuple(row) for row in rows] == [(serial, DIGEST.hex()) for serial in serials]


@BOTH
def test_two_authorities_on_one_register_never_share_a_serial(database: Database, clock: Any) -> None:
    registers = [TimestampRegister(database), TimestampRegister(database)]
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda n: registers[n % 2].take(DIGEST, TIMESTAMP_POLICY, clock), range(24)))
    assert len({serial for serial, _ in taken}) == 24


@BOTH
def test_threads_that_wait_together_all_get_their_own_serial(services: PkiServices, database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        serials = list(pool.map(lambda n: info(services, query(nonce=n + 1))["serial_number"].native, range(40)))
    assert len(set(serials)) == 40
    with database.read() as session:
        assert len(session.scalars(select(TimestampRow.id)).all()) == 40


def test_a_database_that_fails_fails_every_waiting_thread(clock: Any, tmp_path: Path) -> None:
    """No table: each of the threads gets the database's own error, none waits for ever."""
    register = TimestampRegister(Database(f"sqlite:///{tmp_path / 'empty.db'}"))
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(register.take, DIGEST, TIMESTAMP_POLICY, clock) for _ in range(8)]
        assert all(isinstance(one.exception(30), DatabaseError) for one in asked)


@BOTH
def test_a_clock_that_went_back_stops_the_authority(services: PkiServices, clock: Any) -> None:
    first = info(services, query())["gen_time"].native
    clock.advance(seconds=-1)
    assert info(services, query())["gen_time"].native == first
    clock.advance(seconds=-5)
    assert refusal(services.tsa, query()) == {"time_not_available"}


def test_an_expired_certificate_gives_no_timestamps(services: PkiServices, clock: Any) -> None:
    clock.advance(days=365 * 6)
    assert refusal(services.tsa, query()) == {"system_failure"}


def test_a_removed_token_is_a_system_failure(ceremony: Any, database: Database, clock: Any) -> None:
    class Dead:
        def sign(self, data: bytes, mechanism: object) -> bytes:
            raise TokenError(Text("设备已拔出。", "The token was removed."))

    tsa = TimestampAuthority(
        Dead(), ceremony.record.certificate("tsa"), (), serials=TimestampRegister(database), clock=clock
    )
    assert refusal(tsa, query()) == {"system_failure"}


def test_only_a_timestamp_certificate_makes_an_authority(ceremony: Any, database: Database, clock: Any) -> None:
    with pytest.raises(IssuingRefused, match="timeStamping"):
        TimestampAuthority(
            ceremony.key("ocsp"), ceremony.record.certificate("ocsp"), (),
            serials=TimestampRegister(database), clock=clock,
        )  # fmt: skip
