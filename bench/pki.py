"""How fast the PKI answers, as a ratio to what its token can sign in the same run: `python -m bench.pki [SECONDS]`.

Everything real: a ceremony on SoftHSM, a SQLite register with synchronous=FULL, whole requests and whole responses.
Prints one JSON document; rates are per second, ratios are to the token's raw P-256 signatures with as many threads.
"""

from __future__ import annotations

import hashlib
import json
import resource
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert

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


def measure(folder: Path, seconds: float) -> dict[str, float]:
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
        return _rates(folder, record, tokens, seconds)


def _rates(folder: Path, record: CeremonyRecord, tokens: dict[str, Token], seconds: float) -> dict[str, float]:
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
    stamped_together = rate_together(lambda: services.tsa.respond(query), seconds)
    found = {
        "timestamps": rate(lambda: services.tsa.respond(query), seconds),
        "ocsp_with_nonce": rate(lambda: services.ocsp.respond(with_nonce(request)), seconds),
        "ocsp_presigned": rate(lambda: services.ocsp.respond(request), seconds),
    }
    publication = _publication(database, services, issuing)
    return {
        "token_signatures": raw,
        "token_signatures_8_threads": raw_together,
        "timestamps_8_threads": stamped_together,
        "timestamps_8_threads_ratio": stamped_together / raw_together,
        **found,
        **{f"{name}_ratio": value / raw for name, value in found.items()},
        **publication,
    }


def _publication(database: Database, services: PkiServices, issuing: bytes) -> dict[str, float]:
    """CRL_ENTRIES revoked certificates in the register, and from it the whole list and one partition's."""
    now, issuer = datetime.now(UTC), fingerprint(issuing)
    with database.write() as session:
        for start in range(0, CRL_ENTRIES, PARTITION_SIZE):
            rows = [_revoked(issuer, number, now) for number in range(start, start + PARTITION_SIZE)]
            session.execute(insert(CertificateRow), rows)
    before = _resident()
    start_of_whole = time.perf_counter()
    whole = services.crls.publish("issuing") or b""
    start_of_part = time.perf_counter()
    part = services.crls.crl("issuing", 2) or b""
    end = time.perf_counter()
    return {
        f"crl_{CRL_ENTRIES}_seconds": start_of_part - start_of_whole,
        f"crl_{CRL_ENTRIES}_megabytes": len(whole) / 1e6,
        f"crl_{CRL_ENTRIES}_memory_growth_megabytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        / 1e3,
        "crl_partition_seconds": end - start_of_part,
        "crl_partition_megabytes": len(part) / 1e6,
    }


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


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-pki-") as folder:
        found = measure(Path(folder), float(sys.argv[1]) if len(sys.argv) > 1 else 3.0)
    print(json.dumps({name: round(value, 3) for name, value in found.items()}, indent=2))


if __name__ == "__main__":
    main()
