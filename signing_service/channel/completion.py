"""The way from a signature value to the finished file: `pades.complete`, with a timestamp where there is a TSA."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from signing_service.pades.ports import Timestamper
from signing_service.pades.sign import complete
from signing_service.pdf.prepared import PreparedSignature


class PadesCompletion:
    """A `ports.Complete`. Level B-T with a timestamper, B-B without."""

    def __init__(self, timestamper: Timestamper | None = None) -> None:
        self._timestamper = timestamper

    def __call__(
        self, prepared: PreparedSignature, signature: bytes, certificate: bytes, chain: Sequence[bytes]
    ) -> bytes:
        """Raises PreparedAltered, SignatureMismatch, TimestampFailed, ContainerTooSmall."""
        token = None
        if self._timestamper is not None:
            token = self._timestamper.timestamp(hashlib.sha256(signature).digest())
        return complete(prepared, signature, certificate=certificate, chain=chain, timestamp_token=token)
