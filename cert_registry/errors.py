"""The root of this package's errors; each room derives its own tree from it."""

from hardware.errors import ExplainedError, Language, Text

__all__ = ["ExplainedError", "Language", "RegistryError", "Text"]


class RegistryError(ExplainedError):
    """Root of the registry's errors."""

    code = "registry_error"
