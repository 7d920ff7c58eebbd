"""Steps 2 and 5 of a signature: who signed it, and is the value right (EN 319 102-1, 5.2.3 and 5.2.7)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from signing_service.verification.algorithms import DIGESTS, fits, public_key, value_is_right
from signing_service.verification.certificates import Certificate, load
from signing_service.verification.container import Container
from signing_service.verification.errors import UnsupportedAlgorithm


@dataclass(frozen=True, slots=True)
class Outcome:
    """`code` None: fine. Else a reason code, the name of an algorithm where one is to blame, and an English detail."""

    code: str | None
    detail: str = ""
    sub_indication: str | None = None
    name: str = ""


FINE = Outcome(None)


def find_signer(container: Container, candidates: Sequence[Certificate]) -> Certificate | None:
    """The certificate that the signer identifier names; with several of one name and serial, the one that ESS
    protects."""
    named = [certificate for certificate in candidates if _is_named(container, certificate)]
    for certificate in named:
        if any(_ess_matches(container, index, certificate) for index in range(len(container.ess))):
            return certificate
    return named[0] if named else None


def _is_named(container: Container, certificate: Certificate) -> bool:
    if container.key_identifier is not None:
        return certificate.key_identifier == container.key_identifier
    return certificate.serial == container.serial and certificate.issuer == container.issuer


def _ess_matches(container: Container, index: int, certificate: Certificate) -> bool:
    stated = container.ess[index]
    return hashlib.new(stated.digest, certificate.der).digest() == stated.value


def check_identity(container: Container, certificate: Certificate | None, *, ess_required: bool) -> Outcome:
    """The signing certificate must be present and, where attributes name it, be the one named (RFC 5035)."""
    if certificate is None:
        unreadable = [der for der in container.certificates if load(der) is None]
        detail = (
            "a certificate in the signature cannot be read" if unreadable else "the signer's certificate is not at hand"
        )
        return Outcome("signer_not_identified", detail, "NO_SIGNING_CERTIFICATE_FOUND")
    if not container.ess:
        missing = Outcome(
            "signer_not_identified", "no signing-certificate attribute, which PAdES requires", "SIG_CONSTRAINTS_FAILURE"
        )
        return missing if ess_required else FINE
    if all(_ess_matches(container, index, certificate) for index in range(len(container.ess))):
        return FINE
    return Outcome(
        "signer_not_identified",
        "the signing-certificate attribute names another certificate",
        "SIG_CONSTRAINTS_FAILURE",
    )


def check_value(container: Container, certificate: Certificate, content_digest: bytes) -> Outcome:
    """The digest of the content against message-digest, then the signature value against the key."""
    if container.duplicates:
        return Outcome("signature_malformed", "an attribute occurs twice", "FORMAT_FAILURE")
    try:
        key = public_key(certificate.x509)
        odd = _odd_combination(container)
        if odd:
            return Outcome("unsupported_algorithm", odd, "CRYPTO_CONSTRAINTS_FAILURE", odd)
        if not fits(key, container.algorithm):
            return Outcome("signature_broken", "the algorithm does not fit the key", "SIG_CRYPTO_FAILURE")
        return _check_attributes(container, key, content_digest)
    except UnsupportedAlgorithm as found:
        return Outcome(
            "unsupported_algorithm", f"cannot compute {found.name}", "CRYPTO_CONSTRAINTS_FAILURE", found.name
        )


def _check_attributes(container: Container, key: object, content_digest: bytes) -> Outcome:
    if container.signed is None:
        right = value_is_right(
            key, container.algorithm, container.digest, container.signature, content_digest, prehashed=True
        )
        return FINE if right else Outcome("signature_broken", "the signature value is wrong", "SIG_CRYPTO_FAILURE")
    if container.stated_content_type != container.content_type or container.protection_mismatch:
        return Outcome("signature_broken", "the attributes contradict the container", "FORMAT_FAILURE")
    if container.message_digest != content_digest:
        return Outcome("modified_after_sealing", "the content does not have the signed digest", "HASH_FAILURE")
    right = value_is_right(key, container.algorithm, container.digest, container.signature, container.signed)
    return FINE if right else Outcome("signature_broken", "the signature value is wrong", "SIG_CRYPTO_FAILURE")


def _odd_combination(container: Container) -> str | None:
    """Digest and signature algorithm that may not go together (RFC 8419; RFC 4056; RFC 5754)."""
    algorithm = container.algorithm
    if algorithm.family == "ed25519" and container.digest != "sha512":
        return f"Ed25519 with {container.digest.upper()}"
    if algorithm.family == "ed448" and container.digest not in ("shake256", "sha512"):
        return f"Ed448 with {container.digest.upper()}"
    if algorithm.family == "pss" and algorithm.mask_digest != algorithm.digest:
        return f"RSASSA-PSS {algorithm.digest} with MGF1 {algorithm.mask_digest}"
    if algorithm.digest is not None and algorithm.digest != container.digest:
        return f"{algorithm.family.upper()}-{algorithm.digest.upper()} with a {container.digest.upper()} digest"
    return None if container.digest in DIGESTS.values() else container.digest
