"""A `sign` read without Typer is read as Typer reads it; everything else is left to Typer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import sign_command
from cli.commands import app
from cli.plain_command_line import read_sign

PLAIN = [
    ["sign", "in.pdf", "-o", "out.pdf", "--seal", "default"],
    ["--home", "here", "sign", "in.pdf", "--output", "out.pdf", "--seal", "default", "--level", "B-LTA"],
    ["sign", "--key", "pkcs11:token=a;object=b", "-o", "out.pdf", "in.pdf", "--reason", "同意 100%", "--level", "B-B"],
    ["sign", "in.pdf", "-o", "out.pdf", "--seal", "a", "--place", "page=-1,right=20,bottom=20"],
    ["sign", "sign", "-o", "sign"],
]
LEFT_TO_TYPER = [
    ["sign", "--help"],
    ["sign", "in.pdf"],
    ["sign", "in.pdf", "-oout.pdf"],
    ["sign", "in.pdf", "other.pdf", "-o", "out.pdf"],
    ["sign", "in.pdf", "-o", "out.pdf", "--seal=default"],
    ["sign", "in.pdf", "-o", "out.pdf", "--seal"],
    ["sign", "in.pdf", "-o", "out.pdf", "--seal", "--level"],
    ["sign", "in.pdf", "-o", "out.pdf", "--seal", "a", "--seal", "b"],
    ["sign", "in.pdf", "-o", "out.pdf", "--colour", "red"],
    ["sign", "-o", "out.pdf", "--", "in.pdf"],
    ["--home", "sign"],
    ["seals", "sign"],
]


@pytest.mark.parametrize("words", PLAIN)
@pytest.mark.parametrize("variable", [None, "", "elsewhere"])
def test_both_read_the_same(words: list[str], variable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZHENGYIN_HOME", raising=False)
    if variable is not None:
        monkeypatch.setenv("ZHENGYIN_HOME", variable)
    seen: dict[str, Any] = {}

    def keep(home: Path, source: Path, output: Path, **options: str | None) -> None:
        seen.update(home=home, source=source, output=output, **options)

    monkeypatch.setattr(sign_command, "make_signature", keep)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    defaults = {"seal": None, "key": None, "level": "B-T", "place": "page=-1,right=20,bottom=20", "reason": ""}
    given = read_sign(words)
    assert given is not None
    assert defaults | given == seen


@pytest.mark.parametrize("words", LEFT_TO_TYPER)
def test_the_rest_is_left_to_typer(words: list[str]) -> None:
    assert read_sign(words) is None


def test_a_cold_seal_loads_neither_typer_nor_a_second_pdf_library() -> None:
    program = (
        "import sys, cli.main, cli.plain_command_line, cli.sign, cli.opened_home\n"
        "import signing_service.custody.core, signing_service.custody.keys, signing_service.pades.sign\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "cryptography" in loaded
    heavy = {"typer", "pydantic", "sqlalchemy", "asn1crypto", "pyhanko", "fontTools", "numpy", "pypdfium2", "yaml"}
    assert heavy.isdisjoint(loaded)


def test_a_cold_signature_with_a_key_loads_no_database_library_and_no_x509(tmp_path: Path) -> None:
    """The same for `--key`, as far as the token: what `make_signature` imports on its way."""
    program = (
        "import sys, cli.main, cli.plain_command_line, cli.sign, cli.opened_home, hardware.driver\n"
        "import signing_service.kernel.blobs, signing_service.pades.sign, signing_service.pki.ports\n"
        "import signing_service.pki.origin_lookup\n"
        "print(*sorted(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    heavy = {
        "sqlalchemy", "platformdirs", "socket", "cryptography.x509", "pyhanko", "asn1crypto", "typer",
        "signing_service.pades.appearance", "signing_service.pades.placing",
    }  # fmt: skip
    assert heavy.isdisjoint(loaded)
