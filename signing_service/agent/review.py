"""Is this prepared file what the officer agreed to sign? Recomputed from its own bytes; nothing is believed.

The steps in order; each difference is refused by its own name:
1. the file is the one whose digest stands on the frozen list, and was not signed before,
2. it continues the original, where the agent has that,
3. the digest is that of its byte range, and the range covers the whole file but the empty container,
4. the attributes are the three of a PAdES signature, over this digest, for this certificate,
5. the signature stands where it was agreed, and shows the text that was agreed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from signing_service.agent.errors import (
    AttributesDiffer,
    CertificateDiffers,
    DigestDiffers,
    DocumentDiffers,
    JobReplayed,
    OrderDiffers,
    PositionDiffers,
    TextDiffers,
)
from signing_service.agent.page_images import find_spot, text_at
from signing_service.agent.protocol import ListEntry, Spot, batch_digest
from signing_service.pdf.cms_attributes import read_signed_attributes
from signing_service.pdf.prepared import PreparedSignature


@dataclass(frozen=True, slots=True)
class Expected:
    """What was agreed. `document`: SHA-256 (hex) of the prepared file, as on the frozen list; None outside a batch.

    `spot` None means that no visible signature was agreed. `texts` must be seen within it; blanks do not count.
    `certificate` is the officer's own, DER, or its SHA-256 in hex before the key is there. `signed_before` are digests
    of files that this agent signed.
    """

    certificate: bytes | str
    document: str | None = None
    field: str | None = None
    spot: Spot | None = None
    texts: Sequence[str] = ()
    signed_before: Collection[str] = frozenset()


def review(prepared: PreparedSignature, original: bytes | None, expected: Expected) -> None:
    """Raises an AgentRefusal or PdfRefusal that names the first difference; returning means it may be signed."""
    _check_document(prepared, original, expected)  # 1, 2
    _check_digest(prepared)  # 3
    _check_attributes(prepared, expected.certificate)  # 4
    prepared.check()  # 3: coverage, and that range, digest and attributes agree
    _check_place(prepared, expected)  # 5


def check_list(promised: Sequence[ListEntry], received: Sequence[ListEntry]) -> None:
    """The list that the officer consented to is still the one that is signed, in the same order."""
    if batch_digest(promised) != batch_digest(received):
        raise OrderDiffers(
            f"约定 {len(promised)} 份,收到 {len(received)} 份。", f"{len(promised)} agreed, {len(received)} came."
        )


def _check_document(prepared: PreparedSignature, original: bytes | None, expected: Expected) -> None:
    digest = hashlib.sha256(prepared.document).hexdigest()
    if expected.document is not None and digest != expected.document:
        raise DocumentDiffers(
            f"清单 {expected.document[:16]}…,收到 {digest[:16]}…。",
            f"Listed {expected.document[:16]}…, received {digest[:16]}….",
        )
    if digest in expected.signed_before:
        raise JobReplayed(f"摘要 {digest[:16]}…。", f"Digest {digest[:16]}….")
    if original is not None and not prepared.document.startswith(original):
        raise DocumentDiffers("它不是以原文件开头的。", "It does not begin with the original file.")
    if expected.field is not None and prepared.field != expected.field:
        raise PositionDiffers(f"签名域应为 {expected.field}。", f"The field should be {expected.field}.")


def _check_digest(prepared: PreparedSignature) -> None:
    found = prepared.recompute_digest()
    if found != prepared.digest:
        raise DigestDiffers(
            f"文件 {found.hex()[:16]}…,声称 {prepared.digest.hex()[:16]}…。",
            f"The file's is {found.hex()[:16]}…, {prepared.digest.hex()[:16]}… was claimed.",
        )


def _check_attributes(prepared: PreparedSignature, certificate: bytes | str) -> None:
    wanted = certificate if isinstance(certificate, str) else hashlib.sha256(certificate).hexdigest()
    attributes = read_signed_attributes(prepared.signed_attributes)
    if attributes.message_digest != prepared.digest:
        raise AttributesDiffer
    if attributes.signing_certificate_hash.hex() != wanted:
        raise CertificateDiffers


def _check_place(prepared: PreparedSignature, expected: Expected) -> None:
    found = find_spot(prepared.document, prepared.field)
    if expected.spot is None and found is None:
        return
    if expected.spot is None or found is None or not found.is_near(expected.spot):
        raise PositionDiffers(
            f"约定 {_words(expected.spot)},实际 {_words(found)}。",
            f"Agreed {_words(expected.spot)}, found {_words(found)}.",
        )
    seen = text_at(prepared.document, found)
    for text in expected.texts:
        if "".join(text.split()) not in seen:
            raise TextDiffers(f"没有看到“{text}”。", f"“{text}” is not there.")


def _words(spot: Spot | None) -> str:
    return "–" if spot is None else f"{spot.page + 1}: {', '.join(f'{edge:.0f}' for edge in spot.edges)}"
