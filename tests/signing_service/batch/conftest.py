"""Two demo homes, on SQLite and on PostgreSQL, made once; folders of small PDFs; what must be true of a batch."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pikepdf
import pytest

from cli.init import SQLITE_URL, STEPS, make_home
from cli.opened_home import open_home
from cli.progress import Progress
from cli.seal_processes import batch_book
from signing_service.custody.core import Custody
from signing_service.kernel.database import Database
from signing_service.pades.batch_tables import ItemState, SealBatch
from signing_service.pdf.opening import open_pdf
from signing_service.seals.use_book import UseBook, UseState


def pdf(text: str, pages: int = 1) -> bytes:
    document = pikepdf.new()
    for number in range(pages):
        page = document.add_blank_page(page_size=(595.276, 841.89))
        page.Contents = document.make_stream(f"0.9 g 0 0 100 100 re f % {text} {number}".encode())
    output = io.BytesIO()
    document.save(output)
    return output.getvalue()


@dataclass
class Office:
    """A home and what its batches came to."""

    home: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def settings(self):
        return open_home(self.home)

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "cli", "--home", str(self.home), *map(str, arguments)]

    def start(self, *arguments: object, home: Path | None = None) -> subprocess.Popen[bytes]:
        """A command in a process group of its own: what one kill takes with it."""
        command = self.command(*arguments)
        command[4] = str(home or self.home)
        child = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.processes.append(child)
        return child

    def run(self, *arguments: object, code: int = 0) -> dict[str, object]:
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, check=False, timeout=240,
            env={**os.environ, "LC_ALL": "en_US.UTF-8"},
        )  # fmt: skip
        assert done.returncode == code, done.stderr + done.stdout
        return json.loads(done.stdout) if done.stdout.startswith("{") else {"out": done.stdout, "err": done.stderr}

    def apply(self, folder: Path, *arguments: object, code: int = 0) -> dict[str, object]:
        """`zhengyin seals apply`, one process, without a TSA."""
        given = ("--seal", "default", "--level", "B-B", "--workers", 1, "--json")
        return self.run("seals", "apply", folder, *given, *arguments, code=code)

    def book(self):
        return batch_book(Database(self.settings.database_url))

    def latest(self) -> SealBatch:
        book = self.book()
        with book.register.database.read() as session:
            return session.query(SealBatch).order_by(SealBatch.created_at.desc()).first()

    def check_once(self, batch_id: str, count: int) -> None:
        """Every document sealed, each exactly once: by its row, the book of uses and custody's own ledger.

        Since the batch was made its key signed nothing else: not even a value that never left the house.
        """
        book = self.book()
        begun = book.find(batch_id).created_at
        sealed = book.items(batch_id, states=[ItemState.SEALED])
        assert len(sealed) == count
        uses = [use for use in UseBook(book.register).uses("default") if use.reference in {i.reference for i in sealed}]
        assert Counter(use.state for use in uses) == {UseState.RELEASED: count}
        with closing(Custody(self.settings.custody)) as custody:
            made = Counter(each.use.digest for each in custody.uses("default") if each.at >= begun)
            custody.ledger.check()
        assert made == Counter(item.digest for item in sealed)
        assert set(made.values()) == {1}


@pytest.fixture(scope="session")
def sqlite_office(tmp_path_factory):
    home = make_home(tmp_path_factory.mktemp("sqlite") / "home", SQLITE_URL, Progress(STEPS, "en"))
    return Office(home.home)


@pytest.fixture(scope="session")
def postgres_office(tmp_path_factory, postgres):
    home = make_home(tmp_path_factory.mktemp("postgres") / "home", postgres.new_database(), Progress(STEPS, "en"))
    return Office(home.home)


@pytest.fixture
def office(request, sqlite_office):
    """On SQLite, or on the database that a test names with `indirect`."""
    given = getattr(request, "param", "sqlite")
    made = sqlite_office if given == "sqlite" else request.getfixturevalue("postgres_office")
    yield made
    for child in made.processes:
        if child.poll() is None:
            os.killpg(child.pid, 9)
        child.wait()
        for pipe in (child.stdout, child.stderr):
            pipe.close()
    made.processes.clear()


@pytest.fixture
def folder(tmp_path):
    """Fills a folder with so many different PDFs."""

    def fill(count: int, name: str = "in") -> Path:
        made = tmp_path / name
        made.mkdir(exist_ok=True)
        for number in range(count):
            (made / f"批复{number:04d}.pdf").write_bytes(pdf(f"{name} {number}"))
        return made

    return fill


@pytest.fixture
def sealed_files():
    """The sealed files of a folder, each of which opens as a PDF with one signature and begins with its source."""

    def look(folder: Path) -> list[Path]:
        found = sorted(folder.glob("*.sealed.pdf"))
        for path in found:
            content = path.read_bytes()
            source = path.with_name(path.name.replace(".sealed.pdf", ".pdf")).read_bytes()
            assert content.startswith(source)
            assert content.count(b"/Type/Sig/") == 1
            open_pdf(content)
        return found

    return look
