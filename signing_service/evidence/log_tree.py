"""The audit log's tree: committed entries get positions, and the hashes of complete subtrees are kept in tiles.

Whoever writes an entry takes no lock of the tree's: rows commit in any order and one sequencer gives positions
afterwards. Tiles are those of C2SP tlog-tiles: 256 hashes each, a tile of level L over 256**L leaves a hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import LargeBinary, func, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.evidence import merkle
from signing_service.kernel.audit_log import AuditEntry
from signing_service.kernel.database import Base, Database

MOST_AT_ONCE = 5000
TILE_BITS = 8
TILE_HASHES = 1 << TILE_BITS
HASH_BYTES = 32
_ONE_SEQUENCER = 7_214_036_905  # PostgreSQL advisory lock; any number that nobody else uses


class LogTile(Base):
    """Hashes of one tile, one after another; only the last tile of a level grows."""

    __tablename__ = "log_tile"

    level: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    hashes: Mapped[bytes] = mapped_column(LargeBinary)


@dataclass(frozen=True, slots=True)
class TreeHead:
    size: int
    root: bytes


class LogTree:
    """The tree within one session. `nodes` is what `merkle` takes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tiles: dict[tuple[int, int], bytes] = {}

    @property
    def size(self) -> int:
        """How many leaves there are."""
        last = self._session.scalar(select(func.max(LogTile.number)).where(LogTile.level == 0))
        return 0 if last is None else last * TILE_HASHES + len(self._tile(0, last)) // HASH_BYTES

    def head(self) -> TreeHead:
        size = self.size
        return TreeHead(size, merkle.root(size, self.nodes))

    def nodes(self, level: int, index: int) -> bytes:
        """The hash of the complete subtree of 2**level leaves number `index`. Raises KeyError where there is none."""
        tile_level, bits = divmod(level, TILE_BITS)
        first = index << bits
        number, offset = divmod(first, TILE_HASHES)
        hashes = _split(self._tile(tile_level, number))[offset : offset + (1 << bits)]
        if len(hashes) != 1 << bits:
            raise KeyError((level, index))
        return _top(hashes)

    def append(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes at the end; a tile that gets full becomes a hash of the level above."""
        self._append(0, self.size, list(leaves))

    def _append(self, level: int, at: int, hashes: list[bytes]) -> None:
        above, first_full = [], at // TILE_HASHES
        while hashes:
            number, offset = divmod(at, TILE_HASHES)
            taken, hashes = hashes[: TILE_HASHES - offset], hashes[TILE_HASHES - offset :]
            self._extend(level, number, b"".join(taken))
            at += len(taken)
            if at % TILE_HASHES == 0:
                above.append(_top(_split(self._tile(level, number))))
        if above:
            self._append(level + 1, first_full, above)

    def _extend(self, level: int, number: int, more: bytes) -> None:
        row = self._session.get(LogTile, (level, number))
        if row is None:
            row = LogTile(level=level, number=number, hashes=b"")
            self._session.add(row)
        row.hashes += more
        self._session.flush()
        self._tiles[level, number] = row.hashes

    def _tile(self, level: int, number: int) -> bytes:
        if (level, number) not in self._tiles:
            row = self._session.get(LogTile, (level, number))
            self._tiles[level, number] = b"" if row is None else row.hashes
        return self._tiles[level, number]


def sequence_entries(database: Database, most: int = MOST_AT_ONCE) -> int:
    """Give positions to entries that have none, oldest row first; returns how many. Safe from several processes."""
    with database.write() as session:
        if not database.is_sqlite:  # on SQLite the writer's lock is taken already
            session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ONE_SEQUENCER})
        tree = LogTree(session)
        size = tree.size
        waiting = select(AuditEntry.id, AuditEntry.leaf).where(AuditEntry.position.is_(None))
        rows = session.execute(waiting.order_by(AuditEntry.id).limit(most)).all()
        if rows:
            places = [{"id": row.id, "position": size + place} for place, row in enumerate(rows)]
            session.execute(update(AuditEntry), places)
            tree.append([merkle.leaf_hash(bytes.fromhex(row.leaf)) for row in rows])
    return len(rows)


def _top(hashes: list[bytes]) -> bytes:
    """The hash over a power of two of them."""
    while len(hashes) > 1:
        hashes = [merkle.node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[place : place + HASH_BYTES] for place in range(0, len(hashes), HASH_BYTES)]
