"""The archive's index: an older copy of a kept file finds it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from sealed_files import SIGNED, sign, stamp_document

from signing_service.kernel.database import Base, Database
from signing_service.verification.archive import index_kept, kept_digest

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)


@pytest.fixture
def database(tmp_path):
    opened = Database(f"sqlite:///{tmp_path}/a.db")
    Base.metadata.create_all(opened.engine)
    yield opened
    opened.close()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_every_revision_finds_the_newest_kept_file(database, sealed, world):
    stamped = stamp_document(sealed, world, SIGNED + timedelta(days=1))
    with database.write() as session:
        index_kept(session, sealed, NOW)
        index_kept(session, stamped, NOW + timedelta(days=1))
        index_kept(session, stamped, NOW + timedelta(days=2))
    with database.read() as session:
        for copy in (sealed, sealed.rstrip(b"\r\n"), stamped):
            assert kept_digest(session, digest(copy)) == digest(stamped)
        assert kept_digest(session, digest(sealed[:-20])) is None
        assert kept_digest(session, digest(sign(sealed, world, world.officer, world.officers, field="x"))) is None
