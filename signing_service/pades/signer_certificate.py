"""The signer's certificate: may it sign now, with which mechanism, and does a value verify with its key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from hardware.ports import Mechanism
from signing_service.pades.errors import CertificateRefused, SignatureMismatch
from signing_service.pdf.der import tlv, whole

_RSA_SHA256 = bytes.fromhex("300d06092a864886f70d01010b0500")
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_NOT_FOR_DOCUMENTS = {ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.OCSP_SIGNING}


@dataclass(frozen=True, slots=True)
class SignerCertificate:
    """What signing needs of a certificate, read once. `identifier` is the CMS IssuerAndSerialNumber."""

    der: bytes
    certificate: x509.Certificate
    public_key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    identifier: bytes

    @property
    def mechanism(self) -> Mechanism:
        if isinstance(self.public_key, rsa.RSAPublicKey):
            return Mechanism.RSA_PKCS1_SHA256
        return Mechanism.ECDSA_SHA256

    @property
    def algorithm(self) -> bytes:
        """The signature AlgorithmIdentifier, DER."""
        return _RSA_SHA256 if isinstance(self.public_key, rsa.RSAPublicKey) else _ECDSA_SHA256

    @property
    def longest_signature(self) -> int:
        size = (self.public_key.key_size + 7) // 8
        return size if isinstance(self.public_key, rsa.RSAPublicKey) else 2 * size + 16

    def check_usable(self, at: datetime) -> None:
        """B16: raises CertificateRefused when expired, not yet valid or not for documents (RFC 5280, 4.2.1)."""
        if at > self.certificate.not_valid_after_utc:
            raise CertificateRefused("证书已过期。", f"It expired on {self.certificate.not_valid_after_utc:%Y-%m-%d}.")
        if at < self.certificate.not_valid_before_utc:
            raise CertificateRefused(
                "证书尚未生效。", f"It is not valid before {self.certificate.not_valid_before_utc:%Y-%m-%d}."
            )
        if not _may_sign(self.certificate):
            raise CertificateRefused(
                "证书的密钥用途不含数字签名。", "Its key usage does not include signing documents."
            )

    def check_signature(self, value: bytes, data: bytes) -> None:
        """Raises SignatureMismatch unless `value` is this key's signature over `data` (SHA-256; ECDSA in DER)."""
        try:
            if isinstance(self.public_key, rsa.RSAPublicKey):
                self.public_key.verify(value, data, padding.PKCS1v15(), hashes.SHA256())
            else:
                self.public_key.verify(value, data, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise SignatureMismatch from None


@lru_cache(maxsize=256)
def read_certificate(der: bytes) -> SignerCertificate:
    """Raises CertificateRefused when it cannot be read, or its key is neither RSA nor an elliptic curve we know."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        public_key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as failure:
        raise CertificateRefused("证书的算法不受支持。", f"Its algorithm is not supported: {failure}.") from failure
    if not isinstance(public_key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise CertificateRefused("证书的密钥类型不受支持。", "Its kind of key is not supported.")
    return SignerCertificate(der, certificate, public_key, _identifier(der))


def _identifier(der: bytes) -> bytes:
    """IssuerAndSerialNumber with the certificate's own encodings (RFC 5652, 10.2.4)."""
    fields = list(next(whole(der).children()).children())
    fields = fields[1:] if fields[0].tag == 0xA0 else fields  # the version may be left out
    serial, issuer = fields[0].encoded, fields[2].encoded
    return tlv(0x30, issuer, serial)


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        extensions = certificate.extensions
    except ValueError as failure:
        raise CertificateRefused("证书扩展项损坏。", f"Its extensions are malformed: {failure}.") from failure
    usages = [e.value for e in extensions if isinstance(e.value, x509.KeyUsage)]
    extended = [set(e.value) for e in extensions if isinstance(e.value, x509.ExtendedKeyUsage)]
    may_by_usage = all(usage.digital_signature or usage.content_commitment for usage in usages)
    return may_by_usage and not any(purposes <= _NOT_FOR_DOCUMENTS for purposes in extended)
