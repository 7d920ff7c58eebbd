"""Prometheus metrics: requests by route and status, and what is asked of the stores when they are scraped.

Served on a listener of its own that only the inside reaches, never on the public one. No label holds an id of anybody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

UNKNOWN_ROUTE = "-"
BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
Gauges = Callable[[], Iterable["Reading"]]


@dataclass(frozen=True, slots=True)
class Reading:
    """One value at the time of the scrape; `labels` are few and never ids."""

    name: str
    help: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


class Metrics:
    """One for a process; nothing of prometheus_client's global registry is used."""

    def __init__(self, gauges: Gauges = tuple) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "zhengyin_http_requests", "Requests by route, method and status.", ("route", "method", "status"),
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "zhengyin_http_request_seconds", "Time to the last byte, by route.", ("route",), buckets=BUCKETS,
            registry=self.registry,
        )  # fmt: skip
        self.registry.register(_AtScrape(gauges))

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    @contextmanager
    def listening(self, address: str, port: int) -> Iterator[int]:
        """Serve /metrics there while the block lasts; gives the port. Raises OSError where it is taken."""
        server, thread = start_http_server(port, address, self.registry)
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _AtScrape(Collector):
    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges
        self._lock = threading.Lock()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families: dict[str, GaugeMetricFamily] = {}
        with self._lock:
            readings = list(self._gauges())
        for reading in readings:
            names = tuple(name for name, _ in reading.labels)
            family = families.setdefault(reading.name, GaugeMetricFamily(reading.name, reading.help, labels=names))
            family.add_metric([value for _, value in reading.labels], reading.value)
        yield from families.values()

    def describe(self) -> Iterable[Any]:
        """Nothing beforehand: asking the stores when the process starts would hold it up."""
        return ()


def route_of(scope: Mapping[str, Any]) -> str:
    """The route's template, e.g. /c/{payload}: what stands in its place may be a code or an identifier."""
    route = scope.get("route")
    return str(getattr(route, "path", UNKNOWN_ROUTE))


def since(began: float) -> float:
    return time.perf_counter() - began
