"""Certificate requests (PKCS#10, RFC 2986): made with a token's key, and read with proof of possession."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signing_service.pki import der
from signing_service.pki.errors import RequestRefused
from signing_service.pki.ports import Signs
from signing_service.pki.profiles import END_KEYS
from signing_service.pki.signature_algorithms import key_kind, sign_structure

LARGEST_REQUEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """What a request proves: its sender holds the private half of `public_key`. The subject is only a wish."""

    public_key: CertificatePublicKeyTypes
    subject: x509.Name


def build_request(key: Signs, public_key: PublicKeyTypes, subject: x509.Name) -> bytes:
    """A request, DER, signed by the key itself; no attributes."""
    content = der.sequence(
        der.integer(0),
        subject.public_bytes(),
        public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        der.context(0, b""),
    )
    return sign_structure(content, key, public_key)


def read_request(data: bytes, *, keys: tuple[str, ...] = (*END_KEYS, "ed25519")) -> CertificateRequest:
    """Read a request, DER or PEM. Raises RequestRefused: unreadable, weak key, or no proof of possession."""
    if len(data) > LARGEST_REQUEST:
        raise RequestRefused("请求过大。", "It is too large.")
    try:
        read = x509.load_pem_x509_csr if data.lstrip().startswith(b"-----") else x509.load_der_x509_csr
        request = read(data)
        public_key, subject = request.public_key(), request.subject
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as failure:
        raise RequestRefused(f"无法读取:{failure}。", f"It cannot be read: {failure}.") from failure
    if (kind := key_kind(public_key)) not in keys:
        raise RequestRefused(f"不接受密钥 {kind}。", f"A {kind} key is not accepted.")
    if not _is_proven(request):
        raise RequestRefused(
            "没有证明持有私钥:签名不符。", "Possession of the key is not proven: its signature is wrong."
        )
    return CertificateRequest(public_key, subject)


def _is_proven(request: x509.CertificateSigningRequest) -> bool:
    try:
        return request.is_signature_valid
    except UnsupportedAlgorithm:
        return False
