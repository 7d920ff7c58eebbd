"""The signer's certificate: may it sign now, with which mechanism, and does a value verify with its key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hardware.certificate_fields import CertificateFields, ordinary_fields
from hardware.ports import Mechanism
from signing_service.pades.errors import CertificateRefused, SignatureMismatch
from signing_service.pdf.der import tlv, whole

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

_RSA_SHA256 = bytes.fromhex("300d06092a864886f70d01010b0500")
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_NOT_FOR_DOCUMENTS = {bytes.fromhex("2b06010505070308"), bytes.fromhex("2b06010505070309")}
"""The OIDs' contents of timeStamping and OCSPSigning (RFC 5280, 4.2.1.12)."""
_ED25519 = bytes.fromhex("300506032b6570")


_PADDING, _ECDSA, _SHA256 = padding.PKCS1v15(), ec.ECDSA(hashes.SHA256()), hashes.SHA256()


@dataclass(frozen=True, slots=True)
class SignerCertificate:
    """What signing needs of a certificate, read once. `identifier` is the CMS IssuerAndSerialNumber.

    `algorithm` is the signature AlgorithmIdentifier (DER), `digest` the name of the file's digest: SHA-256, for Ed25519
    SHA-512 (RFC 8419, 3.1; ISO/TS 32002). `longest_signature` is in bytes; `may_sign` is what key usage and extended
    key usage say (RFC 5280, 4.2.1).
    """

    der: bytes
    public_key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
    identifier: bytes
    mechanism: Mechanism
    algorithm: bytes
    digest: str
    longest_signature: int
    not_before: datetime
    not_after: datetime
    may_sign: bool

    def check_usable(self, at: datetime) -> None:
        """B16: raises CertificateRefused when expired, not yet valid or not for documents."""
        if at > self.not_after:
            raise CertificateRefused("证书已过期。", f"It expired on {self.not_after:%Y-%m-%d}.")
        if at < self.not_before:
            raise CertificateRefused("证书尚未生效。", f"It is not valid before {self.not_before:%Y-%m-%d}.")
        if not self.may_sign:
            raise CertificateRefused(
                "证书的密钥用途不含数字签名。", "Its key usage does not include signing documents."
            )

    def check_signature(self, value: bytes, data: bytes) -> None:
        """Raises SignatureMismatch unless `value` is this key's signature over `data` (ECDSA in DER)."""
        key = self.public_key
        try:
            if self.mechanism is Mechanism.ECDSA_SHA256:
                key.verify(value, data, _ECDSA)  # type: ignore[call-arg, arg-type]  # the mechanism tells the key
            elif self.mechanism is Mechanism.ED25519:
                key.verify(value, data)  # type: ignore[call-arg]
            else:
                key.verify(value, data, _PADDING, _SHA256)  # type: ignore[call-arg, arg-type]
        except InvalidSignature:
            raise SignatureMismatch from None


@lru_cache(maxsize=256)
def read_certificate(der: bytes) -> SignerCertificate:
    """Raises CertificateRefused when it cannot be read, or its key is neither RSA nor on a curve we know."""
    fields = ordinary_fields(der)
    try:
        found = _of_fields(fields) if fields is not None else _by_library(der)
    except (ValueError, UnsupportedAlgorithm) as failure:
        raise CertificateRefused("证书的算法不受支持。", f"Its algorithm is not supported: {failure}.") from failure
    public_key, digest = found.public_key, "sha256"
    if isinstance(public_key, rsa.RSAPublicKey):
        mechanism, algorithm, longest = Mechanism.RSA_PKCS1_SHA256, _RSA_SHA256, (public_key.key_size + 7) // 8
    elif isinstance(public_key, ec.EllipticCurvePublicKey):
        mechanism, algorithm = Mechanism.ECDSA_SHA256, _ECDSA_SHA256
        longest = 2 * ((public_key.key_size + 7) // 8) + 16
    elif isinstance(public_key, ed25519.Ed25519PublicKey):
        mechanism, algorithm, longest, digest = Mechanism.ED25519, _ED25519, 64, "sha512"
    else:
        raise CertificateRefused("证书的密钥类型不受支持。", "Its kind of key is not supported.")
    return SignerCertificate(
        der=der,
        public_key=public_key,
        identifier=_identifier(der),
        mechanism=mechanism,
        algorithm=algorithm,
        digest=digest,
        longest_signature=longest,
        not_before=found.not_before,
        not_after=found.not_after,
        may_sign=found.may_sign,
    )


class _Read(NamedTuple):
    public_key: PublicKeyTypes
    not_before: datetime
    not_after: datetime
    may_sign: bool


def _of_fields(fields: CertificateFields) -> _Read:
    purposes = fields.purposes
    may_sign = fields.may_sign and (purposes is None or not purposes <= _NOT_FOR_DOCUMENTS)
    return _Read(load_der_public_key(fields.public_key_info), fields.not_before, fields.not_after, may_sign)


def _by_library(der: bytes) -> _Read:
    """A certificate that is not written as usual: the library reads it, and takes its time to load."""
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(der)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return _Read(certificate.public_key(), begin, end, _may_sign(certificate))


def _identifier(der: bytes) -> bytes:
    """IssuerAndSerialNumber with the certificate's own encodings (RFC 5652, 10.2.4)."""
    fields = list(next(whole(der).children()).children())
    fields = fields[1:] if fields[0].tag == 0xA0 else fields  # the version may be left out
    serial, issuer = fields[0].encoded, fields[2].encoded
    return tlv(0x30, issuer, serial)


def _may_sign(certificate: x509.Certificate) -> bool:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        extensions = certificate.extensions
    except ValueError as failure:
        raise CertificateRefused("证书扩展项损坏。", f"Its extensions are malformed: {failure}.") from failure
    usages = [e.value for e in extensions if isinstance(e.value, x509.KeyUsage)]
    extended = [set(e.value) for e in extensions if isinstance(e.value, x509.ExtendedKeyUsage)]
    may_by_usage = all(usage.digital_signature or usage.content_commitment for usage in usages)
    not_for_documents = {ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.OCSP_SIGNING}
    return may_by_usage and not any(purposes <= not_for_documents for purposes in extended)
