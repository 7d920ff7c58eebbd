"""The root of this room's errors; each module derives its own from it."""

from __future__ import annotations

from signing_service.errors import SigningServiceError, Text

__all__ = ["SealError", "Text"]


class SealError(SigningServiceError):
    """Root of what can go wrong with a seal."""

    code = "seal_error"


class CustodyBehind(SealError):
    """The register was changed, and custody is not yet in step with it: nothing is to be undone."""

    code = "seal_custody_behind"
