"""Files beyond a hundred megabytes: exact offsets (B23), flat memory, the result on disk whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from signing_service.pades.growing_file import DiskFile, MemoryFile
from signing_service.pades.sign import Level, SignatureRequest
from signing_service.pades.sign_file import sign_file
from signing_service.pdf.update import Container, Update


@pytest.fixture(scope="module")
def hundred_megabytes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A one-page file with a stream of 100,000,100 bytes."""
    size = 100_000_100
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Padding 5 0 R>>",
        b"<</Length 0>>\nstream\n\nendstream",
    ]
    path = tmp_path_factory.mktemp("big") / "big.pdf"
    with path.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        offsets = []
        for number, source in enumerate(objects, start=1):
            offsets.append(file.tell())
            file.write(b"%d 0 obj\n%s\nendobj\n" % (number, source))
        offsets.append(file.tell())
        file.write(b"5 0 obj\n<</Length %d>>\nstream\n" % size)
        file.write(bytes(range(256)) * (size // 256) + bytes(size % 256))
        file.write(b"\nendstream\nendobj\n")
        start = file.tell()
        rows = b"".join(b"%010d 00000 n\r\n" % offset for offset in offsets)
        file.write(b"xref\n0 6\n0000000000 65535 f\r\n" + rows)
        file.write(b"trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start)
    return path


@pytest.mark.parametrize("level", [Level.B_B, Level.B_LTA])
def test_b23_a_hundred_megabytes_are_signed_exactly(
    pki, authority, hundred_megabytes: Path, tmp_path: Path, now: datetime, level: Level
) -> None:
    target = tmp_path / "signed.pdf"
    request = SignatureRequest(field="印章", signed_at=now, level=level, lock=True)
    sign_file(hundred_megabytes, target, request, pki.key("示例印章"), timestamper=authority, revocation=pki)
    output = subprocess.run(["pdfsig", "-nocert", str(target)], capture_output=True, check=False).stdout.decode()
    assert output.count("Signature is Valid.") >= 1
    assert ("Total document signed" in output) or level is Level.B_LTA
    with target.open("rb") as signed, hundred_megabytes.open("rb") as original:
        while chunk := original.read(1 << 24):
            assert signed.read(len(chunk)) == chunk
    assert [path.name for path in tmp_path.iterdir()] == ["signed.pdf"]


def test_memory_does_not_grow_with_the_file(hundred_megabytes: Path, tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from signing_service.pades.growing_file import DiskFile\n"
        "from signing_service.pades.plain_preparation import prepare_plainly\n"
        "from signing_service.pades.request import SignatureRequest\n"
        "import datetime\n"
        "request = SignatureRequest(field='a', signed_at=datetime.datetime.now(datetime.UTC))\n"
        "status = pathlib.Path('/proc/self/status')\n"
        "peak = lambda: next(line.split()[1] for line in status.read_text().splitlines() if line.startswith('VmHWM'))\n"
        "before = peak()\n"
        "with DiskFile(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])) as file:\n"
        "    update = prepare_plainly(file, request, 4096)\n"
        "    file.digest_with(update); file.append(update.filled(b'x')); file.finish()\n"
        "print(before, peak())\n"
    )
    command = [sys.executable, "-c", program, str(hundred_megabytes), str(tmp_path / "out.pdf")]
    before, after = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    assert int(after) <= 1.1 * int(before) + 2048  # KiB


@pytest.mark.parametrize("size", [0, 1, 5000, 3 << 20])
def test_both_kinds_of_file_digest_alike(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (tmp_path / "source").write_bytes(content)
    update = Update(bytearray(b"front<0000>back"), Container(5, 11, (0, 0, 0, 0)))
    memory = MemoryFile(content)
    with DiskFile(tmp_path / "source", tmp_path / "copy") as disk:
        for _ in range(2):
            assert memory.digest_with(update) == disk.digest_with(update)
            memory.append(b"more")
            disk.append(b"more")
        disk.finish()
    assert (tmp_path / "copy").read_bytes() == memory.buffer == content + b"moremore"


def test_a_missing_source_leaves_nothing(pki, tmp_path: Path, now: datetime, make_pdf: Callable[..., bytes]) -> None:
    request = SignatureRequest(field="印章", signed_at=now)
    with pytest.raises(FileNotFoundError):
        sign_file(tmp_path / "none.pdf", tmp_path / "out.pdf", request, pki.key("示例印章"))
    assert not list(tmp_path.iterdir())
