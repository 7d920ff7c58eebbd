"""One signature of many: begun, so that a chunk's keys are asked together, and finished when the value is there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from signing_service.pades.cms import build_cms, room_for
from signing_service.pades.errors import ContainerTooSmall
from signing_service.pades.growing_file import GrowingFile
from signing_service.pades.ports import Evidence, RevocationSource, Timestamper
from signing_service.pades.request import SignatureRequest
from signing_service.pades.revisions import signature_update
from signing_service.pades.sign import append_validation
from signing_service.pades.signer_certificate import SignerCertificate, read_certificate
from signing_service.pades.timestamping import obtain_token
from signing_service.pdf.cms_attributes import build_signed_attributes
from signing_service.pdf.update import Update


@dataclass(frozen=True, slots=True)
class Sources:
    """What the level asks for; `evidence` is the signer's, fetched once for the chunk."""

    timestamper: Timestamper | None = None
    revocation: RevocationSource | None = None
    evidence: Evidence = field(default_factory=Evidence)


@dataclass(frozen=True, slots=True)
class BegunSignature:
    """A file that waits for its value. `digest` is that of the prepared file, `attributes` what the key signs."""

    file: GrowingFile
    request: SignatureRequest
    signer: SignerCertificate
    chain: Sequence[bytes]
    update: Update
    digest: bytes
    attributes: bytes

    def finish(self, value: bytes, sources: Sources) -> None:
        """Put the value in, and what the level asks for. Raises SignatureMismatch, TimestampFailed, ContainerTooSmall;
        then the file is not to be used."""
        self.signer.check_signature(value, self.attributes)
        token = None
        if self.request.level.needs_timestamp and sources.timestamper is not None:
            token = obtain_token(sources.timestamper, hashlib.sha256(value).digest())
        cms = build_cms(self.signer, self.chain, self.attributes, value, token)
        if len(cms) > self.update.container.room:
            raise ContainerTooSmall(len(cms), self.update.container.room)
        self.file.append(self.update.filled(cms))
        append_validation(
            self.file, self.request.level, sources.evidence, token, sources.timestamper, sources.revocation
        )


def begin(file: GrowingFile, request: SignatureRequest, certificate: bytes, chain: Sequence[bytes]) -> BegunSignature:
    """Prepare the file: the same file and request give the same bytes again. Raises PdfRefusal, PadesError."""
    signer = read_certificate(certificate)
    signer.check_usable(request.signed_at)
    room = room_for(signer, chain, with_timestamp=request.level.needs_timestamp)
    update = signature_update(file, request, room, signer.digest)
    digest = file.digest_with(update, signer.digest)
    return BegunSignature(file, request, signer, chain, update, digest, build_signed_attributes(digest, certificate))
