"""`zhengyin pki` as a user runs it, in processes of its own on a home of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from sqlalchemy import create_engine, text

from tests.signing_service.pki.second_ca import SecondCa

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


@pytest.fixture(scope="module")
def second_ca(home: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondCa]:
    """A licensed CA whose responder this home may ask, although it is on the loopback address."""
    ca = SecondCa(tmp_path_factory.mktemp("second-ca"))
    ca.start()
    settings = home / "settings.toml"
    settings.write_text(settings.read_text().replace("outbound_hosts = [", 'outbound_hosts = ["127.0.0.1", '))
    yield ca
    ca.kill()


def test_the_answer_of_an_outside_ca_is_taken_for_an_hsm_key(
    run: Run, home: Path, tmp_path: Path, second_ca: SecondCa
) -> None:
    """CSR out, certificate and chain in; its CA is asked, at the address on record, whether it still stands by it."""
    seal = next(row["token_serial"] for row in rows(run) if row["owner"] == "seal:default")
    token = ["--token", f"pkcs11:serial={seal}", "--pin-file", str(home / "pins" / "zhengyin-seals.pin")]
    made = ["--subject", "示例局印章", "--organization", "示例市", "--label", "outside", "--key", "p256"]
    run("csr", *made, *token, "-o", str(tmp_path / "seal.csr"))
    second_ca.officer("seal", csr=tmp_path / "seal.csr")
    answer = [str(second_ca.folder / "seal.pem"), "--csr", str(tmp_path / "seal.csr"), "--profile", "seal",
              "--owner", "seal:outside", "--as", "pki-operator",
              "--chain", str(second_ca.folder / "ca.pem")]  # fmt: skip
    assert "not on record" in run("import", *answer, code=1)
    trusted = ["trust", str(second_ca.folder / "ca.pem"), "--licence", "示例-001", "--ocsp", second_ca.url]
    assert "pki_operator" in run(*trusted, "--as", "reviewer-1", code=1)
    run(*trusted, "--as", "pki-operator")
    assert [ca["for"] for ca in json.loads(run("outside", "--json"))] == ["signers"]
    second_ca.kill()
    assert "outbound_hosts" in run("import", *answer, code=1)
    second_ca.start()
    reference = run("import", *answer).strip()
    assert json.loads(run("show", reference))["origin"] == "outside"


def test_an_officers_existing_certificate_is_taken_over_from_an_outside_ca(
    run: Run, home: Path, tmp_path: Path, second_ca: SecondCa
) -> None:
    """Its key is on the officer's USB key already; it proves possession, its CA says good, the officer activates it."""
    token = usb_key(run, home, "reviewer-2")
    made = ["--subject", "x", "--organization", "示例市", "--label", "outside", "--key", "p256"]
    run("csr", *made, *token, "-o", str(tmp_path / "officer.csr"))
    address = f"authorityInfoAccess=OCSP;URI:{second_ca.url}\n"
    second_ca.officer("officer", address, csr=tmp_path / "officer.csr")
    second_ca.revoke(second_ca.officer("gone", address, csr=tmp_path / "officer.csr"))
    second_ca.kill()
    second_ca.start()
    asked = ["--profile", "officer-signing", "--owner", "reviewer-2", "--as", "pki-operator"]
    reference = run("request", *asked).strip()
    taken = ["take", reference, "--as", "pki-operator", *token]
    gone, good = (["--certificate", str(second_ca.folder / f"{name}.pem")] for name in ("gone", "officer"))
    assert "state is requested" in run(*taken, *good, code=1)
    run("approve", reference, "--as", "seal-admin-1")
    assert "revoked" in run(*taken, *gone, code=1)
    run(*taken, *good)
    assert json.loads(run("show", reference))["state"] == "issued"
    run("activate", reference, "--as", "reviewer-2", *token)
    shown = json.loads(run("show", reference))
    assert (shown["state"], shown["origin"], shown["token_serial"]) == ("active", "outside", token[1].partition("=")[2])


def test_a_certificate_is_renewed_with_a_new_key_and_the_old_one_superseded(run: Run, home: Path) -> None:
    token = usb_key(run, home, "reviewer-1")
    old = next(row["reference"] for row in rows(run) if (row["owner"], row["state"], row["profile"]) == (
        "reviewer-1", "active", "officer-signing"))  # fmt: skip
    asked = ["--profile", "officer-signing", "--owner", "reviewer-1", "--as", "reviewer-1", "--replaces", old]
    reference = run("request", *asked).strip()
    run("approve", reference, "--as", "seal-admin-1")
    run("issue", reference, "--as", "pki-operator", *token, "--label", "renewed", "--key", "p256")
    assert json.loads(run("show", old))["state"] == "active"
    run("activate", reference, "--as", "reviewer-1", *token)
    assert [json.loads(run("show", each))["state"] for each in (old, reference)] == ["superseded", "active"]


def test_a_hold_is_set_and_lifted_by_those_who_may(run: Run) -> None:
    reference = next(row["reference"] for row in rows(run) if row["owner"] == "seal-admin-2")
    assert "reason" in run("suspend", reference, "--as", "seal-admin-2", "--reason", " ", code=1)
    run("suspend", reference, "--as", "seal-admin-2", "--reason", "left it at home")
    assert "roles" in run("release", reference, "--as", "reviewer-1", "--reason", "found", code=1)
    run("release", reference, "--as", "pki-operator", "--reason", "found")
    assert [entry["move"] for entry in json.loads(run("show", reference))["history"]][-2:] == ["suspend", "release"]


def test_every_move_needs_its_role_and_a_refusal_is_evidence(run: Run, home: Path) -> None:
    """The auditor has none of the roles, and is not the holder of any of these."""
    token = usb_key(run, home, "reviewer-2")
    asked = ["--profile", "officer-signing", "--owner", "reviewer-2"]
    waiting = run("request", *asked, "--as", "pki-operator").strip()
    approved = run("request", *asked, "--as", "pki-operator").strip()
    run("approve", approved, "--as", "seal-admin-1")
    active = next(row["reference"] for row in rows(run) if row["owner"] == "seal-admin-1")
    so_pin = ["--so-pin-file", str(home / "pins" / "reviewer-2.so-pin")]
    for command in (
        ["request", *asked], ["approve", waiting], ["refuse", waiting, "--reason", "x"], ["issue", approved, *token],
        ["suspend", active, "--reason", "x"], ["revoke", active, "--reason", "x"],
        ["unblock", active, *so_pin, "--reason", "x"], ["change-pin", active],
    ):  # fmt: skip
        before = refusals(home)
        assert "role" in run(*command, "--as", "auditor", code=1), command
        assert refusals(home) == before + 1, command
    assert json.loads(run("show", active))["state"] == "active"


def test_a_pin_is_changed_by_its_holder(run: Run, home: Path) -> None:
    reference = next(row["reference"] for row in rows(run) if row["owner"] == "seal-holder")
    held = (home / "pins" / "seal-holder.pin").read_text().strip()
    before = refusals(home)
    run("change-pin", reference, "--as", "seal-holder", given="11112222\n33334444\n33334444\n", code=1)
    assert refusals(home) == before + 1
    run("change-pin", reference, "--as", "seal-holder", given=f"{held}\n33334444\n33334444\n")
    run("change-pin", reference, "--as", "pki-operator", given=f"33334444\n{held}\n{held}\n")
    query = text("SELECT actor, details FROM audit_entry WHERE kind = 'token.change_pin' AND subject LIKE :subject")
    with create_engine(f"sqlite:///{home / 'zhengyin.db'}").connect() as connection:
        logged = connection.execute(query, {"subject": f"%{reference}"}).all()
    assert [actor for actor, _ in logged] == ["seal-holder", "seal-holder", "pki-operator"]
    assert not any(pin in details for _, details in logged for pin in ("33334444", held))


def refusals(home: Path) -> int:
    query = text("SELECT count(*) FROM audit_entry WHERE result = 'refused'")
    with create_engine(f"sqlite:///{home / 'zhengyin.db'}").connect() as connection:
        return int(connection.execute(query).scalar_one())


def test_the_doctor_finds_a_healthy_home_whose_server_is_down(run: Run) -> None:
    assert json.loads(run("doctor", "--json")) == []
    said = run("doctor", "--network", "--json", code=1, stream="out")
    assert {finding["code"] for finding in json.loads(said)} == {"address_unreachable"}


def test_usage_errors_say_what_to_do(run: Run) -> None:
    said = run("revoke", "0" * 32, "--as", "pki-operator", "--reason", "x", "--code", "certificate_hold", code=1)
    assert "key_compromise" in said
    assert "no time" in run("impact", "--certificate", "0" * 32, "--since", "yesterday", code=1)
    assert "ceremony" in run("crl", "root", "-o", "/nonexistent", code=1)
