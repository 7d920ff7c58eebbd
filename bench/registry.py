"""Speed of the registry: `python -m bench.registry [LICENCES]`. Ratios within one run, over loopback HTTP.

A demo home, SQLite, custody as its own process; the evidence of every answer is signed by its token. Three loads take
turns: verify by identifier among few licences, among many, and the same server's authenticated no-op.
"""

from __future__ import annotations

import contextlib
import json
import random
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bench.http_load import Load, load
from bench.rows import Row, at_least, at_most, print_rows, shown
from cert_registry.licences.catalogue import Catalogue
from cert_registry.licences.drafts import Actor
from cert_registry.licences.holder_vault import AesHolderVault
from cert_registry.licences.holders import Holder
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.loading import Earlier, take_over
from cli import cast
from cli.founding_records import CLIENT_ID, client_key_file
from cli.init import SQLITE_URL, STEPS, make_home
from cli.processes import running
from cli.progress import Progress
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database
from signing_service.people.oauth import ASSERTION_TYPE, TokenEndpoint, client_assertion
from signing_service.settings import Settings

FEW, MANY, CLIENTS, SECONDS, ROUNDS = 1_000, 1_000_000, 64, 4.0, 3
TYPE = "business-licence"
FIELDS = {
    "enterprise_type": "有限责任公司", "legal_representative": "张示例", "business_scope": "建筑工程施工",
    "established_on": "2026-11-02", "address": "示例市示例路1号",
}  # fmt: skip


def identifier(type_code: str, place: int) -> LicenceIdentifier:
    return LicenceIdentifier(type_code, cast.APPROVING.code, f"{place:020}", 1)


def earlier(count: int) -> Iterator[Earlier]:
    """So many licences, made one at a time."""
    code = Catalogue.load().get(TYPE).code
    holder = (Holder("示例市甲建筑有限公司", "91990100MA0000015X"),)
    for place in range(count):
        name = identifier(code, place)
        yield Earlier(
            name, f"示{place:09}", cast.APPROVING.name, holder, FIELDS, date(2026, 11, 2), None, f"{place:064x}"
        )


def fill(url: str, count: int) -> tuple[float, float]:
    """Load them; (seconds, MiB by which the process grew after the first ten thousand)."""
    database, vault, began, sizes = Database(url), AesHolderVault({1: bytes(32)}), time.perf_counter(), list[float]()
    for done in take_over(database, vault, earlier(count), Actor("bench"), datetime.now(UTC)):
        if done >= min(10_000, count):
            sizes.append(_resident())
    database.close()
    return time.perf_counter() - began, max(sizes) - sizes[0]


def _resident() -> float:
    """MiB of this process in memory now. Its peak would be that of the process that started it, if higher."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


@contextmanager
def serving(home: Path, url: str) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    child = subprocess.Popen([sys.executable, "-m", "bench.registry_server", str(home), url, str(port)])
    try:
        while child.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
                break
            time.sleep(0.05)
        yield port
    finally:
        child.terminate()
        child.wait()


def token(settings: Settings, url: str) -> str:
    """An access token, given by the token endpoint's own code on this database."""
    database, audience = Database(url), f"{settings.base_url}/oauth2/token"
    key = load_pem_private_key(client_key_file(settings).read_bytes(), None)
    form = {
        "grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": client_assertion(CLIENT_ID, audience, key),  # type: ignore[arg-type]
    }  # fmt: skip
    given = TokenEndpoint(database, SystemClock(), audience).issue(form)
    database.close()
    return str(given["access_token"])


def verify(bearer: str, count: int) -> Callable[[], bytes]:
    """A request for a licence by chance."""
    code, chance = Catalogue.load().get(TYPE).code, random.Random(1)  # noqa: S311

    def make() -> bytes:
        body = {"identifier": str(identifier(code, chance.randrange(count))), "purpose": "受理申请", "matter": "M1"}
        content = json.dumps(body).encode()
        head = (
            f"POST /api/v1/verify/identifier HTTP/1.1\r\nHost: zw.example.cn\r\nAuthorization: Bearer {bearer}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    return make


def nothing(bearer: str) -> Callable[[], bytes]:
    head = f"GET /api/v1/whoami HTTP/1.1\r\nHost: zw.example.cn\r\nAuthorization: Bearer {bearer}\r\n\r\n".encode()
    return lambda: head


def rows(folder: Path, many: int) -> Iterator[Row]:
    settings = make_home(folder / "home", SQLITE_URL, Progress(STEPS, "en"))
    small, big = (f"sqlite:///{folder / name}" for name in ("few.db", "many.db"))
    for path in ("few.db", "many.db"):
        shutil.copy(settings.home / "zhengyin.db", folder / path)
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:  # its peak is that of loading alone
        apart.submit(fill, small, FEW).result()
        seconds, grown = apart.submit(fill, big, many).result()
    yield shown(f"loading {many:,} licences, a second", many / seconds)
    yield at_most(64, f"MiB that loading grows after the first 10,000 of {many:,}", grown)
    bearers = {url: token(replace(settings, database_url=url), url) for url in (small, big)}
    home = settings.home
    with running(home, "custody", log=folder / "custody.log"), serving(home, small) as few, serving(home, big) as lots:
        loads: dict[str, list[Load]] = {"few": [], "many": [], "nothing": []}
        ways = {
            "few": (few, verify(bearers[small], FEW)), "many": (lots, verify(bearers[big], many)),
            "nothing": (lots, nothing(bearers[big])),
        }  # fmt: skip
        for port, requests in ways.values():
            load(port, requests, clients=CLIENTS, seconds=1.0)
        for _ in range(ROUNDS):
            for name, (port, requests) in ways.items():
                loads[name].append(load(port, requests, clients=CLIENTS, seconds=SECONDS))
    rate = {name: median(one.a_second for one in found) for name, found in loads.items()}
    for name in rate:
        yield shown(f"{name}: answers a second at {CLIENTS} clients", rate[name])
    yield at_least(0.8, f"verify by identifier, {many:,} licences against {FEW:,}", rate["many"] / rate["few"])
    yield at_least(0.25, "verify by identifier against the authenticated no-op", rate["many"] / rate["nothing"])
    tails = [one.quantile(0.99) / one.quantile(0.5) for one in loads["many"]]
    yield at_most(5, f"p99 against the median, {CLIENTS} clients", median(tails))


def main() -> int:
    many = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    with tempfile.TemporaryDirectory(prefix="zhengyin-bench-") as folder:
        return 0 if print_rows(rows(Path(folder), many)) else 1


if __name__ == "__main__":
    sys.exit(main())
