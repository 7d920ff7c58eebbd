"""`zhengyin verify`: the contract of the command line, run as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from attacks import CHANGED
from cryptography.hazmat.primitives.serialization import Encoding
from pdf_bytes import append, document
from sealed_files import sign

AT = "2026-06-10T08:00:00+00:00"


@pytest.fixture(scope="module")
def home(world, tmp_path_factory) -> Path:
    """A home that trusts the test world."""
    folder = tmp_path_factory.mktemp("home")
    for purpose, party in (("seals", world.seals), ("officers", world.officers), ("timestamps", world.times)):
        (folder / "trust" / purpose).mkdir(parents=True)
        (folder / "trust" / purpose / "ca.pem").write_bytes(party.certificate.public_bytes(Encoding.PEM))
    (folder / "trust" / "crls").mkdir()
    from datetime import UTC, datetime

    for index, crl in enumerate(world.crls(datetime(2026, 6, 9, tzinfo=UTC))):
        (folder / "trust" / "crls" / f"{index}.crl").write_bytes(crl)
    return folder


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from cli.main import main; main()",
        "--home",
        str(home),
        "verify",
        "--offline",
        *arguments,
    ]
    root = Path(__file__).parents[3]
    return subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=60, check=False)


def test_a_sealed_file_gives_json_and_0(home, sealed, tmp_path):
    path = tmp_path / "许可.pdf"
    path.write_bytes(sealed)
    done = run(home, "--json", "--at", AT, str(path))
    told = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (told["verdict"], told["usable_now"], told["reason"]) == ("passed", "yes", "passed")
    assert told["file"] == str(path)


def test_a_changed_file_gives_4(home, sealed, tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(CHANGED["seal_moved"](sealed))
    done = run(home, "--at", AT, str(path))
    assert done.returncode == 4
    assert "✖" in done.stdout.splitlines()[0]


def test_an_unsigned_file_gives_3(home, tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(document())
    assert run(home, "--json", str(path)).returncode == 3


def test_without_a_home_nobody_is_trusted(sealed, tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(sealed)
    done = run(tmp_path / "nowhere", "--json", "--at", AT, str(path))
    assert (done.returncode, json.loads(done.stdout)["reason"]) == (3, "untrusted_signer")


def test_named_anchors_replace_the_homes(home, sealed, world, tmp_path):
    path, anchor = tmp_path / "a.pdf", tmp_path / "root.pem"
    path.write_bytes(sealed)
    anchor.write_bytes(world.stranger.certificate.public_bytes(Encoding.PEM))
    assert (
        json.loads(run(home, "--json", "--at", AT, "--trust", str(anchor), str(path)).stdout)["reason"]
        == "untrusted_signer"
    )


def test_wrong_use_gives_2(home, tmp_path):
    assert run(home, str(tmp_path / "missing.pdf")).returncode == 2
    path = tmp_path / "a.pdf"
    path.write_bytes(document())
    assert run(home, "--at", "yesterday", str(path)).returncode == 2


def test_a_required_policy_is_asked_of_signers_alone(home, sealed, tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(sealed)
    done = run(home, "--json", "--at", AT, "--require-policy", "1.2.156.99999.1", str(path))
    told = json.loads(done.stdout)
    assert (done.returncode, told["reason"]) == (3, "untrusted_signer")
    assert {each["sub_indication"] for each in told["signatures"]} == {"CHAIN_CONSTRAINTS_FAILURE"}
    assert told["signatures"][0]["time_source"] == "timestamp"
    wrong = run(home, "--require-policy", "policy", str(path))
    assert (wrong.returncode, "--require-policy" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("stated", "code", "reason"),
    [
        ((), 0, "passed"),
        (("--recipient", "示例市房管局", "--matter", "过户"), 0, "passed"),
        (("--recipient", "示例市银行"), 4, "copy_wrong_recipient"),
        (("--matter", "抵押"), 4, "copy_wrong_recipient"),
        (("--recipient", "示例市银行", "--as-of-sealing"), 0, "copy_wrong_recipient"),
    ],
)
def test_a_copy_is_for_one_recipient_and_matter(stated, code, reason, home, world, tmp_path):
    marks = b"\xfe\xff" + "JZJBH=C1,JZJSY=示例市房管局:过户,JZJYXQJZSJ=2026-07-01T00:00:00+08:00".encode("utf-16-be")
    source = append(document(), {4: b"<< /Keywords <%s> >>" % marks.hex().encode()})
    path = tmp_path / "copy.pdf"
    path.write_bytes(sign(source, world, world.seal))
    done = run(home, "--json", "--at", AT, *stated, str(path))
    assert (done.returncode, json.loads(done.stdout)["reason"]) == (code, reason)
    later = run(home, "--json", "--at", "2026-07-02T00:00:00+00:00", *stated, str(path))
    assert json.loads(later.stdout)["usable_now"] == "no"
    if not stated:
        assert "示例市房管局" in json.loads(done.stdout)["hint"]


def test_a_trust_or_crl_file_that_is_none_is_refused_by_name(home, sealed, tmp_path):
    path, junk = tmp_path / "a.pdf", tmp_path / "junk.pem"
    path.write_bytes(sealed)
    for content in (b"", b"-----BEGIN X509 CRL-----\n%%%\n-----END X509 CRL-----", b"\x30\x03\x02\x01\x00"):
        junk.write_bytes(content)
        for option in ("--trust", "--crl"):
            done = run(home, "--at", AT, option, str(junk), str(path))
            assert (done.returncode, "junk.pem" in done.stderr, "Traceback" in done.stderr) == (2, True, False)
