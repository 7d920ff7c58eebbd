"""The registry's own settings, drawn from those of the home."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from cert_registry.errors import Text
from signing_service.settings import Settings


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """`contact`: whom a refused department asks. Sizes in bytes; rates in requests a minute for one client."""

    home: Settings
    contact: Text
    most_upload_bytes: int = 64 * 1024 * 1024
    most_in_batch: int = 1000
    requests_per_minute: int = 6000

    @property
    def base_url(self) -> str:
        return self.home.base_url

    @property
    def verify_host(self) -> str:
        """The official host printed beside paper codes."""
        return urlsplit(self.base_url).netloc or self.base_url


def registry_settings(settings: Settings) -> RegistrySettings:
    """What the home says, and the defaults for the rest."""
    contact = Text(f"{settings.city}电子证照管理部门", f"the licence registry office of {settings.city}")
    return RegistrySettings(settings, contact)
