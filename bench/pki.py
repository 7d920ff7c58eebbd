"""How fast the PKI answers, as a ratio to what its token can sign in the same run: `python -m bench.pki [SECONDS]`.

Everything real: a ceremony on SoftHSM, a SQLite register with synchronous=FULL, whole requests and whole responses.
Prints a row for each value; rates are per second, ratios are to the token's raw P-256 signatures with as many threads.
The exit code is 1 when a bound is missed. A CRL's time is the CPU's, since it waits for nobody.
"""

from __future__ import annotations

import hashlib
import resource
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert

from bench.rows import Row, at_least, at_most, print_rows, shown
from hardware.driver import open_token
from hardware.ports import Mechanism, Token
from hardware.softhsm import SoftHsmStore
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Base, Database
from signing_service.pki import der
from signing_service.pki.assembly import PkiServices, assemble
from signing_service.pki.ceremony import CeremonyRecord, hold_ceremony, record_ceremony
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.crl import Reason
from signing_service.pki.crl_partitions import PARTITION_SIZE
from signing_service.pki.first_ceremony import Body, first_plan
from signing_service.pki.ocsp import request_for
from signing_service.pki.ocsp_request import NONCE
from signing_service.pki.register import CertificateRegister, fingerprint
from signing_service.pki.rules import SYSTEM, Actor
from signing_service.pki.tsp_client import timestamp_query

CRL_ENTRIES = 200_000
BASE_URL = "http://pki.example.test"


def rate(act: Callable[[], object], seconds: float) -> float:
    """Calls a second, after one that warms up."""
    act()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        act()
        count += 1
    return count / (time.perf_counter() - start)


def rate_together(act: Callable[[], object], seconds: float, threads: int = 8) -> float:
    """Calls a second of several threads together."""
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(lambda _: rate(act, seconds), range(threads)))


def with_nonce(request: bytes) -> bytes:
    """The same OCSP request with a fresh nonce."""
    asked = der.read(request).children()[0].content
    value = der.octet_string(der.octet_string(secrets.token_bytes(16)))
    return der.sequence(der.sequence(asked, der.context(2, der.sequence(der.sequence(der.oid(NONCE), value)))))


def measure(folder: Path, seconds: float) -> Iterator[Row]:
    store = SoftHsmStore(folder / "tokens")
    store.activate()
    with ExitStack() as stack:
        tokens: dict[str, Token] = {}
        for name in ("root", "issuing", "services"):
            info = store.create(name, user_pin="12345678", so_pin="12345678")
            token = open_token(store.module, serial=info.serial, pin="12345678", write=True)
            tokens[name] = stack.enter_context(token)
        plan = first_plan("示例市", Body("示例市"), BASE_URL, {"甲": "主持", "乙": "见证"})
        record = hold_ceremony(plan, tokens, SystemClock())
        yield from _rates(folder, record, tokens, seconds)


def _rates(folder: Path, record: CeremonyRecord, tokens: dict[str, Token], seconds: float) -> Iterator[Row]:
    database = Database(f"sqlite:///{folder / 'pki.db'}")
    Base.metadata.create_all(database.engine)
    register = CertificateRegister(database, SystemClock(), AuditLog())
    with database.write() as session:
        record_ceremony(register, AuditLog(), session, record, Actor("bench", frozenset({SYSTEM})))
    places = {made.planned.name: made.planned.token for made in record.certificates}
    services = assemble(register, lambda row: tokens[places[row.owner]].key(certificate=row.der), BASE_URL)
    tsa, issuing = record.certificate("tsa"), record.certificate("issuing")
    key, data = tokens["services"].key(certificate=tsa), b"\0" * 256
    digest = hashlib.sha256(b"document").digest()
    query, request = timestamp_query(digest, secrets.randbits(62)), request_for(tsa, issuing)
    raw = rate(lambda: key.sign(data, Mechanism.ECDSA_SHA256), seconds)
    raw_together = rate_together(lambda: key.sign(data, Mechanism.ECDSA_SHA256), seconds)
    yield shown("token: raw P-256 signatures a second", raw)
    yield shown("token: the same, 8 threads", raw_together)
    stamped, together = (how(lambda: services.tsa.respond(query), seconds) for how in (rate, rate_together))
    yield shown("timestamps a second", stamped)
    yield at_least(0.035, "timestamps / raw signatures", stamped / raw)
    yield shown("timestamps a second, 8 threads", together)
    yield at_least(0.12, "timestamps / raw signatures, 8 threads", together / raw_together)
    for name, bound, ask in (
        ("OCSP answers with nonce", 0.12, lambda: services.ocsp.respond(with_nonce(request))),
        ("OCSP answers signed before", 0.2, lambda: services.ocsp.respond(request)),
    ):
        answered = rate(ask, seconds)
        yield shown(f"{name} a second", answered)
        yield at_least(bound, f"{name} / raw signatures", answered / raw)
    yield from _publication(database, services, issuing)


def _publication(database: Database, services: PkiServices, issuing: bytes) -> Iterator[Row]:
    """CRL_ENTRIES revoked certificates in the register, and from it the whole list and one partition's."""
    now, issuer = datetime.now(UTC), fingerprint(issuing)
    with database.write() as session:
        for start in range(0, CRL_ENTRIES, PARTITION_SIZE):
            rows = [_revoked(issuer, number, now) for number in range(start, start + PARTITION_SIZE)]
            session.execute(insert(CertificateRow), rows)
    before, start_of_whole = _resident(), time.process_time()
    whole = services.crls.publish("issuing") or b""
    start_of_part, grown = time.process_time(), (_resident() - before) / 1e3
    part = services.crls.crl("issuing", 2) or b""
    yield at_most(11, f"CRL of {CRL_ENTRIES:,}: CPU seconds", start_of_part - start_of_whole)
    yield at_most(7 * len(whole) / 1e6, f"CRL of {CRL_ENTRIES:,}: memory beyond what was there (MB)", grown)
    yield shown(f"CRL of {CRL_ENTRIES:,}: size (MB)", len(whole) / 1e6)
    yield at_most(0.6, f"CRL partition of {PARTITION_SIZE:,}: CPU seconds", time.process_time() - start_of_part)
    yield shown(f"CRL partition of {PARTITION_SIZE:,}: size (MB)", len(part) / 1e6)


def _resident() -> int:
    """The most memory that this process ever had resident, in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _revoked(issuer: str, number: int, now: datetime) -> dict[str, object]:
    return {
        "reference": f"{number:032x}", "profile": "officer-signing", "state": "revoked", "owner": f"OF-{number}",
        "requested_by": "bench", "issuer": issuer, "serial": f"{1 << 126 | number:x}", "fingerprint": f"{number:064x}",
        "der": b"", "revoked_at": now, "reason": int(Reason.SUPERSEDED), "status_at": now, "origin": "own",
        "crl_partition": 1 + number // PARTITION_SIZE,
    }  # fmt: skip


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-pki-") as folder:
        met = print_rows(measure(Path(folder), float(sys.argv[1]) if len(sys.argv) > 1 else 3.0))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
