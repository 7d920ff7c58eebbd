"""The speed of signing as ratios within one run (docs/performance.md): `python -m bench.pades [--json] [--quick]`.

Every row interleaves what it compares, takes the minimum of its rounds, and says what the target is. The token is a
real SoftHSM in this process, the limit is "token sign + SHA-256 + write", and plain pyHanko signs with the same token.
Absolute times drift with the machine; ratios do not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

from bench import pades_fixture as fixture
from bench.pades_request import NOW, invisible_request, seal_request
from signing_service.pades import revisions
from signing_service.pades.appearance import TextAppearance
from signing_service.pades.placing import Placing
from signing_service.pades.request import Level, SignatureRequest
from signing_service.pades.sign import sign
from signing_service.pades.sign_file import sign_file
from signing_service.pdf.plain_tokens import NotPlain


@dataclass(frozen=True)
class Row:
    """`ratio` is measured against `against`; `wanted` is at most (or, for rates, at least) this."""

    work: str
    against: str
    ours_ms: float
    other_ms: float
    ratio: float
    wanted: str
    met: bool


def interleaved(work: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The least time of each, in milliseconds; every round runs all of them, the order turned each time."""
    best = dict.fromkeys(work, float("inf"))
    names = list(work)
    for call in work.values():
        call()
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            start = time.perf_counter()
            work[name]()
            best[name] = min(best[name], time.perf_counter() - start)
    return {name: value * 1000 for name, value in best.items()}


def at_most(work: str, against: str, ours: float, other: float, limit: float, shown: str) -> Row:
    return Row(
        work, against, round(ours, 3), round(other, 3), round(ours / other, 3), f"<= {shown}", ours <= limit * other
    )


def never_plain(*_: object) -> None:
    raise NotPlain("measured on purpose")


def warm_rows(bed: fixture.Bed, rounds: int, kind: str, to_limit: float, to_peer: int) -> list[Row]:
    key, out, document = bed.keys[kind], bed.folder / "warm.pdf", bed.one_page

    def limit() -> None:
        value = key.sign(hashlib.sha256(document).digest() * 4, key.mechanism)
        out.write_bytes(document + value)

    def ours() -> None:
        out.write_bytes(sign(document, seal_request(), key))

    peer, with_seal = fixture.plain_pyhanko(key), fixture.plain_pyhanko(key, seal=True)
    found = interleaved(
        {"limit": limit, "ours": ours, "peer": lambda: peer(document), "sealed": lambda: with_seal(document)}, rounds
    )
    work, best = f"seal, B-B, {kind}, 1 page, warm", found["ours"]
    return [
        at_most(work, "token + hash + write", best, found["limit"], to_limit, f"{to_limit}"),
        at_most(work, "plain pyHanko, invisible", best, found["peer"], 1 / to_peer, f"1/{to_peer}"),
        at_most(work, "plain pyHanko, with seal", best, found["sealed"], 1 / to_peer, f"1/{to_peer}"),
    ]


def level_rows(bed: fixture.Bed, rounds: int) -> list[Row]:
    """Times without the authority's wait: what the timestamper took is taken off."""
    key, document = bed.keys["rsa2048"], bed.one_page
    out = bed.folder / "level.pdf"
    best: dict[Level, float] = {}
    least_limit = float("inf")
    levels = (Level.B_T, Level.B_LT, Level.B_LTA)
    for _ in range(rounds):
        for level in levels:
            authority = fixture.TimedAuthority(bed)
            start = time.perf_counter()
            out.write_bytes(
                sign(
                    document,
                    seal_request(level),
                    key,
                    timestamper=authority,
                    revocation=bed if level.needs_revocation else None,
                )
            )
            taken = time.perf_counter() - start - authority.waited
            best[level] = min(best.get(level, taken), taken)
        start = time.perf_counter()
        out.write_bytes(document + key.sign(hashlib.sha256(document).digest(), key.mechanism))
        least_limit = min(least_limit, time.perf_counter() - start)
    shown = {Level.B_T: 1.3, Level.B_LT: 1.6, Level.B_LTA: 1.6}
    return [
        at_most(f"{level} with seal, rsa2048, without the TSA's wait", "token + hash + write", best[level] * 1000,
                least_limit * 1000, shown[level], str(shown[level]))
        for level in levels
    ]  # fmt: skip


def fall_back_row(bed: fixture.Bed, rounds: int) -> Row:
    key, document = bed.keys["rsa2048"], bed.one_page
    peer = fixture.plain_pyhanko(key)
    with mock.patch.object(revisions, "prepare_plainly", never_plain):
        found = interleaved(
            {"ours": lambda: sign(document, invisible_request(), key), "peer": lambda: peer(document)}, rounds
        )
    return at_most("fall-back path, rsa2048", "plain pyHanko", found["ours"], found["peer"], 1 / 7, "1/7")


def text_row(bed: fixture.Bed, rounds: int) -> Row:
    """Plain pyHanko subsets the font for every document; the same subsetting plus its signature stands for it."""
    key, document = bed.keys["rsa2048"], bed.one_page
    lines = ["审批人:张三", "部门:示例市行政审批局", "意见:同意", "2026-11-25 09:00:00 +08:00"]
    peer = fixture.plain_pyhanko(key)

    def ours() -> None:
        placing = Placing(0, 20, 30, 70, 25)
        appearance = TextAppearance(lines)
        sign(document, SignatureRequest(field="a", signed_at=NOW, appearance=appearance, placing=placing), key)

    def theirs() -> None:
        fixture.subset_with_fonttools("".join(lines))
        peer(document)

    found = interleaved({"ours": ours, "theirs": theirs}, max(rounds // 5, 3))
    against = "pyHanko with its subsetting"
    return at_most("CJK text appearance, rsa2048", against, found["ours"], found["theirs"], 1 / 50, "1/50")


def scan_rows(bed: fixture.Bed, rounds: int) -> list[Row]:
    scan, key = bed.hundred_megabytes(), bed.keys["rsa2048"]
    out = scan.with_name("signed.pdf")

    def digest() -> None:
        state = hashlib.sha256()
        with scan.open("rb", buffering=0) as file:
            while chunk := file.read(1 << 20):
                state.update(chunk)

    found = interleaved(
        {"hash": digest, "ours": lambda: sign_file(scan, out, seal_request(), key)}, max(rounds // 3, 5)
    )
    idle, peak = memory(bed.folder, scan)
    return [
        at_most("seal, 100 MB scan, rsa2048", "SHA-256 of it", found["ours"], found["hash"], 1.3, "1.3"),
        at_most("peak memory, 100 MB scan (MiB)", "idle process", peak / 1024, idle / 1024, 1.1, "1.1"),
    ]


def memory(folder: Path, scan: Path) -> tuple[int, int]:
    """Peak resident size in KiB before and after signing a big file, in a fresh process that has signed a small one."""
    program = (
        "import sys, pathlib\n"
        "from bench import pades_fixture\n"
        "from bench.pades_request import seal_request\n"
        "from signing_service.pades.sign_file import sign_file\n"
        "bed = pades_fixture.attach(pathlib.Path(sys.argv[1])); key = bed.keys['rsa2048']\n"
        "small = bed.folder / 'small.pdf'; small.write_bytes(bed.one_page)\n"
        "sign_file(small, bed.folder / 'small-signed.pdf', seal_request(), key)\n"
        "status = pathlib.Path('/proc/self/status')\n"
        "peak = lambda: next(line.split()[1] for line in status.read_text().splitlines() if line.startswith('VmHWM'))\n"
        "before = peak(); big = pathlib.Path(sys.argv[2])\n"
        "sign_file(big, big.with_name('big-signed.pdf'), seal_request(), key)\n"
        "print(before, peak())\n"
    )
    command = [sys.executable, "-c", program, str(folder), str(scan)]
    before, after = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(before), int(after)


def _many(folder: str, kind: str, seconds: float, raw: bool) -> float:
    """Signatures a second of one process, measured for so long after warming up."""
    bed = fixture.attach(Path(folder))
    key, out = bed.keys[kind], Path(folder) / f"many-{os.getpid()}.pdf"
    document, wanted = bed.one_page, seal_request()

    def once() -> None:
        if raw:
            key.sign(b"x" * 128, key.mechanism)
        else:
            out.write_bytes(sign(document, wanted, key))

    for _ in range(10):
        once()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        once()
        count += 1
    return count / (time.perf_counter() - start)


def rate_rows(bed: fixture.Bed, seconds: float) -> list[Row]:
    rows = []
    for kind, wanted in (("rsa2048", 0.8), ("p256", 0.25)):
        best = {True: 0.0, False: 0.0}
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            for raw in (True, False, True, False):
                jobs = [pool.submit(_many, str(bed.folder), kind, seconds, raw) for _ in range(2)]
                best[raw] = max(best[raw], sum(job.result() for job in jobs))
        ratio = best[False] / best[True]
        name = f"2 processes, {kind}, sealed documents a second"
        rows.append(
            Row(name, "raw token rate", round(best[False], 1), round(best[True], 1), round(ratio, 3), f">= {wanted}",
                ratio >= wanted)
        )  # fmt: skip
    return rows


def cold_row(bed: fixture.Bed, rounds: int) -> Row:
    """A fresh process that signs one file, against a fresh process of plain pyHanko; both open the same token."""
    ours = [sys.executable, "-m", "bench.pades_fixture", "ours", str(bed.folder)]
    theirs = [sys.executable, "-m", "bench.pades_fixture", "pyhanko", str(bed.folder)]

    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(bed.folder / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled already, and so is its peer

    def run(command: Sequence[str]) -> Callable[[], object]:
        return lambda: subprocess.run(command, check=True, capture_output=True, env=environment)

    found = interleaved({"ours": run(ours), "theirs": run(theirs)}, max(rounds // 3, 5))
    return at_most("cold process, seal, rsa2048", "cold plain pyHanko", found["ours"], found["theirs"], 0.25, "1/4")


def measured(bed: fixture.Bed, *, quick: bool) -> list[Row]:
    rounds, seconds = (15, 0.5) if quick else (40, 2.0)
    rows = warm_rows(bed, rounds, "rsa2048", 1.35, 18) + warm_rows(bed, rounds, "p256", 2.5, 45)
    rows += level_rows(bed, rounds)
    rows += [fall_back_row(bed, rounds), text_row(bed, rounds)]
    rows += scan_rows(bed, rounds) + rate_rows(bed, seconds) + [cold_row(bed, rounds)]
    return rows


def table(rows: Sequence[Row]) -> str:
    lines = ["| work | against | ours | other | ratio | wanted | met |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            f"| {row.work} | {row.against} | {row.ours_ms:g} | {row.other_ms:g} | {row.ratio:.3f} | {row.wanted} | "
            f"{'yes' if row.met else 'no'} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    options = parser.parse_args()
    memory_folder = Path("/dev/shm")  # noqa: S108  # tmpfs, so that no disk is measured
    with tempfile.TemporaryDirectory(dir=memory_folder if memory_folder.is_dir() else None) as folder:
        rows = measured(fixture.build(Path(folder)), quick=options.quick)
    print(json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2) if options.json else table(rows))


if __name__ == "__main__":
    main()
