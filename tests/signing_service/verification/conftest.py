"""Fixtures of the verification room: one certificate world, one sealed file, policies."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from pdf_bytes import document
from pki_world import World
from sealed_files import sign

from signing_service.verification.policy import Policy, Purpose

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)


@pytest.fixture(scope="session")
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def sealed(world: World) -> bytes:
    """B-T, visible seal, no certification."""
    return sign(document(), world, world.seal)


@pytest.fixture(scope="session")
def make_policy(world: World) -> Callable[..., Policy]:
    def make(**changes: object) -> Policy:
        at = changes.pop("at", NOW)
        anchors = {
            Purpose.SEALS: [world.seals.der],
            Purpose.OFFICERS: [world.officers.der],
            Purpose.TIMESTAMPS: [world.times.der],
        }
        settings: dict[str, object] = {"crls": world.crls(datetime(2026, 6, 9, tzinfo=UTC)), **changes}
        return Policy(anchors, at, **settings)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy()


@pytest.fixture(scope="session")
def corpora() -> Path:
    folder = Path(os.environ.get("ZHENGYIN_CORPORA", Path(__file__).parents[4] / "shared" / "corpora"))
    if not (folder / "MANIFEST.tsv").exists():
        pytest.skip(f"the external corpora are not at {folder}")
    return folder
