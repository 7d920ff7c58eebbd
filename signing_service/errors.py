"""The root of this package's errors; each room derives its own tree from it."""

from hardware.errors import ExplainedError, Language, Text

__all__ = ["ExplainedError", "Language", "SigningServiceError", "Text"]


class SigningServiceError(ExplainedError):
    """Root of the signing service's errors."""

    code = "signing_service_error"
