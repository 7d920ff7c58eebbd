"""Where a home's documents lie."""

from __future__ import annotations

from signing_service.kernel.blobs import BlobStore, LocalBlobs
from signing_service.settings import Settings


def home_blobs(settings: Settings) -> BlobStore:
    """The folder of the home."""
    return LocalBlobs(settings.blobs)
