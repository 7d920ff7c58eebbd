"""How instants and days read in sentences."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_LOCAL = timezone(timedelta(hours=8))
_WRITTEN = re.compile(r"(\d{4})年(\d\d)月(\d\d)日 (\d\d:\d\d) ")


def moment(instant: datetime) -> str:
    """2026年11月24日 15:04 (UTC+8)"""
    there = instant.astimezone(_LOCAL)
    return f"{there.year}年{there.month:02}月{there.day:02}日 {there:%H:%M} (UTC+8)"


def in_english(value: str) -> str:
    """What `moment` wrote, for an English sentence: 2026-11-24 15:04 (UTC+8). Anything else stays."""
    return _WRITTEN.sub(r"\1-\2-\3 \4 ", value)
