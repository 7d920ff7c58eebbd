"""How instants and days read in sentences."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_LOCAL = timezone(timedelta(hours=8))


def moment(instant: datetime) -> str:
    """2026年11月24日 15:04 (UTC+8)"""
    there = instant.astimezone(_LOCAL)
    return f"{there.year}年{there.month:02}月{there.day:02}日 {there:%H:%M} (UTC+8)"
