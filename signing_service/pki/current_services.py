"""TSA and OCSP responder that follow the register and custody while they run: a rotated key is taken up without a
restart, and one that was revoked is let go."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from datetime import timedelta
from threading import Lock
from typing import Generic, Protocol, TypeVar

from hardware.errors import ExplainedError
from signing_service.errors import Text
from signing_service.kernel.clock import Clock
from signing_service.pki import ocsp_response, timestamping
from signing_service.pki.errors import PkiError
from signing_service.pki.timestamp_request import FailureInfo

_LOG = logging.getLogger(__name__)
LOOK_EVERY = timedelta(seconds=5)
Choice = TypeVar("Choice", bound=Hashable)


class ServiceCertificateMissing(PkiError):
    """A service has no active certificate within its validity whose key is at hand."""

    code = "service_certificate_missing"

    def __init__(self, profile: str) -> None:
        super().__init__(
            Text(f"没有可用的“{profile}”证书。", f'There is no active "{profile}" certificate.'),
            advice=Text(
                "请先进行密钥仪式(zhengyin pki ceremony),或轮换该密钥(zhengyin pki rotate)。",
                "Hold a ceremony first (zhengyin pki ceremony), or rotate the key (zhengyin pki rotate).",
            ),
        )


class Responds(Protocol):
    """Bytes in, bytes out."""

    def respond(self, request: bytes) -> bytes: ...


class Current(Generic[Choice]):
    """A responder made for what `look` chooses, and made anew when it chooses otherwise; it is asked again every
    LOOK_EVERY. `_lock` guards all three fields."""

    def __init__(self, look: Callable[[], Choice], make: Callable[[Choice], Responds], clock: Clock) -> None:
        """Raises what `look` raises: a service that has no key at its start is an error of its own."""
        self._look, self._make, self._clock, self._lock = look, make, clock, Lock()
        self._looked, self._choice = clock.now(), look()
        self._made = make(self._choice)

    def get(self) -> Responds:
        """Raises ServiceCertificateMissing where nothing may be used any more. While custody or the database cannot
        be asked, the last choice stands."""
        now = self._clock.now()
        with self._lock:
            if timedelta(0) <= now - self._looked < LOOK_EVERY:
                return self._made
            try:
                choice = self._look()
            except ServiceCertificateMissing:
                raise
            except ExplainedError as trouble:
                _LOG.warning("the services' keys cannot be looked up: %s", trouble.code)
                return self._made
            if choice != self._choice:
                self._made, self._choice = self._make(choice), choice
            self._looked = now
            return self._made


class CurrentTimestamps:
    """The timestamp authority in use now."""

    def __init__(self, current: Current[Choice]) -> None:
        self._current = current

    def respond(self, request: bytes) -> bytes:
        """A DER TimeStampResp; rejected with systemFailure where no certificate may be used."""
        try:
            return self._current.get().respond(request)
        except ServiceCertificateMissing as missing:
            _LOG.error("%s", missing)
            return timestamping.rejection(FailureInfo.SYSTEM_FAILURE, "There is no certificate to sign with.")


class CurrentResponder:
    """The OCSP responder in use now."""

    def __init__(self, current: Current[Choice]) -> None:
        self._current = current

    def respond(self, request: bytes) -> bytes:
        """A DER OCSPResponse."""
        try:
            return self._current.get().respond(request)
        except ServiceCertificateMissing as missing:
            _LOG.error("%s", missing)
            return ocsp_response.failure(ocsp_response.Failure.TRY_LATER)
