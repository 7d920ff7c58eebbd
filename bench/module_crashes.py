"""What a crashing vendor module costs: SoftHSM behind the fault-injecting module of the tests, in a host process."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.rows import Row, at_most, none_of
from hardware.driver import Driver
from hardware.errors import TokenError
from hardware.opened_token import OpenedKey
from hardware.ports import Mechanism, TokenInfo
from hardware.signing_plans import verifies
from hardware.softhsm import SoftHsmStore

SOURCE = Path(__file__).resolve().parent.parent / "tests" / "hardware" / "faulty_module.c"
ECDSA = Mechanism.ECDSA_SHA256
CALLS = 5


class CrashingModule:
    """The module built in `folder`; `crash_soon` makes it die by SIGSEGV inside its third signature from now."""

    def __init__(self, store: SoftHsmStore, folder: Path) -> None:
        self.path, self._control = str(folder / "vendor.so"), folder / "control"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.path, SOURCE, "-ldl"], check=True)
        os.environ.update(FAULTY_BACKEND=store.module, FAULTY_CONTROL=str(self._control))
        self._control.write_text("")

    def crash_soon(self) -> None:
        signs = Path(f"{self._control}.signs")
        seen = int(signs.read_text()) if signs.exists() else 0
        fresh = self._control.with_suffix(".new")
        fresh.write_text(f"crash_at {seen + 3}\n")
        fresh.rename(self._control)


def crashes(store: SoftHsmStore, token: TokenInfo, folder: Path, pin: str, *, times: int, threads: int) -> list[Row]:
    """Failed calls for each crash while `threads` threads sign, wrong results, and crashes that really came."""
    module = CrashingModule(store, folder)
    driver = Driver()
    most, outcomes = 0, Counter[str]()
    with driver.open(module.path, serial=token.serial, pin=pin, keep_pin=True) as opened:
        key = opened.key(label="ec")
        host = driver.modules.port(module.path)
        starts = host.starts  # type: ignore[attr-defined]
        for _ in range(times):
            module.crash_soon()
            with ThreadPoolExecutor(threads) as pool:
                found = Counter(pool.map(lambda number: _outcome(key, number), range(CALLS * threads)))
            most, outcomes = max(most, found.total() - found["good"]), outcomes + found
        came = host.starts - starts  # type: ignore[attr-defined]
        host.close()
    name = f"{times} crashes under {threads} threads"
    return [
        none_of(f"{name}: that did not come", times - came),
        at_most(1, f"{name}: most failed calls for one", most),
        none_of(f"{name}: wrong results", outcomes["wrong"]),
    ]


def _outcome(key: OpenedKey, number: int) -> str:
    data = b"%d" % number
    try:
        return "good" if verifies(ECDSA, key.public_key, key.sign(data, ECDSA), data) else "wrong"
    except TokenError as error:
        return error.code
