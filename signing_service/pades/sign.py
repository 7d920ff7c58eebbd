"""Signing in three steps that may happen in three processes: prepare, sign, complete (DESIGN 5).

`prepare` writes the file with room for the signature, whoever holds the key signs `prepared.signed_attributes`,
`complete` puts the value in. `sign` does all three and adds what the level asks for. None of it needs an event loop,
so it may be called from a thread, a worker or a coroutine alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from signing_service.pades.cms import build_cms, room_for, token_certificates
from signing_service.pades.errors import ContainerTooSmall, SourceMissing
from signing_service.pades.ports import Evidence, RevocationSource, SigningKey, Timestamper
from signing_service.pades.request import Level, SignatureRequest, check_plan
from signing_service.pades.signer_certificate import SignerCertificate, read_certificate
from signing_service.pades.timestamping import check_token, obtain_token
from signing_service.pdf.prepared import PreparedSignature

__all__ = ["Level", "SignatureRequest", "add_archive_timestamp", "check_plan", "complete", "prepare", "sign"]


def prepare(
    pdf: bytes, request: SignatureRequest, certificate: bytes, chain: Sequence[bytes], *, room: int | None = None
) -> PreparedSignature:
    """The file with an empty signature, and the attributes to be signed (DER SET OF).

    `room` bytes are kept for the finished CMS; by default what certificate, chain and level need. Raises PdfRefusal or
    PadesError by name, among them CertificateRefused before anyone is asked for a PIN (B16).
    """
    from signing_service.pades.preparation import prepare_completely  # pyHanko is slow to import

    signer = read_certificate(certificate)
    signer.check_usable(request.signed_at)
    kept = room or room_for(signer, chain, with_timestamp=request.level.needs_timestamp)
    return prepare_completely(pdf, request, certificate, kept)


def complete(
    prepared: PreparedSignature,
    signature: bytes,
    *,
    certificate: bytes,
    chain: Sequence[bytes],
    timestamp_token: bytes | None = None,
) -> bytes:
    """The signed file. `signature` is the value over `prepared.signed_attributes` (ECDSA in DER).

    Raises PreparedAltered, SignatureMismatch, TimestampFailed or ContainerTooSmall; then nothing is returned.
    """
    prepared.check()
    signer = read_certificate(certificate)
    signer.check_signature(signature, prepared.signed_attributes)
    if timestamp_token is not None:
        check_token(timestamp_token, hashlib.sha256(signature).digest())
    return fill_container(prepared, build_cms(signer, chain, prepared.signed_attributes, signature, timestamp_token))


def sign(
    pdf: bytes,
    request: SignatureRequest,
    key: SigningKey,
    *,
    timestamper: Timestamper | None = None,
    revocation: RevocationSource | None = None,
) -> bytes:
    """The signed file, beginning with exactly the bytes of `pdf`; whatever goes wrong raises and returns nothing.

    A `revocation` source is asked before the key is used at any level, and a revoked certificate refused (B42).
    """
    _check_sources(request.level, timestamper, revocation)
    signer = read_certificate(key.certificate)
    signer.check_usable(request.signed_at)
    evidence = _evidence(signer, key, revocation)
    stamping = timestamper if request.level.needs_timestamp else None
    signed, token = _sign_once(pdf, request, key, signer, stamping)
    if request.level.needs_revocation and revocation is not None and token is not None:
        signed = _with_evidence(signed, evidence, token, revocation)
    if request.level is Level.B_LTA and timestamper is not None:
        signed = add_archive_timestamp(signed, timestamper)
    return signed


def add_archive_timestamp(pdf: bytes, timestamper: Timestamper) -> bytes:
    """One more document timestamp over the whole file (B-LTA; repeated before the last one's certificate expires)."""
    from signing_service.pades.document_timestamp import prepare_document_timestamp

    prepared = prepare_document_timestamp(pdf)
    token = obtain_token(timestamper, prepared.digest)
    if len(token) > prepared.room:
        prepared = prepare_document_timestamp(pdf, 2 * len(token))
        token = obtain_token(timestamper, prepared.digest)
    return fill_container(prepared, token)


def fill_container(prepared: PreparedSignature, content: bytes) -> bytes:
    """The document with `content` in its empty container. Raises ContainerTooSmall."""
    if len(content) > prepared.room:
        raise ContainerTooSmall(len(content), prepared.room)
    document = bytearray(prepared.document)
    start = prepared.byte_range[1] + 1
    document[start : start + 2 * len(content)] = content.hex().encode("ascii")
    return bytes(document)


def _sign_once(
    pdf: bytes, request: SignatureRequest, key: SigningKey, signer: SignerCertificate, timestamper: Timestamper | None
) -> tuple[bytes, bytes | None]:
    """The signed file and its timestamp token; a container that proves too small is enlarged once (B14)."""
    room: int | None = None
    while True:
        prepared = prepare(pdf, request, key.certificate, key.chain, room=room)
        value = key.sign(prepared.signed_attributes, signer.mechanism)
        signer.check_signature(value, prepared.signed_attributes)
        token = obtain_token(timestamper, hashlib.sha256(value).digest()) if timestamper is not None else None
        try:
            return fill_container(
                prepared, build_cms(signer, key.chain, prepared.signed_attributes, value, token)
            ), token
        except ContainerTooSmall as failure:
            if room is not None:
                raise
            room = 2 * failure.needed


def _evidence(signer: SignerCertificate, key: SigningKey, revocation: RevocationSource | None) -> Evidence:
    if revocation is None:
        return Evidence()
    from signing_service.pades.validation_data import merged, refuse_revoked

    evidence = revocation.evidence([key.certificate, *key.chain])
    refuse_revoked(signer.certificate, evidence)
    return merged([Evidence(certificates=(key.certificate, *key.chain)), evidence])


def _with_evidence(signed: bytes, evidence: Evidence, token: bytes, revocation: RevocationSource) -> bytes:
    """The signer's material and that of the timestamp authority, whose certificates came with the token."""
    from signing_service.pades.security_store import add_security_store
    from signing_service.pades.validation_data import merged, timestamp_chain

    chain = timestamp_chain(token_certificates(token))
    of_authority = revocation.evidence(chain) if chain else Evidence()
    return add_security_store(signed, merged([evidence, Evidence(certificates=tuple(chain)), of_authority]))


def _check_sources(level: Level, timestamper: Timestamper | None, revocation: RevocationSource | None) -> None:
    if level.needs_timestamp and timestamper is None:
        raise SourceMissing(level, "时间戳服务", "timestamp authority")
    if level.needs_revocation and revocation is None:
        raise SourceMissing(level, "吊销信息来源", "source of revocation data")
