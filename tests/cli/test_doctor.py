"""`zhengyin doctor` on a demo home: silent where it is healthy, and one finding for each fault that is put in."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from cli import schema
from cli.home_examination import database_findings, online_findings, record_findings, token_findings
from cli.main import app
from signing_service.custody.core import Custody
from signing_service.custody.policy import change_policy, load_policy
from signing_service.custody.socket_server import CustodyServer
from signing_service.kernel.database import Database
from signing_service.pki.health import Finding, Level
from signing_service.settings import Settings


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def copy(home: Settings, tmp_path: Path) -> Settings:
    """The home's records, to be damaged: its database, custody's folder and PIN files."""
    engine = create_engine(home.database_url)
    with engine.connect() as connection:
        connection.execute(text(f"VACUUM INTO '{tmp_path}/copy.db'"))
    engine.dispose()
    for folder in ("custody", "pins", "trust"):
        shutil.copytree(home.home / folder, tmp_path / folder)
    return replace(home, home=tmp_path, database_url=f"sqlite:///{tmp_path}/copy.db")


def spoil(settings: Settings, statement: str, **values: object) -> None:
    engine = create_engine(settings.database_url)
    with engine.begin() as connection:
        assert connection.execute(text(statement), values).rowcount > 0
    engine.dispose()


def found_in(settings: Settings) -> list[tuple[str, str]]:
    database = Database(settings.database_url)
    try:
        findings = record_findings(settings, database, now())
    finally:
        database.close()
    for finding in findings:
        _is_told_in_both_languages(finding)
    return [(finding.level.value, finding.code) for finding in findings]


def _is_told_in_both_languages(finding: Finding) -> None:
    for words in (finding.text, finding.advice):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in words.zh)
        assert words.en.strip()


def test_a_healthy_home_has_nothing_wrong_and_the_command_says_so(home: Settings) -> None:
    """The whole command, tokens included."""
    told = CliRunner().invoke(app, ["--home", str(home.home), "doctor", "--offline", "--json"])
    assert json.loads(told.stdout) == {"home": str(home.home), "ok": True, "findings": []}
    assert told.exit_code == 0


def in_days(days: float) -> str:
    return (now() + timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S.%f")


END = "UPDATE pki_certificate SET not_after = :at WHERE owner = 'reviewer-1' AND profile = 'officer-signing'"
FAULTS: dict[str, tuple[str, dict[str, object], list[tuple[str, str]]]] = {
    "ends in 40 days": (END, {"at": in_days(40)}, []),
    "ends in 20 days": (END, {"at": in_days(20)}, [("warn", "certificate_ending")]),
    "ends in 5 days": (END, {"at": in_days(5)}, [("warn", "certificate_ending")]),
    "ends tonight": (END, {"at": in_days(0.5)}, [("fail", "certificate_ending")]),
    "ended last week": (END, {"at": in_days(-7)}, [("fail", "certificate_ending")]),
    "an officer's that ended long ago": (END, {"at": in_days(-31)}, []),
    "stale CRL": (
        "UPDATE pki_crl SET next_update = :at WHERE issuer = (SELECT fingerprint FROM pki_certificate "
        "WHERE owner = 'issuing')",
        {"at": in_days(-1)},
        [("fail", "crl_stale")],
    ),
    "root's CRL ends soon": (
        "UPDATE pki_crl SET next_update = :at WHERE issuer = (SELECT fingerprint FROM pki_certificate "
        "WHERE owner = 'root')",
        {"at": in_days(20)},
        [("warn", "crl_ceremony_due")],
    ),
    "issuer gone": ("DELETE FROM pki_certificate WHERE owner = 'root'", {}, [("fail", "issuer_missing")]),
    "clock behind the TSA": (
        "INSERT INTO pki_timestamp (at, digest, policy) VALUES (:at, '', '')",
        {"at": in_days(0.1)},
        [("fail", "clock_behind")],
    ),
    "a key in use was revoked": (
        "UPDATE pki_certificate SET state = 'revoked' WHERE owner = 'evidence'",
        {},
        [("fail", "certificate_in_use_not_active")],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_records_is_found_once(copy: Settings, fault: str) -> None:
    statement, values, expected = FAULTS[fault]
    spoil(copy, statement, **values)
    assert found_in(copy) == expected


def test_a_production_home_that_seals_formally_with_its_own_ca_fails(copy: Settings) -> None:
    production = replace(copy, profile="production")
    assert ("fail", "seal_not_licensed") in found_in(production)
    spoil(copy, "UPDATE pki_certificate SET origin = 'outside' WHERE profile = 'seal'")
    assert found_in(production) == [("warn", "witness_missing")]


def test_a_missing_intermediate_and_a_missing_token_are_found(copy: Settings) -> None:
    change_policy(copy.custody, lambda policy: replace(
        policy, seals={name: replace(seal, chain=()) for name, seal in policy.seals.items()},
    ))  # fmt: skip
    assert found_in(copy) == [("fail", "intermediate_missing")]
    change_policy(copy.custody, lambda policy: replace(
        policy, tokens={name: replace(place, serial=f"gone-{name}") if name == "services" else place
                        for name, place in policy.tokens.items()},
    ))  # fmt: skip
    assert found_in(copy) == [("fail", "token_missing"), ("fail", "intermediate_missing")]


def test_a_policy_that_others_may_read_is_found(copy: Settings) -> None:
    (copy.custody / "policy.json").chmod(0o644)
    assert found_in(copy) == [("fail", "custody_policy_unsafe")]


def _database_codes(settings: Settings) -> list[str]:
    database = Database(settings.database_url)
    try:
        findings = list(database_findings(settings, database))
    finally:
        database.close()
    assert all("top-secret" not in finding.subject + finding.text.en for finding in findings)
    return [finding.code for finding in findings]


def test_a_database_that_cannot_be_reached_or_is_behind_is_found(copy: Settings, tmp_path: Path) -> None:
    assert _database_codes(copy) == []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    closed = f"postgresql+psycopg://zhengyin:top-secret@127.0.0.1:{port}/zhengyin"
    assert _database_codes(replace(copy, database_url=closed)) == ["database_unreachable"]
    missing = tmp_path / "moved.db"
    assert _database_codes(replace(copy, database_url=f"sqlite:///{missing}")) == ["database_unreachable"]
    assert not missing.exists()
    database = Database(copy.database_url)
    assert schema.missing_revisions(database) == []
    database.close()
    spoil(copy, "DELETE FROM alembic_version")
    assert _database_codes(copy) == ["database_behind"]


def test_an_officers_key_rules_are_not_laid_on_service_tokens(home: Settings) -> None:
    """What the whole command leaves out: the root's token has no signing certificate, and the data key has none."""
    strict = {finding.code for finding in token_findings(home, now(), set())}
    assert strict == {"no_signing_pair", "key_without_certificate"}


def _online(settings: Settings) -> list[tuple[Level, str]]:
    database = Database(settings.database_url)
    try:
        return [(finding.level, finding.code) for finding in online_findings(settings, database, now())]
    finally:
        database.close()


def test_the_certificates_doctor_is_a_part_of_the_homes(copy: Settings, home: Settings) -> None:
    """`zhengyin pki doctor` says of certificates what `zhengyin doctor` says, in the same words, and nothing else."""
    settings = (home.home / "settings.toml").read_text()
    assert settings.count("database_url = ") == 1
    kept = [line for line in settings.splitlines() if not line.startswith("database_url = ")]
    (copy.home / "settings.toml").write_text("\n".join([f'database_url = "{copy.database_url}"', *kept]))
    change_policy(copy.custody, lambda policy: replace(
        policy, seals={name: replace(seal, chain=()) for name, seal in policy.seals.items()},
    ))  # fmt: skip
    told = {}
    for command in (["pki", "doctor"], ["doctor", "--offline"]):
        done = CliRunner().invoke(app, ["--home", str(copy.home), *command, "--json"])
        assert done.exit_code == 1, done.output
        said = json.loads(done.stdout)
        told[command[0]] = said if command[0] == "pki" else said["findings"]
    assert [each["code"] for each in told["pki"]] == ["intermediate_missing"]
    assert all(each in told["doctor"] for each in told["pki"])


def test_a_server_that_is_down_is_one_finding(copy: Settings) -> None:
    assert _online(copy) == [(Level.WARN, "server_unreachable")]
    production = replace(copy, profile="production")
    assert _online(production) == [(Level.FAIL, "server_unreachable"), (Level.FAIL, "custody_unreachable")]


@pytest.fixture
def deaf_server(copy: Settings) -> Iterator[Settings]:
    """A server at the home's address that knows none of its own addresses."""

    class Deaf(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        do_POST = do_GET  # noqa: N815  # http.server's name

        def log_message(self, *_said: object) -> None:
            """Nothing on stderr."""

    host, _, port = copy.base_url.removeprefix("http://").partition(":")
    server = HTTPServer((host, int(port)), Deaf)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield copy
    server.shutdown()
    thread.join()
    server.server_close()


def test_addresses_of_certificates_that_give_nothing_are_found(deaf_server: Settings) -> None:
    codes = [code for _, code in _online(deaf_server)]
    assert codes[0] == "custody_unreachable"
    assert set(codes[1:]) == {"address_unusable"}


def test_a_stop_at_custody_is_a_warning(copy: Settings) -> None:
    custody = Custody(copy.custody)
    with CustodyServer(copy.custody_socket, custody):
        custody.freeze("seal:default", actor="seal-admin-1", reason="印章遗失")
        codes = _online(copy)
    assert codes == [(Level.WARN, "server_unreachable"), (Level.WARN, "custody_frozen")]


def test_the_roots_token_is_none_of_custodys(home: Settings) -> None:
    """The root's key signs at ceremonies alone: no process that runs has its token, and no PIN for it is named."""
    engine = create_engine(home.database_url)
    with engine.connect() as connection:
        serial = connection.execute(text("SELECT token_serial FROM pki_certificate WHERE owner = 'root'")).scalar_one()
    engine.dispose()
    places = load_policy(home.custody).tokens.values()
    assert serial not in {place.serial for place in places}
    assert not any("root" in place.pin_file for place in places)
