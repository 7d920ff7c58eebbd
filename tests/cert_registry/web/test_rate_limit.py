"""The token bucket, with moments given."""

from __future__ import annotations

import pytest

from cert_registry.web.rate_limit import RateLimit, TooManyRequests


def test_a_client_that_calls_too_often_is_told_when_to_come_back() -> None:
    limit = RateLimit(a_minute=6)
    for _ in range(6):
        limit.take("a", now=100.0)
    with pytest.raises(TooManyRequests) as caught:
        limit.take("a", now=101.0)
    assert caught.value.retry_after_seconds == 9
    limit.take("b", now=101.0)
    limit.take("a", now=110.0)
    with pytest.raises(TooManyRequests):
        limit.take("a", now=110.0)
