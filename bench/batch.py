"""Batches against the token's own rate, and what custody adds: `python -m bench.batch [--documents N] [--workers N]`.

A demo home on SQLite and SoftHSM. Raw rate: so many processes let the seal's token sign and do nothing else. Custody:
judging, its ledger's synced commit and the check of the value, one by one and 32 at once. Batch: `seals apply` from the
first document to the last, B-B, with every row, log entry and synced file. Ratios within this run.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pikepdf

from cli.cast import DEFAULT_SEAL
from cli.init import SQLITE_URL, STEPS, make_home
from cli.opened_home import open_home
from cli.progress import Progress
from cli.seal_batches import BatchRequest, new_batch
from cli.seal_processes import Work, batch_book, run_processes
from hardware.driver import open_token
from hardware.pin_source import read_pin_file
from signing_service.custody.core import Custody
from signing_service.custody.policy import load_policy
from signing_service.kernel.database import Database
from signing_service.pades.batch_folder import as_items, list_folder
from signing_service.pades.batch_tables import ItemState
from signing_service.pades.placing import Placing
from signing_service.pades.request import Level
from signing_service.pades.signer_certificate import read_certificate
from signing_service.pdf.cms_attributes import build_signed_attributes
from signing_service.pki.rules import Actor

SECONDS, AT_ONCE, ROUNDS = 2.0, 32, 15


def raw_rate(home: Path) -> float:
    """Signatures a second by the seal's key alone, in this process."""
    settings = open_home(home)
    policy = load_policy(settings.custody)
    entry = policy.seal(DEFAULT_SEAL)
    place = policy.tokens[entry.token]
    pin = settings.custody / place.pin_file
    with open_token(place.module, serial=place.serial, pin=lambda: read_pin_file(pin)) as token:
        key, mechanism = token.key(certificate=entry.certificate), read_certificate(entry.certificate).mechanism
        attributes = build_signed_attributes(bytes(32), entry.certificate)
        count, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < SECONDS:
            key.sign(attributes, mechanism)
            count += 1
        return count / (time.perf_counter() - begin)


def custody_costs(home: Path) -> dict[str, float]:
    """Milliseconds a signature, the least of the rounds, interleaved: token alone, custody one by one, and at once."""
    settings = open_home(home)
    custody = Custody(settings.custody)
    policy = load_policy(settings.custody)
    entry = policy.seal(DEFAULT_SEAL)
    mechanism = read_certificate(entry.certificate).mechanism
    key = custody._keys.of_seal(policy, entry)
    best = dict.fromkeys(("token", "custody, one by one", "custody, 32 at once"), float("inf"))
    for number in range(ROUNDS):
        fresh = [build_signed_attributes(hashlib.sha256(b"%d %d" % (number, i)).digest(), entry.certificate)
                 for i in range(2 * AT_ONCE)]  # fmt: skip
        for name, work in (
            ("token", lambda: [key.sign(each, mechanism) for each in fresh[:AT_ONCE]]),  # noqa: B023 - run at once
            ("custody, one by one", lambda: [custody.seal(DEFAULT_SEAL, each, b"", mechanism) for each in fresh[:AT_ONCE]]),  # noqa: B023, E501
            ("custody, 32 at once", lambda: custody.seal_all(DEFAULT_SEAL, fresh[AT_ONCE:], b"", mechanism)),  # noqa: B023
        ):  # fmt: skip
            begin = time.perf_counter()
            work()
            best[name] = min(best[name], (time.perf_counter() - begin) * 1000 / AT_ONCE)
    custody.close()
    return best


def batch_rate(home: Path, folder: Path, workers: int) -> tuple[float, float]:
    """Documents a second: from the first one sealed to the last, and with the start of the processes."""
    settings = open_home(home)
    database = Database(settings.database_url)
    book = batch_book(database)
    request = BatchRequest({"folder": folder}, DEFAULT_SEAL, "batch", Level.B_B, Placing(), Actor("bench"),
                           folder=folder, output=folder)  # fmt: skip
    batch = book.open(new_batch(settings, book.register, request))
    book.add(as_items(batch.id, list_folder(folder, recursive=False), beside=True))
    book.start(batch.id)
    begin = time.perf_counter()
    run_processes(Work(home, batch.id), workers, lambda: False)
    whole = time.perf_counter() - begin
    ended = sorted(item.ended_at for item in book.items(batch.id, states=[ItemState.SEALED]) if item.ended_at)
    after = len([one for one in ended if one > ended[0]])
    database.close()
    return after / (ended[-1] - ended[0]).total_seconds(), len(ended) / whole


def fill(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        document = pikepdf.new()
        page = document.add_blank_page(page_size=(595.276, 841.89))
        page.Contents = document.make_stream(b"0.9 g 0 0 100 100 re f %% %d" % number)
        output = io.BytesIO()
        document.save(output)
        (folder / f"{number:05d}.pdf").write_bytes(output.getvalue())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zhengyin-bench-") as name:
        home = make_home(Path(name) / "home", SQLITE_URL, Progress(STEPS, "en")).home
        fill(Path(name) / "in", given.documents)
        with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
            raw = sum(pool.map(raw_rate, [home] * given.workers))
        costs = custody_costs(home)
        steady, whole = batch_rate(home, Path(name) / "in", given.workers)
    print("| work | a second, or ms | against the token |")
    print("|---|---|---|")
    print(f"| raw token rate, {given.workers} processes | {raw:.0f} | 1 |")
    print(f"| batch of {given.documents}, B-B, {given.workers} workers | {steady:.0f} | {steady / raw:.2f} |")
    print(f"| the same, with the start of its processes | {whole:.0f} | {whole / raw:.2f} |")
    for work, cost in costs.items():
        print(f"| one signature: {work} | {cost:.2f} ms | {cost / costs['token']:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
