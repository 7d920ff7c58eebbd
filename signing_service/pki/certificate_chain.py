"""Chains as lists of DER certificates: the end entity first, each followed by its issuer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from signing_service.errors import Text
from signing_service.pki.errors import MalformedDer, PkiError

LONGEST_CHAIN = 8


class ChainIncomplete(PkiError):
    """An issuer is missing."""

    code = "chain_incomplete"

    def __init__(self, subject: str) -> None:
        super().__init__(
            Text("证书链不完整。", "The certificate chain is incomplete."),
            why=Text(f"缺少“{subject}”的签发者证书。", f'The issuer of "{subject}" is missing.'),
            advice=Text("请补充中级证书。", "Supply the intermediate certificate."),
        )


def load_certificate(data: bytes) -> x509.Certificate:
    """DER or PEM. Raises MalformedDer."""
    read = x509.load_pem_x509_certificate if data.lstrip().startswith(b"-----") else x509.load_der_x509_certificate
    try:
        return read(data)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as failure:
        raise MalformedDer(f"not a certificate: {failure}") from failure


def issued(certificate: bytes, issuer: bytes) -> bool:
    """Whether `issuer` signed `certificate`: names and signature, not dates or uses."""
    try:
        x509.load_der_x509_certificate(certificate).verify_directly_issued_by(x509.load_der_x509_certificate(issuer))
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        return False
    return True


def build_chain(certificate: bytes, others: Iterable[bytes]) -> list[bytes]:
    """The chain up to a self-signed certificate, taken from `others` in any order. Raises ChainIncomplete."""
    chain, pool = [certificate], list(others)
    while not issued(chain[-1], chain[-1]):
        above = next((other for other in pool if other not in chain and issued(chain[-1], other)), None)
        if above is None or len(chain) > LONGEST_CHAIN:
            raise ChainIncomplete(x509.load_der_x509_certificate(chain[-1]).subject.rfc4514_string())
        chain.append(above)
    return chain


def issuer_in(certificate: bytes, chain: Sequence[bytes]) -> bytes | None:
    """The certificate in `chain` that signed this one, or None; a self-signed one has none."""
    return next((other for other in chain if other != certificate and issued(certificate, other)), None)
