"""A plain HTTP/1.1 load: so many connections, each sending its next request when the last one is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Load:
    """`seconds` of each answer, in order; `a_second`: answers while all connections were busy."""

    a_second: float
    latencies: list[float]

    def quantile(self, part: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def load(port: int, requests: Callable[[], bytes], *, clients: int, seconds: float) -> Load:
    """Raises AssertionError for any answer that is not 200."""
    return asyncio.run(_load(port, requests, clients, seconds))


async def _load(port: int, requests: Callable[[], bytes], clients: int, seconds: float) -> Load:
    latencies: list[float] = []
    started = time.perf_counter()
    end = started + seconds
    await asyncio.gather(*(_client(port, requests, end, latencies) for _ in range(clients)))
    return Load(len(latencies) / (time.perf_counter() - started), latencies)


async def _client(port: int, requests: Callable[[], bytes], end: float, latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < end:
        began = time.perf_counter()
        writer.write(requests())
        head = await reader.readuntil(HEAD_END)
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        assert b" 200 " in head.split(b"\r\n")[0], head + body  # noqa: S101
        latencies.append(time.perf_counter() - began)
    writer.close()
