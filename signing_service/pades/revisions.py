"""Which of the two paths writes a revision: the fast one where it can, else the complete one."""

from __future__ import annotations

from signing_service.pades.growing_file import SHA256, GrowingFile
from signing_service.pades.plain_preparation import (
    prepare_document_timestamp_plainly,
    prepare_plainly,
    security_store_plainly,
)
from signing_service.pades.ports import Evidence
from signing_service.pades.request import SignatureRequest
from signing_service.pdf.plain_tokens import NotPlain
from signing_service.pdf.update import Update

# The complete path is imported when it is needed: pyHanko takes longer to load than a signature takes to make.


def signature_update(file: GrowingFile, request: SignatureRequest, room: int, digest: str = SHA256) -> Update:
    """One more signature, its container empty, over a `digest` of this name. Raises PdfRefusal and PadesError."""
    try:
        return prepare_plainly(file, request, room)
    except NotPlain:
        from signing_service.pades.preparation import prepare_completely

        return prepare_completely(bytes(file.buffer[:]), request, room, digest)


def document_timestamp_update(file: GrowingFile, room: int) -> Update:
    """One more document timestamp, its container empty. Raises PdfRefusal."""
    try:
        return prepare_document_timestamp_plainly(file, room)
    except NotPlain:
        from signing_service.pades.document_timestamp import prepare_document_timestamp

        return prepare_document_timestamp(bytes(file.buffer[:]), room)


def security_store_update(file: GrowingFile, evidence: Evidence) -> bytes:
    """The revision that adds validation material. Raises PdfRefusal."""
    try:
        return security_store_plainly(file, evidence)
    except NotPlain:
        from signing_service.pades.security_store import security_store

        return security_store(bytes(file.buffer[:]), evidence)
