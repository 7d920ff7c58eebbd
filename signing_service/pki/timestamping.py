"""Our timestamp authority: bytes in, bytes out (RFC 3161 with RFC 5816). It never raises for what a stranger sent."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from cryptography import x509

from hardware.errors import ExplainedError
from signing_service.errors import Text
from signing_service.kernel.clock import Clock
from signing_service.pki import der
from signing_service.pki.errors import IssuingRefused, PkiError
from signing_service.pki.ports import CertifiedKey, Signs
from signing_service.pki.profiles import TIME_STAMPING, TIMESTAMP_POLICY
from signing_service.pki.timestamp_request import (
    FailureInfo,
    TimestampNotGiven,
    TimestampRequest,
    read_timestamp_request,
)
from signing_service.pki.timestamp_token import TokenTemplate

_LOG = logging.getLogger(__name__)
_GRANTED, _REJECTION = der.sequence(der.integer(0)), der.integer(2)


class ClockWentBack(PkiError):
    """The machine's clock is behind the last timestamp that was given."""

    code = "clock_went_back"

    def __init__(self, last: datetime, now: datetime) -> None:
        super().__init__(
            Text("系统时钟倒退,暂停签发时间戳。", "The clock went back, so no timestamps are given."),
            why=Text(
                f"上一个时间戳为 {last:%Y-%m-%dT%H:%M:%SZ},现在为 {now:%Y-%m-%dT%H:%M:%SZ}。",
                f"The last timestamp says {last:%Y-%m-%dT%H:%M:%SZ}, the clock now {now:%Y-%m-%dT%H:%M:%SZ}.",
            ),
            advice=Text("请校准系统时间(NTP)。", "Set the machine's time (NTP)."),
        )


class SerialSource(Protocol):
    """The TSA's own register: numbers that only rise, for ever, whatever process asks."""

    def take(self, digest: bytes, policy: str, clock: Clock) -> tuple[int, datetime]:
        """Register a timestamp over `digest` before it is signed; its serial and its time, which is the clock's or,
        within the tolerance, the last time given. Raises ClockWentBack."""
        ...


class TimestampAuthority:
    """Answers timestamp requests with one key and one policy. Thread-safe as far as its key is."""

    def __init__(
        self,
        key: Signs,
        certificate: bytes,
        chain: Sequence[bytes],
        policy_oid: str = TIMESTAMP_POLICY,
        *,
        serials: SerialSource,
        clock: Clock,
    ) -> None:
        """Raises IssuingRefused where `certificate` (DER) is not a timestamp authority's."""
        self._valid = _validity_of_authority(certificate)
        self._template = TokenTemplate(CertifiedKey(key, certificate, tuple(chain)), policy_oid)
        self._policy, self._serials, self._clock = policy_oid, serials, clock

    def respond(self, request: bytes) -> bytes:
        """A DER TimeStampResp for a DER TimeStampReq: granted, or rejected with its PKIFailureInfo."""
        try:
            return der.sequence(_GRANTED, self._stamp(read_timestamp_request(request)))
        except TimestampNotGiven as refusal:
            return rejection(refusal.info, refusal.why.en if refusal.why else "")
        except ClockWentBack as trouble:
            _LOG.error("%s", trouble)
            return rejection(FailureInfo.TIME_NOT_AVAILABLE, "The clock is not to be trusted at present.")
        except ExplainedError as trouble:
            _LOG.warning("the timestamp authority cannot sign: %s", trouble.code)
            return rejection(FailureInfo.SYSTEM_FAILURE, "The signing key or the register cannot be reached.")

    def _stamp(self, request: TimestampRequest) -> bytes:
        if request.policy not in ("", self._policy):
            raise TimestampNotGiven(FailureInfo.UNACCEPTED_POLICY, "不支持该策略。", "This policy is not offered here.")
        start, end = self._valid
        if not start <= self._clock.now() < end:
            raise TimestampNotGiven(
                FailureInfo.SYSTEM_FAILURE, "时间戳证书不在有效期内。", "The authority's certificate is not valid now."
            )
        serial, at = self._serials.take(request.digest, self._policy, self._clock)
        return self._template.token(request, serial, at)


def rejection(info: FailureInfo, why: str) -> bytes:
    """TimeStampResp { rejection, why, failInfo }; no token."""
    free_text = der.sequence(der.tlv(der.UTF8, why.encode()))
    return der.sequence(der.sequence(_REJECTION, free_text, der.named_bit(info)))


def _validity_of_authority(certificate: bytes) -> tuple[datetime, datetime]:
    read = x509.load_der_x509_certificate(certificate)
    try:
        usage = read.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        usage = None
    if usage is None or not usage.critical or [use.dotted_string for use in usage.value] != [TIME_STAMPING]:
        raise IssuingRefused(
            "不是时间戳证书:扩展密钥用途须仅为 timeStamping 且关键。",
            "It is no TSA certificate: timeStamping must be its only extended key usage, and critical (RFC 3161 2.3).",
        )
    return read.not_valid_before_utc, read.not_valid_after_utc
