"""Speed of the verification engine against pyHanko with its revision diff, cold pdfsig and SHA-256, in one run.

Run: `python bench/verification.py [--quick]`. Prints one row a question with the ratio that is wanted. Absolute times
mean nothing between runs; ratios of the minima within one run do.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).parents[1]),
    str(Path(__file__).parents[1] / "tests" / "signing_service" / "verification"),
]

from pdf_bytes import append, document, stream  # noqa: E402
from pki_world import Revoked, World, end_entity, revocation_list  # noqa: E402
from sealed_files import SIGNED, sign  # noqa: E402

from signing_service.verification.engine import verify  # noqa: E402
from signing_service.verification.policy import Policy, Purpose  # noqa: E402
from signing_service.verification.reasons import Verdict  # noqa: E402

NOW = SIGNED + timedelta(days=9)


def timed(action: Callable[[], object], rounds: int) -> tuple[float, float]:
    """(minimum, median) in milliseconds, after one round to warm up."""
    action()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        found.append((time.perf_counter() - start) * 1000)
    return min(found), statistics.median(found)


def timed_together(actions: Sequence[Callable[[], object]], rounds: int) -> list[tuple[float, float]]:
    """The same for several actions that are compared with one another: every round runs each of them."""
    found: list[list[float]] = [[] for _ in actions]
    for action in actions:
        action()
    for _ in range(rounds):
        for action, times in zip(actions, found, strict=True):
            start = time.perf_counter()
            action()
            times.append((time.perf_counter() - start) * 1000)
    return [(min(times), statistics.median(times)) for times in found]


def ours(pdf: bytes, policy: Policy) -> Callable[[], object]:
    def run() -> None:
        if verify(pdf, policy).verdict is not Verdict.PASSED:
            raise SystemExit("the engine does not pass the file to be measured")

    return run


def plain_pyhanko(pdf: bytes, world: World, crls: list[bytes]) -> Callable[[], object]:
    """As its documentation has it: validate each signature, revision diff on."""
    from asn1crypto import crl as asn1_crl
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko_certvalidator import ValidationContext

    roots = [world.seals.asn1, world.officers.asn1, world.times.asn1]
    lists = [asn1_crl.CertificateList.load(raw) for raw in crls]

    def run() -> None:
        reader = PdfFileReader(BytesIO(pdf), strict=False)
        for signature in reader.embedded_regular_signatures:
            context = ValidationContext(
                trust_roots=roots, moment=NOW, crls=lists, allow_fetching=False, revocation_mode="hard-fail"
            )
            validate_pdf_signature(signature, context, ts_validation_context=context)

    return run


def signed(pdf: bytes, world: World, count: int) -> bytes:
    for index in range(count):
        box = (20 + 40 * (index % 10), 20, 55 + 40 * (index % 10), 60)
        pdf = sign(pdf, world, world.seal, field=f"Seal{index}", box=box)
    return pdf


def scan(megabytes: int) -> bytes:
    """Pages of incompressible picture data."""
    pdf, noise = document(2), hashlib.shake_256(b"scan").digest(1 << 20)
    images = {
        100 + index: stream(
            noise,
            b"/Type /XObject /Subtype /Image /Width 1024 /Height 1024 /BitsPerComponent 8 /ColorSpace /DeviceGray",
        )
        for index in range(megabytes)
    }
    return append(pdf, images)


def report(question: str, asked: str, ratio: float, wanted: float) -> bool:
    good = ratio <= wanted
    print(f"{'ok  ' if good else 'MISS'} {question:<46} {asked:<40} {ratio:8.3f}  wanted <= {wanted:.3f}")
    return good


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="small files, few rounds")
    quick = options.parse_args().quick
    world, rounds = World(), 3 if quick else 7
    crls = world.crls(NOW - timedelta(days=1))
    anchors = {
        Purpose.SEALS: [world.seals.der],
        Purpose.OFFICERS: [world.officers.der],
        Purpose.TIMESTAMPS: [world.times.der],
    }
    policy = Policy(anchors, NOW, crls=crls)
    results = []

    one, ten = signed(document(), world, 1), signed(document(), world, 10)
    compared = [ours(one, policy), ours(ten, policy), *(plain_pyhanko(pdf, world, crls) for pdf in (one, ten))]
    ours_one, ours_ten, theirs_one, theirs_ten = timed_together(compared, 3 * rounds)
    print(
        f"one signature: ours {ours_one[0]:.2f}/{ours_one[1]:.2f} ms, "
        f"pyHanko {theirs_one[0]:.1f}/{theirs_one[1]:.1f} ms (min/med)"
    )
    results.append(report("one signature against pyHanko", "", ours_one[0] / theirs_one[0], 1 / 4))
    results.append(
        report(
            "ten signatures against pyHanko",
            f"{ours_ten[0]:.1f} / {theirs_ten[0]:.1f} ms",
            ours_ten[0] / theirs_ten[0],
            1 / 6,
        )
    )
    results.append(report("ten signatures against one", "", ours_ten[0] / ours_one[0], 12))
    results += against_pdfsig(one, ours_one[0], rounds)

    pages = signed(document(100 if quick else 1000), world, 3)
    ours_pages, theirs_pages = (
        timed(ours(pages, policy), rounds),
        timed(plain_pyhanko(pages, world, crls), 1 if quick else 2),
    )
    results.append(
        report(
            "1000 pages, three signatures",
            f"{ours_pages[0]:.1f} / {theirs_pages[0]:.0f} ms",
            ours_pages[0] / theirs_pages[0],
            1 / 15,
        )
    )

    results += large_scan(world, policy, 10 if quick else 100, rounds)
    results.append(long_list(world, one, anchors, crls, rounds))
    return 0 if all(results) else 1


def against_pdfsig(pdf: bytes, warm: float, rounds: int) -> list[bool]:
    if not shutil.which("pdfsig"):
        print("     pdfsig is not installed; that comparison is left out")
        return []
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(pdf)
        file.flush()
        cold = timed(lambda: subprocess.run(["pdfsig", "-nocert", file.name], capture_output=True, check=False), rounds)
    return [report("warm, against a cold pdfsig", f"{warm:.1f} / {cold[0]:.1f} ms", warm / cold[0], 1)]


def large_scan(world: World, policy: Policy, megabytes: int, rounds: int) -> list[bool]:
    pdf = signed(scan(megabytes), world, 3)
    hashing = timed(lambda: hashlib.sha256(pdf).digest(), rounds)
    ours_scan = timed(ours(pdf, policy), rounds)
    good = report(
        f"{megabytes} MB, three signatures, against SHA-256",
        f"{ours_scan[0]:.0f} / {hashing[0]:.0f} ms",
        ours_scan[0] / hashing[0],
        1.6,
    )
    peak = memory_of(pdf, policy)
    return [good, report("memory against the file's size", f"{peak / 1e6:.0f} MB", peak / len(pdf), 1.5)]


def memory_of(pdf: bytes, policy: Policy) -> int:
    """Growth of the peak resident size of a fresh process that reads and judges the file, bytes."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(pdf)
        file.flush()
        code = (
            "import re, sys; sys.path[:0] = sys.argv[2:];"
            "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) * 1024;"
            "from signing_service.verification.engine import verify; from signing_service.verification.policy "
            "import Policy;"
            "from datetime import datetime, UTC;"
            "policy = Policy({}, datetime(2026, 6, 10, tzinfo=UTC)); verify(b'%PDF-1.7', policy);"
            "before = peak();"
            "report = verify(open(sys.argv[1], 'rb').read(), policy); assert report.signatures;"
            "print(peak() - before)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, file.name, str(Path(__file__).parents[1])],
            capture_output=True,
            text=True,
            check=True,
        )
    return int(done.stdout)


def long_list(world: World, pdf: bytes, anchors: dict[Purpose, list[bytes]], crls: list[bytes], rounds: int) -> bool:
    """What a CRL of 20,000 entries adds, read anew each time."""
    party = end_entity("serial source", world.seals)
    entries = [Revoked(party, NOW)] * 0
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    builder = x509.CertificateRevocationListBuilder().issuer_name(world.seals.certificate.subject)
    builder = builder.last_update(NOW - timedelta(days=1)).next_update(NOW + timedelta(days=9))
    revoked = [
        x509.RevokedCertificateBuilder().serial_number(1000 + n).revocation_date(NOW).build() for n in range(20_000)
    ]
    builder._revoked_certificates.extend(revoked)
    long = builder.sign(world.seals.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    lists = [revocation_list(world.seals, NOW - timedelta(days=1), *entries), *crls[1:]]
    from signing_service.verification import revocation

    def run(chosen: list[bytes]) -> Callable[[], object]:
        def once() -> None:
            revocation.load_crl.cache_clear()
            ours(pdf, Policy(anchors, NOW, crls=chosen))()

        return once

    short_time, long_time = timed(run(lists), 3 * rounds), timed(run([long, *crls[1:]]), 3 * rounds)
    added = long_time[0] - short_time[0]
    return report("a CRL of 20,000 entries, ms", f"{long_time[0]:.1f} - {short_time[0]:.1f} ms", added, 10)


if __name__ == "__main__":
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, peak of this process so far "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB"
    )
    sys.exit(main())
