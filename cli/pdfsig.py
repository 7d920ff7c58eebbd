"""A second opinion: what poppler's `pdfsig` says of every signature of a file."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from signing_service.errors import SigningServiceError, Text

VALID = "Signature is Valid."


class PdfsigMissing(SigningServiceError):
    code = "pdfsig_missing"

    def __init__(self) -> None:
        super().__init__(
            Text("没有安装 pdfsig。", "pdfsig is not installed."),
            advice=Text("请安装:apt install poppler-utils。", "Install it: apt install poppler-utils."),
        )


class SecondOpinionDiffers(SigningServiceError):
    """pdfsig does not call every signature valid."""

    code = "second_opinion_differs"

    def __init__(self, found: str) -> None:
        super().__init__(
            Text("pdfsig 没有认可全部签名。", "pdfsig does not call every signature valid."),
            why=Text(f"它报告:{found}。", f"It says: {found}."),
            advice=Text("请保留文件并报告此问题。", "Keep the file and report this."),
        )


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """pdfsig's answer for one signature field, oldest first."""

    field: str
    validation: str


def ask_pdfsig(pdf: bytes) -> list[SecondOpinion]:
    """Every signature's answer; trust is not asked for (-nocert). Raises PdfsigMissing."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(pdf)
        file.flush()
        return _ask(Path(file.name))


def require_valid(pdf: bytes, fields: Collection[str]) -> None:
    """Raises SecondOpinionDiffers unless pdfsig calls each of these fields' signatures valid.

    `fields` leaves out document timestamps: pdfsig 22.12 does not verify them.
    """
    found = {opinion.field: opinion.validation for opinion in ask_pdfsig(pdf)}
    wrong = [f"{field}: {found.get(field, 'not seen')}" for field in fields if found.get(field) != VALID]
    if wrong or not fields:
        raise SecondOpinionDiffers("; ".join(wrong) or "no signature")


def _ask(path: Path) -> list[SecondOpinion]:
    try:
        command = ["pdfsig", "-nocert", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError:
        raise PdfsigMissing from None
    blocks = re.split(r"^Signature #\d+:$", done.stdout, flags=re.MULTILINE)[1:]
    return [
        SecondOpinion(_line(block, "Signature Field Name"), _line(block, "Signature Validation")) for block in blocks
    ]


def _line(block: str, name: str) -> str:
    found = re.search(rf"- {name}: (.*)", block)
    return found.group(1).strip() if found else ""
