"""The OCSP responder before openssl and cryptography, and what it says to wrong questions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware.errors import Text, TokenError
from signing_service.pki.assembly import PkiServices
from signing_service.pki.crl import Reason
from signing_service.pki.names import subject_name
from signing_service.pki.ocsp import Issuer, OcspResponder, request_for
from signing_service.pki.ports import CertifiedKey
from signing_service.pki.register import CertificateRegister, Holder, Why, fingerprint
from signing_service.pki.rules import APPROVER, OPERATOR, SYSTEM, Actor

OPERATOR_A = Actor("OF-1", frozenset({OPERATOR, SYSTEM}))
APPROVER_B = Actor("OF-2", frozenset({APPROVER}))
STATUS = ocsp.OCSPResponseStatus
ANSWERED = ["-no_nonce", "-reqin", "q.der", "-respin", "a.der"]
BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def issuing(ceremony: Any) -> bytes:
    return ceremony.record.certificate("issuing")


@pytest.fixture
def seal(services: PkiServices, memory_key: Any) -> bytes:
    subject = subject_name("示例局印章", organization="示例市")
    return services.authorities["issuing"].issue("seal", subject, memory_key().public_key, Holder("SL-1"), OPERATOR_A)


@pytest.fixture
def ask(services: PkiServices, issuing: bytes) -> Callable[[bytes], ocsp.OCSPResponse]:
    return lambda certificate: ocsp.load_der_ocsp_response(services.ocsp.respond(request_for(certificate, issuing)))


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
@pytest.mark.parametrize("nonce", [True, False])
def test_openssl_accepts_good_and_revoked(
    services: PkiServices, register: CertificateRegister, seal: bytes, issuing: bytes, ceremony: Any, openssl: Any,
    pem: Any, tmp_path: Path, digest: str, nonce: bool,
) -> None:  # fmt: skip
    root = ceremony.record.certificate("root")
    for name, certificate in (("seal", seal), ("issuing", issuing), ("root", root)):
        (tmp_path / f"{name}.pem").write_bytes(pem(certificate))
    (tmp_path / "trusted.pem").write_bytes(pem(root) + pem(issuing))
    asked = [f"-{digest}", "-issuer", "issuing.pem", "-cert", "seal.pem"]
    openssl("ocsp", *asked, "-nonce" if nonce else "-no_nonce", "-reqout", "q.der")

    def answer() -> str:
        (tmp_path / "a.der").write_bytes(services.ocsp.respond((tmp_path / "q.der").read_bytes()))
        return openssl("ocsp", *asked, *ANSWERED, "-CAfile", "trusted.pem")

    said = answer()
    assert "Response verify OK" in said
    assert "seal.pem: good" in said
    assert "WARNING: no nonce" not in said
    register.change(fingerprint(seal), "revoke", OPERATOR_A, Why("密钥泄露", Reason.KEY_COMPROMISE))
    said = answer()
    assert "Response verify OK" in said
    assert "seal.pem: revoked" in said
    assert "Reason: keyCompromise" in said


@BOTH
def test_a_revocation_is_seen_at_once_though_answers_are_kept(
    ask: Any, register: CertificateRegister, seal: bytes, clock: Any
) -> None:
    first = ask(seal)
    clock.advance(seconds=30)
    assert ask(seal).public_bytes(Encoding.DER) == first.public_bytes(Encoding.DER)
    lost = clock.now() - timedelta(days=2)
    register.change(fingerprint(seal), "revoke", OPERATOR_A, Why("泄露", Reason.KEY_COMPROMISE, invalid_from=lost))
    second = ask(seal)
    assert first.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert second.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert second.revocation_time_utc == clock.now()
    parsed = asn1_ocsp.OCSPResponse.load(second.public_bytes(Encoding.DER))
    single = parsed["response_bytes"]["response"].parsed["tbs_response_data"]["responses"][0]
    assert [entry["extn_id"].dotted for entry in single["single_extensions"]] == ["2.5.29.24"]


def test_a_hold_comes_and_goes(ask: Any, register: CertificateRegister, seal: bytes) -> None:
    register.change(fingerprint(seal), "suspend", OPERATOR_A, Why("持有人请假"))
    held = ask(seal)
    register.change(fingerprint(seal), "release", APPROVER_B, Why("恢复"))
    assert held.revocation_reason is x509.ReasonFlags.certificate_hold
    assert ask(seal).certificate_status is ocsp.OCSPCertStatus.GOOD


def test_a_kept_answer_is_renewed_before_it_ends(ask: Any, seal: bytes, clock: Any) -> None:
    first = ask(seal)
    clock.advance(minutes=6)
    second = ask(seal)
    assert second.produced_at_utc > first.produced_at_utc
    assert first.next_update_utc > clock.now()


def _hashes(issuer: bytes) -> tuple[bytes, bytes]:
    """issuerNameHash and issuerKeyHash with SHA-256, as asn1crypto computes them."""
    read = asn1_x509.Certificate.load(issuer)
    return read.subject.sha256, read.public_key.sha256


def test_unknown_serial_and_foreign_issuer(services: PkiServices, issuing: bytes) -> None:
    name, key = _hashes(issuing)
    known = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, 12345, hashes.SHA256()).build()
    answer = ocsp.load_der_ocsp_response(services.ocsp.respond(known.public_bytes(Encoding.DER)))
    assert answer.certificate_status is ocsp.OCSPCertStatus.UNKNOWN
    foreign = ocsp.OCSPRequestBuilder().add_certificate_by_hash(key, name, 12345, hashes.SHA256()).build()
    answer = ocsp.load_der_ocsp_response(services.ocsp.respond(foreign.public_bytes(Encoding.DER)))
    assert answer.response_status is STATUS.UNAUTHORIZED
    other = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name * 2, key * 2, 1, hashes.SHA512()).build()
    answer = ocsp.load_der_ocsp_response(services.ocsp.respond(other.public_bytes(Encoding.DER)))
    assert answer.response_status is STATUS.UNAUTHORIZED


def test_several_certificates_in_one_request(
    services: PkiServices, seal: bytes, ceremony: Any, openssl: Any, pem: Any, tmp_path: Path
) -> None:
    """The answer for a certificate of another CA, which this responder cannot vouch for, is unknown."""
    for name in ("issuing", "root", "tsa", "simulation", "simulation-ocsp"):
        (tmp_path / f"{name}.pem").write_bytes(pem(ceremony.record.certificate(name)))
    (tmp_path / "seal.pem").write_bytes(pem(seal))
    (tmp_path / "trusted.pem").write_bytes(
        (tmp_path / "root.pem").read_bytes() + (tmp_path / "issuing.pem").read_bytes()
    )
    own = ["-issuer", "issuing.pem", "-cert", "seal.pem", "-cert", "tsa.pem"]
    foreign = ["-issuer", "simulation.pem", "-cert", "simulation-ocsp.pem"]
    for asked, checked in ((own, ["-CAfile", "trusted.pem"]), (own + foreign, ["-noverify"])):
        openssl("ocsp", *asked, "-reqout", "q.der")
        (tmp_path / "a.der").write_bytes(services.ocsp.respond((tmp_path / "q.der").read_bytes()))
        said = openssl("ocsp", *asked, *ANSWERED, *checked)
        assert ("Response verify OK" in said) == ("-CAfile" in checked)
        assert "seal.pem: good" in said
        assert "tsa.pem: good" in said
    assert "simulation-ocsp.pem: unknown" in said


def test_the_simulation_ca_has_a_responder_of_its_own(services: PkiServices, ceremony: Any) -> None:
    ca = ceremony.record.certificate("simulation")
    answer = ocsp.load_der_ocsp_response(
        services.ocsp.respond(request_for(ceremony.record.certificate("simulation-ocsp"), ca))
    )
    assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert answer.certificates[0].issuer == x509.load_der_x509_certificate(ca).subject


@pytest.mark.parametrize("size", [0, 129])
def test_a_nonce_of_the_wrong_size_is_malformed(services: PkiServices, seal: bytes, issuing: bytes, size: int) -> None:
    certificates = x509.load_der_x509_certificate(seal), x509.load_der_x509_certificate(issuing)
    builder = ocsp.OCSPRequestBuilder().add_certificate(*certificates, hashes.SHA1())
    request = builder.add_extension(x509.OCSPNonce(b"n" * size), False).build().public_bytes(Encoding.DER)
    answer = ocsp.load_der_ocsp_response(services.ocsp.respond(request))
    assert answer.response_status is STATUS.MALFORMED_REQUEST


def test_too_many_certificates_are_malformed(services: PkiServices, seal: bytes, issuing: bytes) -> None:
    request = asn1_ocsp.OCSPRequest.load(request_for(seal, issuing))
    asked = request["tbs_request"]["request_list"][0]
    request["tbs_request"]["request_list"] = [asked] * 33
    answer = ocsp.load_der_ocsp_response(services.ocsp.respond(request.dump(force=True)))
    assert answer.response_status is STATUS.MALFORMED_REQUEST


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_damaged_requests_get_a_protocol_answer(services: PkiServices, seal: bytes, issuing: bytes, data: Any) -> None:
    request = bytearray(request_for(seal, issuing))
    for _ in range(data.draw(st.integers(1, 3))):
        request[data.draw(st.integers(0, len(request) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(request)))
    answer = ocsp.load_der_ocsp_response(services.ocsp.respond(bytes(request[:cut])))
    assert answer.response_status in (STATUS.SUCCESSFUL, STATUS.UNAUTHORIZED, STATUS.MALFORMED_REQUEST)


def test_without_its_key_it_says_try_later(
    register: CertificateRegister, ceremony: Any, clock: Any, seal: bytes, issuing: bytes
) -> None:
    class Dead:
        def sign(self, data: bytes, mechanism: object) -> bytes:
            raise TokenError(Text("设备已拔出。", "The token was removed."))

    key = CertifiedKey(Dead(), ceremony.record.certificate("ocsp"))
    responder = OcspResponder([Issuer(issuing, key)], register, clock)
    answer = ocsp.load_der_ocsp_response(responder.respond(request_for(seal, issuing)))
    assert answer.response_status is STATUS.TRY_LATER
