"""Tokens: threads against one thread, a day's mixed work, pulls and replugs; `python -m bench.hardware [SECONDS]`.

Real SoftHSM. Prints one JSON document. Rates are per second; `ratio` values come from one run and may be compared
between machines. With `--soak` the mixed work lasts 30 minutes.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hardware.driver import open_token, process_driver
from hardware.errors import TokenError, TokenRemoved
from hardware.opened_token import OpenedKey, OpenedToken
from hardware.ports import Mechanism, TokenInfo
from hardware.signing_plans import verifies
from hardware.softhsm import SoftHsmStore

USER_PIN, SO_PIN = "246810", "13579135"
RSA, ECDSA = Mechanism.RSA_PKCS1_SHA256, Mechanism.ECDSA_SHA256
SOAK_SECONDS = 1800.0
PULLS = 200


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


def thread_ratio(key: OpenedKey, seconds: float) -> dict[str, float]:
    """RSA-2048: four threads against one. Each is measured twice, turn about, and the better one counts."""
    rounds = [[rate(lambda: key.sign(b"data", RSA), seconds / 4, threads) for threads in (1, 4)] for _ in range(2)]
    one, four = (max(each[index] for each in rounds) for index in (0, 1))
    return {"one_thread": round(one, 1), "four_threads": round(four, 1), "ratio": round(four / one, 2)}


def mixed_work(store: SoftHsmStore, token: TokenInfo, opened: OpenedToken, seconds: float) -> dict[str, float]:
    """Signing, reading, opening and closing from four threads: errors, sessions and memory must not grow."""
    keys = opened.keys()
    errors: list[str] = []

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

    rate(once, min(seconds / 4, 5), 4)
    sessions, memory = opened.open_sessions, resident_kib()
    per_second = rate(once, seconds, 4)
    return {
        "rounds": round(per_second * seconds),
        "errors": len(errors),
        "sessions_before": sessions,
        "sessions_after": opened.open_sessions,
        "memory_growth_kib": resident_kib() - memory,
    }


def resident_kib() -> int:
    """Memory of this process that is in use now (Linux), else its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def pulls(store: SoftHsmStore, token: TokenInfo, times: int) -> dict[str, float]:
    """Pulled and replugged: wrong results, and what the first good signature costs in starts of the module."""
    port = process_driver().modules.port(store.module)
    folder = next(path for path in (store.folder / "tokens").iterdir())
    away = store.folder / "pulled"
    wrong, most_starts, healing = 0, 0, []
    with open_token(store.module, serial=token.serial, pin=USER_PIN, keep_pin=True) as opened:
        key = opened.key(label="rsa")
        for _ in range(times):
            folder.rename(away)
            wrong += _signs_while_out(key)
            away.rename(folder)
            before, started = port.reinitialisations, time.perf_counter()  # type: ignore[attr-defined]
            wrong += not verifies(RSA, key.public_key, key.sign(b"back", RSA), b"back")
            healing.append(time.perf_counter() - started)
            most_starts = max(most_starts, port.reinitialisations - before)  # type: ignore[attr-defined]
        started = time.perf_counter()
        port.reinitialise()
        start_cost = time.perf_counter() - started
    median = sorted(healing)[len(healing) // 2]
    return {
        "pulls": times,
        "wrong_results": wrong,
        "most_module_starts": most_starts,
        "healing_ms": round(median * 1e3, 2),
        "module_start_ms": round(start_cost * 1e3, 2),
    }


def _signs_while_out(key: OpenedKey) -> bool:
    try:
        key.sign(b"out", RSA)
    except TokenRemoved:
        return False
    return True


def measure(seconds: float = 8.0, *, soak: bool = False) -> dict[str, dict[str, float]]:
    """All of it on a fresh store; `seconds` for each of the first two parts."""
    with tempfile.TemporaryDirectory() as folder:
        store = SoftHsmStore(Path(folder))
        store.activate()
        token = store.create("bench", user_pin=USER_PIN, so_pin=SO_PIN)
        with open_token(store.module, serial=token.serial, pin=USER_PIN, write=True) as opened:
            rsa = opened.generate("rsa2048", label="rsa", id=b"\x01")
            opened.generate("p256", label="ec", id=b"\x02")
            threads = thread_ratio(rsa, seconds)
            mixed = mixed_work(store, token, opened, SOAK_SECONDS if soak else seconds)
        return {"rsa2048_threads": threads, "mixed_work": mixed, "replug": pulls(store, token, PULLS)}


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--soak"]
    duration = float(arguments[0]) if arguments else 8.0
    print(json.dumps({"hardware": measure(duration, soak="--soak" in sys.argv)}))
