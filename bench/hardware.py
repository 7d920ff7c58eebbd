"""Tokens: threads against one thread, a day of mixed work, pulls, crashes; `python -m bench.hardware [SECONDS]`.

Real SoftHSM, for the crashes behind the fault-injecting module of the tests. Prints one row for each bound; the exit
code is 1 when one is missed. Only ratios and counts may be compared between machines. With `--soak` the mixed work
lasts 30 minutes. Memory is constant when, once warm, it never rises by more than NOISE_KIB and LEAK_KIB for each
100,000 rounds: three bytes a round.
"""

from __future__ import annotations

import hashlib
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bench.module_crashes import crashes
from bench.rows import Row, at_least, at_most, none_of, print_rows, shown
from hardware.driver import open_token, process_driver
from hardware.errors import TokenError, TokenRemoved
from hardware.opened_token import OpenedKey, OpenedToken
from hardware.ports import Mechanism, TokenInfo
from hardware.signing_plans import verifies
from hardware.softhsm import SoftHsmStore

USER_PIN, SO_PIN = "246810", "13579135"
RSA, ECDSA = Mechanism.RSA_PKCS1_SHA256, Mechanism.ECDSA_SHA256
SOAK_SECONDS = 1800.0
SAMPLES, WARM_UP = 30, 5
NOISE_KIB, LEAK_KIB = 512, 256
ROUNDS, THREADS, PULLS, CRASHES = 4, 4, 200, 20


def rate(act: Callable[[], object], seconds: float, threads: int) -> float:
    """Calls a second of `threads` threads together."""

    def work(_: int) -> int:
        count, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            act()
            count += 1
        return count

    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        return sum(pool.map(work, range(threads))) / (time.perf_counter() - started)


def thread_ratio(key: OpenedKey, seconds: float) -> list[Row]:
    """RSA-2048: four threads against one, and beside it what bare hashing got from the same cores at the same time.

    Each is measured in turn, round after round, and its best round counts.
    """
    acts, block = (lambda: key.sign(b"data", RSA), lambda: hashlib.sha256(block)), bytes(1 << 20)
    each = seconds / ROUNDS / 4
    rounds = [[rate(act, each, many) for act in acts for many in (1, THREADS)] for _ in range(ROUNDS)]
    sign_one, sign_four, hash_one, hash_four = (max(column) for column in zip(*rounds, strict=True))
    return [
        shown("SHA-256, 4 threads / 1 thread: what the cores gave", hash_four / hash_one),
        at_least(1.7, "RSA-2048, 4 threads / 1 thread", sign_four / sign_one),
    ]


@dataclass
class Samples:
    """What was seen at even intervals while the mixed work ran: open sessions, resident KiB, rounds done."""

    sessions: list[int] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)

    def take(self, opened: OpenedToken, rounds: int) -> None:
        self.sessions.append(opened.open_sessions)
        self.memory.append(resident_kib())
        self.rounds.append(rounds)

    def memory_rows(self, name: str) -> list[Row]:
        """Memory at four points, and the most that it ever was above what it was when warm."""
        points = (WARM_UP, len(self.memory) // 3, 2 * len(self.memory) // 3, len(self.memory) - 1)
        seen = [shown(f"{name}: KiB after {self.rounds[each]} rounds", self.memory[each]) for each in points]
        allowed = NOISE_KIB + LEAK_KIB * (self.rounds[-1] - self.rounds[WARM_UP]) / 100_000
        most = max(self.memory[WARM_UP:]) - self.memory[WARM_UP]
        return [*seen, at_most(round(allowed), f"{name}: KiB more than when warm, at most", most)]


def mixed_work(store: SoftHsmStore, token: TokenInfo, opened: OpenedToken, seconds: float) -> list[Row]:
    """Signing, reading, opening and closing from four threads: errors, sessions and memory must not grow."""
    errors: list[str] = []
    once = _mixed_round(store, token, opened, errors)
    rate(once, min(seconds / 4, 5), THREADS)
    samples, done, counts = Samples(), threading.Event(), [0] * THREADS

    def work(thread: int) -> None:
        while not done.is_set():
            once()
            counts[thread] += 1

    with ThreadPoolExecutor(THREADS) as pool:
        working = [pool.submit(work, thread) for thread in range(THREADS)]
        for _ in _intervals(seconds):
            samples.take(opened, sum(counts))
        done.set()
    for each in working:
        each.result()
    name = f"mixed work, {seconds:.0f} s, {sum(counts)} rounds"
    return [
        none_of(f"{name}: errors", len(errors)),
        # The login holder and one for each thread; under load fewer are needed at times, never more.
        at_most(1 + THREADS, f"{name}: most sessions", max(samples.sessions)),
        *samples.memory_rows("mixed work"),
    ]


def _mixed_round(store: SoftHsmStore, token: TokenInfo, opened: OpenedToken, errors: list[str]) -> Callable[[], None]:
    keys = opened.keys()

    def once() -> None:
        try:
            for key in keys:
                mechanism = RSA if key.label == "rsa" else ECDSA
                if not verifies(mechanism, key.public_key, key.sign(b"data", mechanism), b"data"):
                    errors.append("wrong")
            opened.certificates()
            with open_token(store.module, serial=token.serial, pin=USER_PIN) as again:
                again.keys()
        except TokenError as error:
            errors.append(error.code)

    return once


def _intervals(seconds: float) -> Iterator[None]:
    """SAMPLES ticks over `seconds`; long runs say how far they are."""
    started = time.perf_counter()
    for number in range(1, SAMPLES + 1):
        time.sleep(max(0.0, started + seconds * number / SAMPLES - time.perf_counter()))
        if seconds > 120:
            print(f"mixed work: {number * 100 // SAMPLES} %, {resident_kib()} KiB", file=sys.stderr, flush=True)
        yield


def resident_kib() -> int:
    """Memory of this process that is in use now (Linux), else its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def pulls(store: SoftHsmStore, token: TokenInfo, times: int) -> list[Row]:
    """Pulled and replugged: wrong results, and what the first good signature costs in starts of the module."""
    port = process_driver().modules.port(store.module)
    folder = next(path for path in (store.folder / "tokens").iterdir())
    away = store.folder / "pulled"
    wrong, most_starts = 0, 0
    with open_token(store.module, serial=token.serial, pin=USER_PIN, keep_pin=True) as opened:
        key = opened.key(label="rsa")
        for _ in range(times):
            folder.rename(away)
            wrong += _signs_while_out(key)
            away.rename(folder)
            before = port.reinitialisations  # type: ignore[attr-defined]
            wrong += not verifies(RSA, key.public_key, key.sign(b"back", RSA), b"back")
            most_starts = max(most_starts, port.reinitialisations - before)  # type: ignore[attr-defined]
    return [
        none_of(f"{times} pulls: wrong results", wrong),
        at_most(3, f"{times} pulls: most starts of the module until a good signature", most_starts),
    ]


def _signs_while_out(key: OpenedKey) -> bool:
    try:
        key.sign(b"out", RSA)
    except TokenRemoved:
        return False
    return True


def measure(seconds: float = 8.0, *, soak: bool = False) -> Iterator[Row]:
    """All of it on a fresh store; `seconds` for each of the first two parts."""
    with tempfile.TemporaryDirectory() as folder:
        store = SoftHsmStore(Path(folder) / "softhsm")
        store.activate()
        token = store.create("bench", user_pin=USER_PIN, so_pin=SO_PIN)
        with open_token(store.module, serial=token.serial, pin=USER_PIN, write=True) as opened:
            rsa = opened.generate("rsa2048", label="rsa", id=b"\x01")
            opened.generate("p256", label="ec", id=b"\x02")
            yield from thread_ratio(rsa, seconds)
            yield from mixed_work(store, token, opened, SOAK_SECONDS if soak else seconds)
        yield from pulls(store, token, PULLS)
        yield from crashes(store, token, Path(folder), USER_PIN, times=CRASHES, threads=THREADS)


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--soak"]
    duration = float(arguments[0]) if arguments else 8.0
    sys.exit(0 if print_rows(measure(duration, soak="--soak" in sys.argv)) else 1)
