"""`zhengyin sign` as a user runs it: the contract, and every refusal with nothing written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pexpect
import pikepdf
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from cli.opened_home import load_picture
from cli.sign import SignUsage, parse_place
from hardware.driver import open_token
from hardware.private_keys import as_private_key
from hardware.softhsm import SoftHsmStore
from signing_service.kernel.typesetting import typeset
from signing_service.pades.placing import AnyPlacing, FieldPlacing, Placing, SeamPlacing
from signing_service.settings import Settings

PAGE = '#set page(paper: "a5")\n#set text(font: "Noto Serif CJK SC")\n请在此盖章:盖章处'


def zhengyin(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "en_US.UTF-8"}
    command = [sys.executable, "-m", "cli", "--home", str(home), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.pdf"
    path.write_bytes(typeset(PAGE, {}))
    return path


@pytest.mark.parametrize("level", ["B-B", "B-T", "B-LT", "B-LTA"])
def test_every_level_is_sealed_and_verifies(home: Settings, page: Path, tmp_path: Path, level: str) -> None:
    sealed = tmp_path / "sealed.pdf"
    done = zhengyin(home.home, "sign", str(page), "-o", str(sealed), "--seal", "default", "--level", level)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(sealed)
    assert sealed.read_bytes().startswith(page.read_bytes())
    judged = zhengyin(home.home, "verify", "--json", "--offline", str(sealed))
    report = json.loads(judged.stdout)
    assert (judged.returncode, report["verdict"], report["usable_now"]) == (0, "passed", "yes")
    assert report["covers_whole_file"] is True or level in ("B-LT",)
    seal = next(entry for entry in report["signatures"] if entry["kind"] == "seal")
    assert (seal["integrity"], seal["indication"], seal["level"]) == ("intact", "TOTAL-PASSED", level)


def test_a_key_named_by_uri_signs(home: Settings, page: Path, tmp_path: Path) -> None:
    uri = f"pkcs11:token=reviewer-1;object=signing?pin-source=file:{home.pins}/reviewer-1.pin"
    done = zhengyin(home.home, "sign", str(page), "-o", str(tmp_path / "out.pdf"), "--key", uri)
    assert done.returncode == 0, done.stderr
    judged = zhengyin(home.home, "verify", "--json", "--offline", str(tmp_path / "out.pdf"))
    assert json.loads(judged.stdout)["reason"] == "passed_signature"


@pytest.mark.parametrize("place", ["keyword=盖章处", "free", "page=0,left=10,top=10"])
def test_places(home: Settings, page: Path, tmp_path: Path, place: str) -> None:
    done = zhengyin(home.home, "sign", str(page), "-o", str(tmp_path / "o.pdf"), "--seal", "default", "--place", place)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "placing"),
    [
        ("page=0,left=10,top=12.5,width=30,height=20", Placing(0, 10, 12.5, 30, 20, "upper-left")),
        ("field=盖章处", FieldPlacing("盖章处")),
        ("edge", SeamPlacing()),
        ("edge,first=1,last=-2,side=left,bottom=90", SeamPlacing(1, -2, 90, "left")),
    ],
)
def test_a_place_reads_as_it_is_written(text: str, placing: AnyPlacing) -> None:
    assert parse_place(text) == placing


@pytest.mark.parametrize("text", ["field=", "edge=5", "edge,side=top", "edge,page=1", "page=x", "width=wide"])
def test_a_place_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(SignUsage, match="is not understood"):
        parse_place(text)


def test_a_seal_runs_across_all_pages_under_one_signature(home: Settings, tmp_path: Path) -> None:
    source, sealed = tmp_path / "three.pdf", tmp_path / "sealed.pdf"
    source.write_bytes(typeset(PAGE + "#pagebreak()#pagebreak()", {}))
    done = zhengyin(home.home, "sign", str(source), "-o", str(sealed), "--seal", "default", "--place", "edge")
    assert done.returncode == 0, done.stderr
    with pikepdf.open(sealed) as document:
        (field,) = document.Root.AcroForm.Fields
        widths = [float(kid.Rect[2]) - float(kid.Rect[0]) for kid in field.Kids]
    assert len(widths) == 3
    assert sum(widths) == pytest.approx(load_picture(home, "default").width_pt, abs=0.1)
    judged = json.loads(zhengyin(home.home, "verify", "--json", "--offline", str(sealed)).stdout)
    assert [(entry["kind"], entry["verdict"]) for entry in judged["signatures"]] == [("seal", "passed")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Give either --seal or --key"),
        (["--seal", "default", "--place", "somewhere"], 'The place "somewhere" is not understood'),
        (["--seal", "default", "--level", "B-X"], 'There is no level "B-X"'),
        (["--seal", "other"], 'There is no picture of the seal "other"'),
    ],
)
def test_b27_refusals_name_the_cause_and_write_nothing(
    home: Settings, page: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    output = tmp_path / "out.pdf"
    done = zhengyin(home.home, "sign", str(page), "-o", str(output), *options)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unreadable_file_is_named(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "not.pdf").write_bytes(b"hello")
    done = zhengyin(home.home, "sign", str(tmp_path / "not.pdf"), "-o", str(tmp_path / "o.pdf"), "--seal", "default")
    assert done.returncode == 1
    assert "PDF" in done.stderr
    assert not (tmp_path / "o.pdf").exists()


@pytest.mark.parametrize("level", ["B-B", "B-T", "B-LT"])
@pytest.mark.parametrize("whose", ["seal:default", "reviewer-1"])
def test_b42_a_certificate_on_hold_is_refused_at_every_level(
    home: Settings, page: Path, tmp_path: Path, whose: str, level: str
) -> None:
    listed = json.loads(zhengyin(home.home, "pki", "list", "--state", "active", "--json").stdout)
    kinds = ("seal", "officer-signing")
    (which,) = (each["fingerprint"] for each in listed if each["owner"] == whose and each["profile"] in kinds)
    hold = ("--as", "pki-operator", "--reason", "核查")
    pin = f"file:{home.pins}/reviewer-1.pin"
    key = ("--key", f"pkcs11:token=reviewer-1;object=signing?pin-source={pin}")
    signer = ("--seal", "default") if whose == "seal:default" else key
    assert zhengyin(home.home, "pki", "suspend", which, *hold).returncode == 0
    try:
        done = zhengyin(home.home, "sign", str(page), "-o", str(tmp_path / "out.pdf"), *signer, "--level", level)
        assert done.returncode == 1
        assert "revoked or on hold" in done.stderr
        assert list(tmp_path.iterdir()) == []
    finally:
        zhengyin(home.home, "pki", "release", which, *hold)


def _token_with_an_expired_certificate(home: Settings) -> str:
    """A USB key whose one certificate ended yesterday; gives its URI, without a PIN."""
    store = SoftHsmStore(home.tokens)
    info = store.create("expired", user_pin="739150", so_pin="739150")
    with open_token(store.module, serial=info.serial, pin="739150", write=True) as token:
        key = token.generate("p256", label="signing", id=b"\x01")
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "示例 过期")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, key.public_key, 7, now - timedelta(9), now - timedelta(1))
        made = builder.sign(as_private_key(key), hashes.SHA256())
        token.store_certificate(made.public_bytes(Encoding.DER), label="signing", id=b"\x01")
    return f"pkcs11:serial={info.serial};object=signing"


def test_b16_an_expired_certificate_is_refused_before_a_pin_is_asked(
    home: Settings, page: Path, tmp_path: Path
) -> None:
    uri = _token_with_an_expired_certificate(home)
    done = zhengyin(home.home, "sign", str(page), "-o", str(tmp_path / "out.pdf"), "--key", uri)
    assert done.returncode == 1
    assert "expired" in done.stderr
    assert "PIN" not in done.stderr + done.stdout
    assert list(tmp_path.iterdir()) == []


def test_b55_a_wrong_pin_stands_in_no_message_and_an_empty_one_is_not_sent(
    home: Settings, page: Path, tmp_path: Path
) -> None:
    """Typed at the prompt; the line's end is no part of it."""
    uri = "pkcs11:token=reviewer-2;object=signing"
    command = (
        f"{sys.executable} -m cli --home {home.home} sign {page} -o {tmp_path / 'out.pdf'} --key '{uri}' --level B-B"
    )
    environment = {**os.environ, "LC_ALL": "en_US.UTF-8"}

    def typed(*lines: str) -> tuple[str, int | None]:
        asked = pexpect.spawn("sh", ["-c", command], env=environment, encoding="utf-8", timeout=120)
        seen = ""
        for line in lines:
            asked.expect("PIN: ")
            seen += asked.before or ""
            asked.sendline(line)
        asked.expect(pexpect.EOF)
        seen += asked.before or ""
        asked.close()
        return seen, asked.exitstatus

    said, status = typed("", "604518")
    assert status == 1
    assert "604518" not in said
    assert "Traceback" not in said
    right = (home.pins / "reviewer-2.pin").read_text().strip()
    said, status = typed(right)
    assert (status, right in said) == (0, False)


def test_the_input_is_never_replaced(home: Settings, page: Path) -> None:
    before = page.read_bytes()
    done = zhengyin(home.home, "sign", str(page), "-o", str(page), "--seal", "default")
    assert done.returncode == 1
    assert page.read_bytes() == before


def test_usage_errors_exit_with_two(home: Settings) -> None:
    assert zhengyin(home.home, "sign").returncode == 2
