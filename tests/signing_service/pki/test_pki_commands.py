"""`zhengyin pki` as a user runs it, in processes of its own on a home of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from sqlalchemy import create_engine, inspect

Run = Callable[..., str]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pki-home") / "home"


@pytest.fixture(scope="module")
def run(home: Path, zhengyin: Callable[[Path], Run]) -> Run:
    command = zhengyin(home)
    command("init")
    return lambda *arguments, **more: command("pki", *arguments, **more)


def rows(run: Run) -> list[dict[str, Any]]:
    return json.loads(run("list", "--json"))


def usb_key(run: Run, home: Path, officer: str) -> list[str]:
    serial = next(row["token_serial"] for row in rows(run) if row["owner"] == officer)
    return ["--token", f"pkcs11:serial={serial}", "--pin-file", str(home / "pins" / f"{officer}.pin")]


def test_an_officer_gets_a_second_certificate_and_loses_it(run: Run, home: Path, tmp_path: Path) -> None:
    token = usb_key(run, home, "reviewer-1")
    asked = ["--profile", "officer-signing", "--owner", "reviewer-1", "--as", "pki-operator"]
    reference = run("request", *asked).strip()
    assert "Neither the one who asked" in run("approve", reference, "--as", "pki-operator", code=1)
    run("approve", reference, "--as", "seal-admin-1")
    fingerprint = run("issue", reference, "--as", "pki-operator", *token, "--label", "second", "--key", "p256").strip()
    assert "reviewer-2" not in run("activate", reference, "--as", "reviewer-2", *token, code=1)
    run("activate", reference, "--as", "reviewer-1", *token)
    shown = json.loads(run("show", fingerprint))
    assert [entry["move"] for entry in shown["history"]] == ["request", "approve", "issue", "activate"]
    lost = ["--code", "key_compromise", "--lost-at", "2026-01-01T08:00+08:00"]
    run("revoke", reference, "--as", "reviewer-1", "--reason", "lost on the bus", *lost)
    run("crl", "issuing", "-o", str(tmp_path / "issuing.crl"))
    crl = x509.load_der_x509_crl((tmp_path / "issuing.crl").read_bytes())
    entry = crl.get_revoked_certificate_by_serial_number(int(shown["serial"], 16))
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise


def test_impact_tells_and_revokes_nothing_unasked(run: Run) -> None:
    reference = next(row["reference"] for row in rows(run) if row["owner"] == "seal:default")
    since = ["--certificate", reference, "--since", "2026-01-01"]
    found = json.loads(run("impact", *since))
    assert [draft["owner"] for draft in found["drafts"]] == ["seal:default"]
    run("impact", *since, "--revoke", "--as", "pki-operator", given="n\n")
    assert json.loads(run("show", reference))["state"] == "active"


def test_a_ceremony_is_told_before_it_is_held(run: Run, home: Path, tmp_path: Path) -> None:
    serials = {row["owner"]: row["token_serial"] for row in rows(run)}
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        yaml.safe_dump(
            {
                "title": "续办时间戳密钥", "organization": "示例市", "base_url": "http://127.0.0.1:1",
                "present": [{"name": "甲", "role": "主持"}, {"name": "乙", "role": "见证"}],
                "existing": [{"name": "issuing", "token": "issuing", "label": "issuing"}],
                "certificates": [
                    {"name": "tsa-2", "profile": "tsa", "token": "services", "key": "p256", "subject": "时间戳",
                     "issuer": "issuing", "service": "tsa"}
                ],
            }
        )
    )  # fmt: skip
    assert "tsa-2" in run("ceremony", str(plan), "--dry-run")
    assert len([row for row in rows(run) if row["owner"] == "tsa"]) == 1
    tokens = [
        option
        for name, label in (("issuing", "zhengyin-seals"), ("services", "zhengyin-services"))
        for option in ("--token", f"{name}=pkcs11:serial={serials['issuing' if name == 'issuing' else 'tsa']}",
                       "--pin-file", f"{name}={home / 'pins' / label}.pin")
    ]  # fmt: skip
    record = json.loads(run("ceremony", str(plan), "--as", "pki-operator", *tokens))
    assert record["certificates"][0]["token_serial"] == serials["tsa"]
    assert [row["state"] for row in rows(run) if row["owner"] == "tsa"] == ["active", "active"]
    assert "already holds a key" in run("ceremony", str(plan), "--as", "pki-operator", *tokens, code=1)


def test_a_wrong_plan_is_told_with_its_faults(run: Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("title: x\n")
    said = run("ceremony", str(plan), "--dry-run", code=1)
    assert "organization: missing" in said
    assert "Traceback" not in said


def test_a_token_is_unblocked_by_an_operator_alone(run: Run, home: Path) -> None:
    reference = next(row["reference"] for row in rows(run) if row["owner"] == "auditor")
    options = ["--so-pin-file", str(home / "pins" / "auditor.so-pin"), "--reason", "forgotten"]
    assert "pki_operator" in run("unblock", reference, "--as", "reviewer-2", *options, given="1\n1\n", code=1)
    run("unblock", reference, "--as", "pki-operator", *options, given="48151623\n48151623\n")
    assert json.loads(run("show", reference))["state"] == "active"


def test_the_answer_of_an_outside_ca_is_taken_for_an_hsm_key(
    run: Run, home: Path, tmp_path: Path, openssl: Any
) -> None:
    """The licensed CA here is openssl's: root, and a certificate over our CSR."""
    seal = next(row["token_serial"] for row in rows(run) if row["owner"] == "seal:default")
    if "pki_outside_ca" not in inspect(create_engine(f"sqlite:///{home / 'zhengyin.db'}")).get_table_names():
        pytest.skip("the schema's migrations do not have pki_outside_ca yet")
    token = ["--token", f"pkcs11:serial={seal}", "--pin-file", str(home / "pins" / "zhengyin-seals.pin")]
    made = ["--subject", "示例局印章", "--organization", "示例市", "--label", "outside", "--key", "p256"]
    run("csr", *made, *token, "-o", str(tmp_path / "seal.csr"))
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-subj", "/CN=Example Licensed CA",
            "-out", "ca.pem", "-days", "400")  # fmt: skip
    (tmp_path / "extensions").write_text("keyUsage=critical,digitalSignature,nonRepudiation\n")
    openssl("x509", "-req", "-inform", "DER", "-in", "seal.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-extfile", "extensions", "-out", "seal.pem", "-days", "300")  # fmt: skip
    answer = [str(tmp_path / "seal.pem"), "--csr", str(tmp_path / "seal.csr"), "--profile", "seal",
              "--owner", "seal:outside", "--as", "pki-operator", "--chain", str(tmp_path / "ca.pem")]  # fmt: skip
    assert "not on record" in run("import", *answer, code=1)
    run("trust", str(tmp_path / "ca.pem"), "--as", "pki-operator", "--licence", "示例-001")
    reference = run("import", *answer).strip()
    assert json.loads(run("show", reference))["origin"] == "outside"


def test_the_doctor_finds_a_healthy_home_whose_server_is_down(run: Run) -> None:
    assert json.loads(run("doctor", "--json")) == []
    said = run("doctor", "--network", "--json", code=1, stream="out")
    assert {finding["code"] for finding in json.loads(said)} == {"address_unreachable"}


def test_usage_errors_say_what_to_do(run: Run) -> None:
    said = run("revoke", "0" * 32, "--as", "pki-operator", "--reason", "x", "--code", "certificate_hold", code=1)
    assert "key_compromise" in said
    assert "no time" in run("impact", "--certificate", "0" * 32, "--since", "yesterday", code=1)
    assert "ceremony" in run("crl", "root", "-o", "/nonexistent", code=1)
