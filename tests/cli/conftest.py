"""One demo home for the tests of this folder, made once: they may read it and sign with it."""

from pathlib import Path

import pytest

from cli.init import SQLITE_URL, STEPS, make_home
from cli.progress import Progress
from signing_service.settings import Settings


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder: Path = tmp_path_factory.mktemp("home") / "zhengyin-home"
    return make_home(folder, SQLITE_URL, Progress(STEPS, "en"))
