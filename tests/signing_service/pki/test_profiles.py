"""Every certificate kind, under an RSA and under a P-256 CA, before linters and openssl that nobody here wrote."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from pkilint import loader
from pkilint.pkix import certificate as lint_certificate
from pkilint.pkix import extension, name
from pkilint.validation import ValidationFindingSeverity

from signing_service.pki.extensions import Urls
from signing_service.pki.issuing import issue_certificate, new_serial, validity
from signing_service.pki.names import subject_name
from signing_service.pki.profiles import PROFILES, SIMULATION_POLICY

NOW = datetime.now(UTC)
URLS = Urls(
    "http://pki.example.test/crl/issuing.crl", "http://pki.example.test/ocsp", "http://pki.example.test/ca/i.cer"
)
ROOT_URLS = Urls(crl="http://pki.example.test/crl/root.crl", ca="http://pki.example.test/ca/root.cer")
PURPOSES = {
    "tsa": "timestampsign", "ocsp": "ocsphelper", "simulation-ocsp": "ocsphelper", "department-tls": "sslserver",
    "department-client": "sslclient", "officer-authentication": "sslclient", "issuing-ca": "crlsign",
}  # fmt: skip


def make(name_: str, key: Any, issuer: bytes | None, issuer_key: Any, urls: Urls = URLS) -> bytes:
    profile = PROFILES[name_]
    start, end = validity(profile, issuer, NOW)
    return issue_certificate(
        profile,
        subject=subject_name(profile.title.zh, organization="示例市政务服务和数据管理局", identifier="SL-0001"),
        public_key=key.public_key,
        issuer_certificate=issuer,
        issuer_key=issuer_key,
        serial=new_serial(),
        not_before=start,
        not_after=end,
        urls=urls,
        alternative_names=[x509.DNSName("dept.example.test")] if profile.needs_host else (),
    )


@pytest.fixture(scope="module", params=["rsa3072", "p256"])
def made(request: pytest.FixtureRequest, memory_key: Any) -> dict[str, bytes]:
    """One certificate of every kind, all CAs with keys of the one kind."""
    keys = {name: memory_key(request.param) for name in ("root", "issuing-ca", "simulation-ca")}
    found = {"root": make("root", keys["root"], None, keys["root"])}
    found["issuing-ca"] = make("issuing-ca", keys["issuing-ca"], found["root"], keys["root"], ROOT_URLS)
    found["simulation-ca"] = make("simulation-ca", keys["simulation-ca"], None, keys["simulation-ca"])
    for profile in PROFILES.values():
        if not profile.is_ca:
            above = "simulation-ca" if profile.policy == SIMULATION_POLICY else "issuing-ca"
            kind = (
                "ed25519" if "ed25519" in profile.keys else request.param if request.param in profile.keys else "p256"
            )
            found[profile.name] = make(profile.name, memory_key(kind), found[above], keys[above])
    return found


@pytest.fixture(scope="module")
def lint() -> Callable[[bytes], list[str]]:
    """pkilint's RFC 5280 validators: all findings above its notices of what it recognised."""
    validator = lint_certificate.create_pkix_certificate_validator_container(
        lint_certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
        [
            lint_certificate.create_issuer_validator_container([]),
            lint_certificate.create_validity_validator_container(),
            lint_certificate.create_subject_validator_container([]),
            lint_certificate.create_extensions_validator_container([]),
            lint_certificate.create_spki_validator_container([]),
        ],
    )

    def findings(der: bytes) -> list[str]:
        results = validator.validate(loader.load_der_certificate(der, "test").root)
        return [
            f"{found.finding.code}: {found.message}"
            for result in results
            for found in result.finding_descriptions
            if found.finding.severity is not ValidationFindingSeverity.INFO
        ]

    return findings


@pytest.mark.parametrize("kind", PROFILES)
def test_pkilint_has_nothing_to_say(made: dict[str, bytes], lint: Callable[[bytes], list[str]], kind: str) -> None:
    assert lint(made[kind]) == []


def test_the_linter_would_speak(made: dict[str, bytes], lint: Callable[[bytes], list[str]]) -> None:
    """The seal's certificate with its serial number made negative: pkilint must notice."""
    serial = x509.load_der_x509_certificate(made["seal"]).serial_number.to_bytes(16, "big")
    assert lint(made["seal"].replace(serial, b"\x80" + serial[1:], 1))


@pytest.mark.parametrize("kind", PROFILES)
def test_openssl_verifies_strictly(made: dict[str, bytes], tmp_path: Path, openssl: Any, pem: Any, kind: str) -> None:
    root = "simulation-ca" if kind.startswith("simulation") else "root"
    for name_ in (kind, root, "issuing-ca"):
        (tmp_path / f"{name_}.pem").write_bytes(pem(made[name_]))
    purpose = ["-purpose", PURPOSES.get(kind, "any")]
    said = openssl(
        "verify", "-x509_strict", "-check_ss_sig", "-policy_check", *purpose, "-CAfile", f"{root}.pem",
        "-untrusted", "issuing-ca.pem", f"{kind}.pem",
    )  # fmt: skip
    assert said.strip() == f"{kind}.pem: OK"


@pytest.mark.parametrize(
    ("kind", "purpose"), [("seal", "timestampsign"), ("tsa", "sslclient"), ("ocsp", "timestampsign")]
)
def test_openssl_refuses_the_wrong_purpose(
    made: dict[str, bytes], tmp_path: Path, openssl: Any, pem: Any, kind: str, purpose: str
) -> None:
    for name_ in (kind, "root", "issuing-ca"):
        (tmp_path / f"{name_}.pem").write_bytes(pem(made[name_]))
    said = openssl(
        "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "root.pem", "-untrusted", "issuing-ca.pem",
        f"{kind}.pem", check=False,
    )  # fmt: skip
    assert "unsupported certificate purpose" in said or "unsuitable certificate purpose" in said
