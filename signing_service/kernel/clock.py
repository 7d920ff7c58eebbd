"""The only place that reads the time of day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

LOCAL_ZONE = ZoneInfo("Asia/Shanghai")


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def local(instant: datetime) -> datetime:
    """The same instant in the city's time zone; what pages and visible signatures show."""
    return instant.astimezone(LOCAL_ZONE)


def in_words(instant: datetime) -> str:
    """2026年11月24日 15:04 (UTC+8)"""
    return f"{local(instant):%Y年%m月%d日 %H:%M} (UTC+8)"
