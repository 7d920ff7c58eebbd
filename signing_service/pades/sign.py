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
from signing_service.pades.growing_file import GrowingFile, MemoryFile
from signing_service.pades.ports import CertifiedSigner, Evidence, RevocationSource, SigningKey, Timestamper
from signing_service.pades.request import Level, SignatureRequest, check_plan
from signing_service.pades.revisions import document_timestamp_update, security_store_update, signature_update
from signing_service.pades.signer_certificate import SignerCertificate, read_certificate
from signing_service.pades.timestamping import check_token, obtain_token
from signing_service.pdf.cms_attributes import build_signed_attributes
from signing_service.pdf.prepared import PreparedSignature

__all__ = [
    "Level",
    "SignatureRequest",
    "add_archive_timestamp",
    "check_plan",
    "complete",
    "prepare",
    "sign",
    "sign_growing",
]

_TIMESTAMP_ROOM = 12288


def prepare(
    pdf: bytes, request: SignatureRequest, certificate: bytes, chain: Sequence[bytes], *, room: int | None = None
) -> PreparedSignature:
    """The file with an empty signature, and the attributes to be signed (DER SET OF).

    `room` bytes are kept for the finished CMS; by default what certificate, chain and level need. Raises PdfRefusal or
    PadesError by name, among them CertificateRefused before anyone is asked for a PIN (B16).
    """
    signer = read_certificate(certificate)
    signer.check_usable(request.signed_at)
    kept = room or room_for(signer, chain, with_timestamp=request.level.needs_timestamp)
    file = MemoryFile(pdf)
    update = signature_update(file, request, kept, signer.digest)
    digest = file.digest_with(update, signer.digest)
    attributes = build_signed_attributes(digest, certificate)
    document = b"".join((pdf, update.content))
    return PreparedSignature(document, update.container.byte_range, digest, attributes, request.field)


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
    cms = build_cms(signer, chain, prepared.signed_attributes, signature, timestamp_token)
    _check_room(cms, prepared.room)
    document = bytearray(prepared.document)
    start = prepared.byte_range[1] + 1
    document[start : start + 2 * len(cms)] = cms.hex().encode("ascii")
    return bytes(document)


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
    file = MemoryFile(pdf)
    sign_growing(file, request, key, timestamper=timestamper, revocation=revocation)
    return file.buffer


def sign_growing(
    file: GrowingFile,
    request: SignatureRequest,
    key: SigningKey,
    *,
    timestamper: Timestamper | None = None,
    revocation: RevocationSource | None = None,
) -> None:
    """The same on a file in memory or on disk; when it raises, the file is not to be used."""
    check_sources(request.level, timestamper, revocation)
    signer = read_certificate(key.certificate)
    signer.check_usable(request.signed_at)
    evidence = signer_evidence(key, revocation)
    token = _append_signature(file, request, key, signer, timestamper if request.level.needs_timestamp else None)
    append_validation(file, request.level, evidence, token, timestamper, revocation)


def append_validation(
    file: GrowingFile,
    level: Level,
    evidence: Evidence,
    token: bytes | None,
    timestamper: Timestamper | None,
    revocation: RevocationSource | None,
) -> None:
    """What B-LT and B-LTA add after the signature; `evidence` is the signer's, `token` the signature's timestamp."""
    if level.needs_revocation and revocation is not None and token is not None:
        file.append(security_store_update(file, _all_evidence(evidence, token, revocation)))
    if level is Level.B_LTA and timestamper is not None:
        _append_archive_timestamp(file, timestamper)


def add_archive_timestamp(pdf: bytes, timestamper: Timestamper) -> bytes:
    """One more document timestamp over the whole file (B-LTA; repeated before the last one's certificate expires)."""
    file = MemoryFile(pdf)
    _append_archive_timestamp(file, timestamper)
    return file.buffer


def _append_signature(
    file: GrowingFile,
    request: SignatureRequest,
    key: SigningKey,
    signer: SignerCertificate,
    timestamper: Timestamper | None,
) -> bytes | None:
    """Appends the signature, gives its timestamp token. A container that proves too small is enlarged once (B14)."""
    room = room_for(signer, key.chain, with_timestamp=timestamper is not None)
    for last_try in (False, True):
        update = signature_update(file, request, room, signer.digest)
        attributes = build_signed_attributes(file.digest_with(update, signer.digest), key.certificate)
        value = key.sign(attributes, signer.mechanism)
        signer.check_signature(value, attributes)
        token = obtain_token(timestamper, hashlib.sha256(value).digest()) if timestamper is not None else None
        cms = build_cms(signer, key.chain, attributes, value, token)
        if len(cms) <= update.container.room or last_try:
            _check_room(cms, update.container.room)
            file.append(update.filled(cms))
            break
        room = 2 * len(cms)
    return token


def _append_archive_timestamp(file: GrowingFile, timestamper: Timestamper) -> None:
    room = _TIMESTAMP_ROOM
    for last_try in (False, True):
        update = document_timestamp_update(file, room)
        token = obtain_token(timestamper, file.digest_with(update))
        if len(token) <= update.container.room or last_try:
            _check_room(token, update.container.room)
            file.append(update.filled(token))
            break
        room = 2 * len(token)


def signer_evidence(key: CertifiedSigner, revocation: RevocationSource | None) -> Evidence:
    """The signer's validation material. Raises CertificateRefused where it says revoked (B42)."""
    if revocation is None:
        return Evidence()
    from signing_service.pades.validation_data import merged, refuse_revoked  # not needed for B-B and B-T

    evidence = revocation.evidence([key.certificate, *key.chain])
    refuse_revoked(key.certificate, evidence)
    return merged([Evidence(certificates=(key.certificate, *key.chain)), evidence])


def _all_evidence(evidence: Evidence, token: bytes, revocation: RevocationSource) -> Evidence:
    """The signer's material and that of the timestamp authority, whose certificates came with the token."""
    from signing_service.pades.validation_data import merged, timestamp_chain

    chain = timestamp_chain(tuple(token_certificates(token)))
    of_authority = revocation.evidence(chain) if chain else Evidence()
    return merged([evidence, Evidence(certificates=chain), of_authority])


def _check_room(content: bytes, room: int) -> None:
    if len(content) > room:
        raise ContainerTooSmall(len(content), room)


def check_sources(level: Level, timestamper: Timestamper | None, revocation: RevocationSource | None) -> None:
    """Raises SourceMissing where the level needs what is not there."""
    if level.needs_timestamp and timestamper is None:
        raise SourceMissing(level, "时间戳服务", "timestamp authority")
    if level.needs_revocation and revocation is None:
        raise SourceMissing(level, "吊销信息来源", "source of revocation data")
