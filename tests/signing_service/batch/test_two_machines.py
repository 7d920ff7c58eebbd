"""Two worker machines share one batch: homes of their own, one PostgreSQL, one blob store, the one custody's socket."""

import os
import shutil
import signal

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from cli.seal_processes import machine_of
from signing_service.pades.batch_tables import ItemState
from signing_service.seals.seal_tables import SealRow

COUNT = 160
LEASE = 4


@pytest.fixture
def other_machine(postgres_office, tmp_path):
    """A second home: settings and blobs, a forwarded socket; no token, no PIN, no policy."""
    home, first = tmp_path / "machine-b", postgres_office.home
    (home / "custody").mkdir(parents=True)
    shutil.copy(first / "settings.toml", home / "settings.toml")
    (first / "blobs").mkdir(exist_ok=True)
    (home / "blobs").symlink_to(first / "blobs")
    (home / "custody" / "custody.sock").symlink_to(first / "custody" / "custody.sock")
    return home


def until(condition):
    """Looks again and again until the condition gives something; the test's own time limit ends it."""
    while not (found := condition()):
        pass
    return found


def stopped_with_documents_in_hand(book, batch_id, machine, group):
    """Freeze the machine's processes at a moment when they hold documents but no lock of the database."""

    def frozen():
        held = [item for item in book.items(batch_id, states=[ItemState.LEASED]) if item.worker.startswith(machine)]
        sealed = [item for item in book.items(batch_id, states=[ItemState.SEALED]) if item.worker.startswith(machine)]
        if not held or not sealed:
            return None
        os.killpg(group, signal.SIGSTOP)
        held = [item for item in book.items(batch_id, states=[ItemState.LEASED]) if item.worker.startswith(machine)]
        if held and not locked(book):
            return [item.id for item in held]
        os.killpg(group, signal.SIGCONT)
        return None

    return until(frozen)


def locked(book):
    try:
        with book.register.database.write() as session:
            session.execute(select(SealRow.id).where(SealRow.id == "default").with_for_update(nowait=True))
    except OperationalError:
        return True
    return False


@pytest.mark.parametrize("office", ["postgresql"], indirect=True)
@pytest.mark.parametrize("fate", ["killed", "woken"])
def test_one_of_two_machines_falls_out_and_the_other_finishes(office, other_machine, folder, sealed_files, fate):
    """`killed`: SIGKILL for all its processes. `woken`: it hung longer than its lease, and then comes back."""
    source, book, earlier = folder(COUNT, fate), office.book(), office.latest()
    custody = office.start("custody")
    custody.stdout.readline()
    options = ("worker", "--only-sealing", "--lease", LEASE)
    second = office.start(*options, home=other_machine)
    second.stdout.readline()
    command = office.start(
        "seals", "apply", source, "--seal", "default", "--level", "B-B", "--queue", "--as", "reviewer-1"
    )
    batch = until(lambda: (found := office.latest()) and found.id != (earlier and earlier.id) and found)
    until(lambda: book.counts(batch.id)[ItemState.SEALED])
    in_hand = stopped_with_documents_in_hand(book, batch.id, machine_of(other_machine), second.pid)
    first = office.start(*options)
    ours = machine_of(office.home)
    until(lambda: any(i.worker.startswith(ours) for i in book.items(batch.id, states=[ItemState.SEALED])))
    if fate == "killed":
        os.killpg(second.pid, signal.SIGKILL)
    else:
        until(lambda: not book.counts(batch.id)[ItemState.PENDING] and not book.counts(batch.id)[ItemState.LEASED])
        os.killpg(second.pid, signal.SIGCONT)
    assert command.wait(120) == 0
    by_machine = {item.id: item.worker.split(":")[0] for item in book.items(batch.id, states=[ItemState.SEALED])}
    assert set(by_machine.values()) == {ours, machine_of(other_machine)}
    assert {by_machine[item] for item in in_hand} == {ours}
    if fate == "woken":
        os.killpg(second.pid, signal.SIGTERM)
        assert b"Traceback" not in second.communicate(timeout=60)[1]
    os.killpg(first.pid, signal.SIGTERM)
    first.wait(60)
    assert len(sealed_files(source)) == COUNT
    office.check_once(batch.id, COUNT)
