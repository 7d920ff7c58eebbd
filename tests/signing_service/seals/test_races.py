"""Suspension against sealing under way, on SQLite and PostgreSQL: once it is recorded, nothing leaves."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from seal_world import CLERK, FIRST, SECOND, request

from signing_service.kernel.audit_log import entries_about
from signing_service.seals.rules import State, Why
from signing_service.seals.use_book import SealNotUsable, UseBook, UseState

THREADS, BEFORE = 8, 12


@pytest.mark.parametrize("move", ["suspend", "cancel"])
def test_nothing_is_released_after_a_stop_however_the_steps_fall(world, move):
    world.add()
    book, released, enough = UseBook(world.register), [], threading.Event()

    def seal_until_stopped(thread):
        """One case after the other, as a worker does; each step may meet the stop."""
        for number in range(10_000):
            try:
                use = book.reserve("bureau", request(thread * 10_000 + number), CLERK)
                book.signed(use, CLERK)
                book.release(use, CLERK)
            except SealNotUsable:
                return
            released.append(use)
            if len(released) >= BEFORE:
                enough.set()

    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(seal_until_stopped, thread) for thread in range(THREADS)]
        assert enough.wait(60)
        world.register.change("bureau", move, FIRST, Why("怀疑失控", "示例依据"))
        seen = len([use for use in book.uses("bureau") if use.state == UseState.RELEASED])
        for thread in running:
            thread.result()
    uses = book.uses("bureau")
    with world.register.database.read() as session:
        kinds = [entry.kind for entry in entries_about(session, "seal:bureau") if entry.result == "allowed"]
    after = kinds[kinds.index(f"seal.{move}") + 1 :]
    assert set(after) <= {"seal.use.quarantined"}
    assert sum(use.state == UseState.RELEASED for use in uses) == seen == kinds.count("seal.use.released")
    assert {use.state for use in uses} <= {UseState.RELEASED, UseState.QUARANTINED, UseState.RESERVED, UseState.SIGNED}


def test_two_administrators_at_once_make_one_decision(world):
    """Both approve and refuse at the same instant: one of them is on record."""
    world.add(until="requested")
    barrier = threading.Barrier(2)

    def decide(name):
        barrier.wait()
        try:
            world.register.change("bureau", name, SECOND, Why("看法不同"))
        except Exception as refusal:
            return refusal.code
        return "done"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(decide, ("approve", "refuse"))) == ["done", "seal_move_not_allowed"]
    assert world.state("bureau") in (State.APPROVED, State.REFUSED)
