"""The limit of a client, over processes that share a database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from cert_registry.sharing.rate_buckets import RateBucket
from cert_registry.web.rate_limit import RateLimit, TooManyRequests
from signing_service.kernel.database import Database
from tests.cert_registry.world import SetClock

START = datetime(2026, 11, 24, tzinfo=UTC)


def taken(limit: RateLimit, caller: str, calls: int) -> int:
    """How many of so many calls are let through."""
    through = 0
    for _ in range(calls):
        try:
            limit.take(caller)
        except TooManyRequests:
            continue
        through += 1
    return through


def test_a_client_that_calls_too_often_is_told_when_to_come_back(database: Database) -> None:
    clock = SetClock(START)
    limit = RateLimit(database, clock, "client", a_minute=6)
    assert taken(limit, "a", 6) == 6
    clock.instant += timedelta(seconds=1)
    with pytest.raises(TooManyRequests) as caught:
        limit.take("a")
    assert caught.value.retry_after_seconds == 9
    limit.take("b")
    clock.instant += timedelta(seconds=9)
    assert taken(limit, "a", 2) == 1


def test_worker_processes_share_one_limit(database: Database) -> None:
    """Counted by each process alone, four workers would make four times the limit."""
    clock = SetClock(START)
    workers = [RateLimit(database, clock, "client", a_minute=600) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        through = list(pool.map(lambda worker: taken(worker, "a", 300), workers))
    assert sum(through) == 600
    clock.instant += timedelta(seconds=30)
    assert taken(workers[0], "a", 600) == 300
    other_kind = RateLimit(database, clock, "address", a_minute=600)
    assert taken(other_kind, "a", 10) == 10


def test_forty_calls_at_once_draw_once(database: Database) -> None:
    """Each drawing a second's worth of its own would use up the minute without a call being made."""
    clock = SetClock(START)
    limit = RateLimit(database, clock, "client", a_minute=600)
    with ThreadPoolExecutor(40) as pool:
        assert sum(pool.map(lambda _n: taken(limit, "a", 1), range(40))) == 40
    with database.read() as session:
        (row,) = session.scalars(select(RateBucket)).all()
    assert row.level >= 600 - 50
