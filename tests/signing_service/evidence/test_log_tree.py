"""Positions without gaps, in whatever order rows commit, and the same roots as a tree built at once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from signing_service.evidence import merkle
from signing_service.evidence.log_tree import LogTree, sequence_entries
from signing_service.kernel.audit_log import Act, AuditEntry, AuditLog
from signing_service.kernel.database import Database

AT = datetime(2026, 1, 1, tzinfo=UTC)


def write(database: Database, count: int, actor: str = "someone") -> None:
    with database.write() as session:
        for number in range(count):
            AuditLog().record(session, Act("test", actor, f"thing:{number}"), AT)


def sequence_all(database: Database) -> int:
    total = 0
    while numbered := sequence_entries(database, most=97):
        total += numbered
    return total


def leaves_in_order(database: Database) -> list[bytes]:
    with database.read() as session:
        rows = session.execute(select(AuditEntry.position, AuditEntry.leaf).order_by(AuditEntry.position)).all()
    assert [row.position for row in rows] == list(range(len(rows)))
    return [merkle.leaf_hash(bytes.fromhex(row.leaf)) for row in rows]


def whole_root(hashes: list[bytes]) -> bytes:
    """The root computed from the leaves alone, without tiles."""

    def nodes(level: int, index: int) -> bytes:
        if level == 0:
            return hashes[index]
        return merkle.node_hash(nodes(level - 1, 2 * index), nodes(level - 1, 2 * index + 1))

    return merkle.root(len(hashes), nodes)


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 700])
def test_the_head_is_that_of_the_leaves(database: Database, count: int) -> None:
    write(database, count)
    assert sequence_all(database) == count
    with database.read() as session:
        head = LogTree(session).head()
    assert (head.size, head.root) == (count, whole_root(leaves_in_order(database)))


def test_a_third_level_of_tiles(database: Database) -> None:
    hashes = [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(2 * 256 * 256 + 3)]
    with database.write() as session:
        LogTree(session).append(hashes[:70_000])
        LogTree(session).append(hashes[70_000:])
    with database.read() as session:
        tree = LogTree(session)
        assert (tree.size, tree.head().root) == (len(hashes), whole_root(hashes))
        proof = merkle.inclusion_proof(65_535, len(hashes), tree.nodes)
        assert merkle.root_of_inclusion(hashes[65_535], 65_535, len(hashes), proof) == tree.head().root


def test_every_head_extends_the_one_before(database: Database) -> None:
    heads = []
    for count in (3, 1, 300, 5):
        write(database, count)
        sequence_all(database)
        with database.read() as session:
            heads.append(LogTree(session).head())
    with database.read() as session:
        tree = LogTree(session)
        for old, new in pairwise(heads):
            proof = merkle.consistency_proof(old.size, new.size, tree.nodes)
            assert merkle.is_consistent(old.size, new.size, old.root, new.root, proof)


def test_writers_and_sequencers_at_once(database: Database) -> None:
    """A row that commits late gets a later position; nothing is left out, nothing numbered twice."""
    failures: list[BaseException] = []

    def guarded(work: object, *arguments: object) -> None:
        try:
            work(*arguments)  # type: ignore[operator]
        except BaseException as failure:
            failures.append(failure)

    def number() -> None:
        for _ in range(10):
            sequence_entries(database, most=7)

    threads = [threading.Thread(target=guarded, args=(write, database, 11, f"writer {n}")) for n in range(6)]
    threads += [threading.Thread(target=guarded, args=(number,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    sequence_all(database)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 66
        assert LogTree(session).head().root == whole_root(leaves_in_order(database))


def test_no_subtree_beyond_the_leaves(database: Database) -> None:
    write(database, 3)
    sequence_all(database)
    with database.read() as session, pytest.raises(KeyError):
        LogTree(session).nodes(1, 1)
