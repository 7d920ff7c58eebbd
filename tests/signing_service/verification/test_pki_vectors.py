"""Path and revocation vectors of others: NIST PKITS, x509-limbo, OCSP responses. No invalid path may ever be
believed."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing_service.verification.certificate_form import form_fault
from signing_service.verification.certificates import Certificate, load
from signing_service.verification.chain import Chain, TrustStore, outside_validity
from signing_service.verification.policy import Policy, Purpose
from signing_service.verification.revocation import RevocationData
from signing_service.verification.trust import _weak

pytestmark = pytest.mark.corpora
PKITS_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def judge(
    leaf: bytes,
    anchors: Iterable[bytes],
    others: Iterable[bytes],
    crls: Iterable[bytes],
    at: datetime,
    *,
    revocation: bool,
) -> str:
    """good, unknown (revocation not known) or a word for the problem."""
    certificate = load(leaf)
    if certificate is None:
        return "unreadable"
    store = TrustStore(Policy({Purpose.OUTSIDE: list(anchors)}, at), others)
    chain = store.find_chain(certificate, (Purpose.OUTSIDE,), at)
    if not isinstance(chain, Chain):
        return chain.kind
    if outside_validity(chain, at) or _weak(chain, at - timedelta(days=365 * 30)):
        return "validity"
    data = RevocationData(crls, (), store)
    states = (
        {data.standing(below, above, at, at, timedelta(hours=1)).state for below, above in chain.pairs()}
        if revocation
        else set()
    )
    for state in ("revoked", "held", "unknown"):
        if state in states:
            return state
    return "good"


def pkits_cases(folder: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((folder / "pki/pkits/pkits-cases.json").read_text())
    return found


def judge_pkits(folder: Path, case: dict) -> str:
    def read(kind: str, name: str) -> bytes:
        raw = (folder / "pki/pkits" / kind / name).read_bytes()
        return base64.b64decode(b"".join(raw.split(b"\n")[1:-2])) if raw.startswith(b"-----") else raw

    others = [read("certs", name) for name in case.get("other_certs", [])]
    crls = [
        read("crls", name)
        for name in [*case.get("crls", []), "TrustAnchorRootCRL.crl"]
        if (folder / "pki/pkits/crls" / name).exists()
    ]
    anchor = read("certs", "TrustAnchorRootCertificate.crt")
    return judge(read("certs", case["cert"]), [anchor], others, crls, PKITS_TIME, revocation=bool(case.get("crls")))


# Valid paths whose revocation we leave unknown on purpose (docs/adr/0033), or whose algorithm we do not compute.
CAUTIOUS = {"unknown", "no_issuer", "unsupported", "unreadable"}


def test_pkits_no_invalid_path_is_believed(corpora):
    believed = [
        case["name"]
        for case in pkits_cases(corpora)
        if case.get("error") and not case.get("params") and judge_pkits(corpora, case) == "good"
    ]
    assert believed == []


def test_pkits_valid_paths_pass_or_stay_unknown(corpora):
    cases = [case for case in pkits_cases(corpora) if not case.get("error")]
    results = {str(case["name"]): judge_pkits(corpora, case) for case in cases}
    assert {name: result for name, result in results.items() if result not in {"good", *CAUTIOUS}} == {}
    good = sum(result == "good" for result in results.values())
    assert good >= 0.6 * len(results), results


OCSP = "pki/openssl-ocsp"


def test_ocsp_responses(corpora):
    """Good responses count, wrong ones leave the state unknown or revoked, never good."""
    wrong = []
    for case in json.loads((corpora / OCSP / "ocsp-cases.json").read_text()):
        at = datetime.fromisoformat(case["moment"])
        others = [pem(corpora / OCSP / name) for name in case.get("other_certs", [])]
        store = TrustStore(Policy({Purpose.OUTSIDE: [pem(corpora / OCSP / case["root"])]}, at), others)
        leaf = load(pem(corpora / OCSP / case["cert"]))
        assert leaf is not None
        chain = store.find_chain(leaf, (Purpose.OUTSIDE,), at)
        assert isinstance(chain, Chain), case["name"]
        data = RevocationData(
            (), [base64.b64decode((corpora / OCSP / name).read_bytes()) for name in case["ocsps"]], store
        )
        states = [data.standing(below, above, at, at, timedelta(days=30)).state for below, above in chain.pairs()]
        judged = states[: len(case["ocsps"])]  # the leaf first; a case may bring no response for its authority
        if all(state == "good" for state in judged) is not ("error" not in case):
            wrong.append((case["name"], states))
    assert wrong == []


def pem(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


def test_staged_freshness(corpora):
    """The same chain at three dates: good, good, then its authority is revoked."""
    folder = corpora / "pki/freshness"
    certificates = {
        path.stem: x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)
        if path.read_bytes().startswith(b"-----")
        else path.read_bytes()
        for path in (folder / "certs").glob("*.crt")
    }
    for day, expected in (("2020-10-01", "good"), ("2020-11-29", "good"), ("2020-12-10", "revoked")):
        at = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(hours=23)
        below = certificates["interm" if expected == "good" else "interm-revoked"]
        store = TrustStore(Policy({Purpose.OUTSIDE: [certificates["root"]]}, at), [below])
        root, interm = Certificate(certificates["root"]), Certificate(below)
        data = RevocationData([(folder / f"root-{day}.crl").read_bytes()], (), store)
        assert data.standing(interm, root, at, at, timedelta(days=1)).state == expected, day


def limbo(corpora: Path) -> list[dict]:
    loaded = json.loads((corpora / "pki/x509-limbo/limbo-subset.json").read_text())
    return loaded["testcases"] if isinstance(loaded, dict) else loaded


# Rules of the web's own profile (server names, name forms, key identifiers) that documents are not judged by; the
# paths are
# sound by RFC 5280's validation algorithm (section 6), which is what a document signer is held to.
NOT_OURS = ("webpki::", "online::")


def judge_limbo(case: dict) -> str:
    def ders(texts: Iterable[str]) -> list[bytes]:
        found = []
        for text in texts:
            body = "".join(text.strip().splitlines()[1:-1])
            found.append(base64.b64decode(body))
        return found

    at = (
        datetime.fromisoformat(case["validation_time"])
        if case.get("validation_time")
        else datetime(2024, 11, 1, tzinfo=UTC)
    )
    leaf = ders([case["peer_certificate"]])[0]
    crls = ders(case.get("crls") or [])
    return judge(
        leaf, ders(case["trusted_certs"]), ders(case["untrusted_intermediates"]), crls, at, revocation=bool(crls)
    )


def test_limbo(corpora):
    results = {case["id"]: (case["expected_result"], judge_limbo(case)) for case in limbo(corpora)}
    ours = {name: pair for name, pair in results.items() if not name.startswith(NOT_OURS)}
    refused = {
        name: got for name, (expected, got) in ours.items() if expected == "SUCCESS" and got not in {"good", *CAUTIOUS}
    }
    believed = {name for name, (expected, got) in ours.items() if expected == "FAILURE" and got == "good"}
    assert set(refused) == TOO_STRICT
    assert believed == BELIEVED.keys()


# Name constraints on DNS names and addresses that the library we hand them to refuses although they hold: no
# document signer
# has such names, and refusing leaves a signer unconfirmed, never believed (docs/adr/0033).
TOO_STRICT = {
    "rfc5280::nc::excluded-different-constraint-type",
    "rfc5280::nc::nc-forbids-othername-noop",
    "rfc5280::nc::permitted-dns-match-more",
    "rfc5280::nc::permitted-ipv4-match",
    "rfc5280::nc::permitted-ipv6-match",
}

_SERVER = "asks whether a web server may use it, by host name or TLS purpose; documents are judged by roles"
_ANCHOR = "concerns the anchor alone, which the operator chose and section 6.1.1 takes as given"

# What x509-limbo would have refused and we believe, each with the reason why no document's signer is let in by it.
BELIEVED = {
    "pathlen::max-chain-depth-0-exhausted": "a limit that the caller may set (feature max-chain-depth); ours is ten",
    "rfc5280::aki::leaf-missing-aki": "a key identifier helps to find the issuer and proves nothing",
    "rfc5280::eku::ee-wrong-eku": _SERVER,
    "rfc5280::san::underscore-dns": _SERVER,
    "rfc5280::ca-as-leaf-wrong-san": _SERVER,
    "rfc5280::aki::critical-aki": _ANCHOR,
    "rfc5280::serial::negative": _ANCHOR,
    "rfc5280::ski::critical-ski": _ANCHOR,
    "rfc5280::ski::root-missing-ski": _ANCHOR,
    "rfc5280::validity::expired-root": _ANCHOR,
    "rfc5280::root-non-critical-basic-constraints": _ANCHOR,
}


def test_what_is_said_to_concern_the_anchor_alone_does(corpora):
    """No certificate of such a path breaks a rule of form, but for the anchor itself."""
    cases = {case["id"]: case for case in limbo(corpora)}
    for name in (name for name, reason in BELIEVED.items() if reason == _ANCHOR):
        anchors = {der_of(text) for text in cases[name]["trusted_certs"]}
        others = {der_of(text) for text in (cases[name]["peer_certificate"], *cases[name]["untrusted_intermediates"])}
        assert {form_fault(Certificate(der)) for der in others - anchors} <= {None}, name


def der_of(text: str) -> bytes:
    return x509.load_pem_x509_certificate(text.encode()).public_bytes(Encoding.DER)
