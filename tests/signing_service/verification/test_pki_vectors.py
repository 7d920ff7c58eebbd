"""Path, revocation and signature vectors of others, every folder: our validation and pyhanko-certvalidator, row by row.

The tables below are all that either engine answers differently from what a vector expects. No invalid path may be
believed by ours but for those in BELIEVED, each with the reason why it does not apply to a signer of documents.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import ExtensionOID

from hardware.ecdsa_der import raw_to_der
from signing_service.verification.algorithms import Algorithm, value_is_right
from signing_service.verification.certificates import Certificate, signed_with_sm2
from signing_service.verification.chain import NoChain, TrustStore
from signing_service.verification.errors import UnsupportedAlgorithm
from signing_service.verification.path_parameters import PathParameters
from signing_service.verification.policy import Policy, Purpose
from signing_service.verification.revocation import RevocationData, load_ocsp
from tests.signing_service.verification.two_engines import (
    PathCase,
    limbo,
    ours,
    pkits,
    read_certificate,
    the_librarys,
    the_librarys_states,
)

pytestmark = [
    pytest.mark.corpora,
    pytest.mark.filterwarnings("ignore:Parsed a serial number"),
    pytest.mark.filterwarnings("ignore:.*:cryptography.utils.CryptographyDeprecationWarning"),
]

_OTHER_LISTS = "its state is known only by a list of another issuer, of some reasons or by a relative name (ADR 0033)"

# Valid by the vector, and not confirmed by ours: never refused, only left unknown or unread.
UNCONFIRMED = {
    "valid_dsa_parameter_inheritance_test5": "DSA keys without parameters cannot be read by cryptography",
    "valid_distributionpoint_test5": _OTHER_LISTS,
    "valid_onlysomereasons_test18": _OTHER_LISTS,
    "valid_onlysomereasons_test19": _OTHER_LISTS,
    "valid_idp_with_indirectcrl_test22": _OTHER_LISTS,
    "valid_idp_with_indirectcrl_test25": _OTHER_LISTS,
    "valid_crlissuer_test28": _OTHER_LISTS,
    "valid_crlissuer_test29": _OTHER_LISTS,
    "valid_crlissuer_test33": _OTHER_LISTS,
    "pathlen::validation-ignores-pathlen-in-leaf": "an authority whose key may sign only certificates and lists",
}

# Invalid by the vector, and believed by ours.
BELIEVED = {
    "rfc5280::aki::leaf-missing-aki": "RFC 5280 4.2.1.1 binds issuers; section 6 does not look at it, and authorities"
    " that the world trusted left it out (openssl-ocsp D3, tested below)",
    "rfc5280::ski::root-missing-ski": "RFC 5280 4.2.1.2 binds issuers, to help those who build paths; small authorities"
    " leave it out, and whoever holds the anchor's key can add it",
    "rfc5280::root-non-critical-basic-constraints": "PKITS 4.6.4 demands that such an authority is accepted, as do"
    " documents under Deutsche Telekom Root CA 2; section 6.1.4 (k) asks for the value alone",
    "webpki::aki::root-with-aki-missing-keyidentifier": "CABF BR 7.1.2.1.3, a profile for roots of web servers",
    "webpki::aki::root-with-aki-ski-mismatch": "CABF BR 7.1.2.1.3, a profile for roots of web servers",
    "webpki::eku::ee-without-eku": "CABF BR 7.1.2.7.6; without the extension RFC 5280 4.2.1.12 leaves the use open",
    "webpki::forbidden-rsa-not-divisible-by-8-in-root": "CABF BR 6.1.5, a rule on key sizes as numbers",
    "webpki::forbidden-rsa-key-not-divisible-by-8-in-leaf": "CABF BR 6.1.5, a rule on key sizes as numbers",
    "webpki::v1-cert": "CABF BR 7.1.1; RFC 5280 4.1.2.1 knows version 1, and 6.1.4 (k) asks only issuers for version 3",
    "webpki::ee-basicconstraints-ca": "CABF BR 7.1.2.7.8; RFC 5280 lets an authority sign other things if its key"
    " usage says so",
}

_LIBRARY_ISSUING = "a rule for issuers (RFC 5280 4) that it leaves aside"
_LIBRARY_ANCHOR = "takes an anchor's name and key alone, unless told to read its certificate"
_LIBRARY_NAMES = "host names are not looked at"
_LIBRARY_STRENGTH = "knows no end of belief for this kind of key"
_LIBRARY_ROUNDING = "judges periods to the second, or allows one"

# What certvalidator answers otherwise than the vector expects; ours answers as expected unless it stands above too.
LIBRARY_DIFFERS = {
    "crl::crlnumber-critical": "takes a list whose number is critical",
    "cve::cve-2025-61727": _LIBRARY_ANCHOR,
    "pathlen::max-chain-depth-0-exhausted": "has no limit that a caller may set",
    "rfc5280::aki::critical-aki": _LIBRARY_ISSUING,
    "rfc5280::aki::leaf-missing-aki": _LIBRARY_ISSUING,
    "rfc5280::eku::ee-wrong-eku": "was not asked for a use",
    "rfc5280::eku::ee-eku-empty": _LIBRARY_ISSUING,
    "rfc5280::nc::permitted-dns-mismatch": _LIBRARY_ANCHOR,
    "rfc5280::nc::permitted-dns-match-noncritical": _LIBRARY_ISSUING,
    "rfc5280::nc::permitted-ip-mismatch": _LIBRARY_ANCHOR,
    "rfc5280::nc::excluded-ipv4-match": _LIBRARY_ANCHOR,
    "rfc5280::nc::excluded-ipv6-match": _LIBRARY_ANCHOR,
    "rfc5280::nc::permitted-dn-mismatch": _LIBRARY_ANCHOR,
    "rfc5280::nc::excluded-dn-match": _LIBRARY_ANCHOR,
    "rfc5280::nc::excluded-dn-match-sub-mismatch": _LIBRARY_ANCHOR,
    "rfc5280::nc::excluded-self-issued-leaf": _LIBRARY_ANCHOR,
    "rfc5280::nc::excluded-match-permitted-and-excluded": _LIBRARY_ANCHOR,
    "rfc5280::nc::invalid-dnsname-wildcard": _LIBRARY_ANCHOR,
    "rfc5280::nc::invalid-dnsname-leading-period": _LIBRARY_ANCHOR,
    "rfc5280::nc::invalid-email-address": _LIBRARY_ANCHOR,
    "rfc5280::nc::not-allowed-in-ee-critical": _LIBRARY_ISSUING,
    "rfc5280::nc::nc-permits-invalid-dns-san": _LIBRARY_NAMES,
    "rfc5280::nc::nc-forbids-othername-noop": "cannot read a constraint on other names, and raises TypeError",
    "rfc5280::nc::nc-forbids-dnsname-wildcard-san": _LIBRARY_NAMES,
    "rfc5280::san::underscore-dns": _LIBRARY_NAMES,
    "rfc5280::serial::too-long": _LIBRARY_ISSUING,
    "rfc5280::serial::zero": _LIBRARY_ISSUING,
    "rfc5280::serial::negative": _LIBRARY_ISSUING,
    "rfc5280::ski::root-missing-ski": _LIBRARY_ISSUING,
    "rfc5280::validity::expired-root": _LIBRARY_ANCHOR,
    "rfc5280::validity::notbefore-fractional": _LIBRARY_ROUNDING,
    "rfc5280::validity::expired-1-second": _LIBRARY_ROUNDING,
    "rfc5280::validity::not-yet-valid-1-second": _LIBRARY_ROUNDING,
    "rfc5280::ca-empty-subject": _LIBRARY_ANCHOR,
    "rfc5280::unknown-critical-extension-root": _LIBRARY_ANCHOR,
    "rfc5280::root-missing-basic-constraints": _LIBRARY_ANCHOR,
    "rfc5280::root-non-critical-basic-constraints": _LIBRARY_ANCHOR,
    "rfc5280::ee-critical-aia-invalid": _LIBRARY_ISSUING,
    "rfc5280::duplicate-extensions": _LIBRARY_ISSUING,
    "rfc5280::ca-as-leaf-wrong-san": _LIBRARY_NAMES,
    "webpki::aki::root-with-aki-missing-keyidentifier": _LIBRARY_ANCHOR,
    "webpki::aki::root-with-aki-authoritycertissuer": _LIBRARY_ANCHOR,
    "webpki::aki::root-with-aki-authoritycertserialnumber": _LIBRARY_ANCHOR,
    "webpki::aki::root-with-aki-ski-mismatch": _LIBRARY_ANCHOR,
    "webpki::eku::ee-without-eku": "was not asked for a use",
    "webpki::explicit-curve": _LIBRARY_ISSUING,
    "webpki::forbidden-p192-root": _LIBRARY_STRENGTH,
    "webpki::forbidden-p192-leaf": _LIBRARY_STRENGTH,
    "webpki::forbidden-dsa-root": _LIBRARY_STRENGTH,
    "webpki::forbidden-dsa-leaf": _LIBRARY_STRENGTH,
    "webpki::forbidden-weak-rsa-in-leaf": _LIBRARY_STRENGTH,
    "webpki::forbidden-rsa-not-divisible-by-8-in-root": _LIBRARY_STRENGTH,
    "webpki::forbidden-rsa-key-not-divisible-by-8-in-leaf": _LIBRARY_STRENGTH,
    "webpki::v1-cert": _LIBRARY_ISSUING,
    "webpki::ee-basicconstraints-ca": "was not asked for a use",
    "webpki::ca-as-leaf": "was not asked for a use",
}
# Of these the library needs minutes, or all the stack: it is not asked.
ENDLESS = ("pathological::pathological-chain", "pathological::nc-dos", "pathological::intermediate-cycle")


def differing(cases: Iterable[PathCase]) -> tuple[set[str], set[str]]:
    """Names of the valid that ours does not confirm, and of the invalid that it believes."""
    unconfirmed, believed = set(), set()
    for case in cases:
        answer = ours(case)
        if case.valid and answer != "good":
            unconfirmed.add(case.name)
        if not case.valid and answer == "good":
            believed.add(case.name)
    return unconfirmed, believed


def test_pkits_by_our_validation(corpora):
    """All of it, those that set policies, explicit policy and the two inhibitions included (RFC 5280, 6.1.1)."""
    cases = pkits(corpora)
    assert sum(case.parameters.rules_policies for case in cases) >= 24
    unconfirmed, believed = differing(cases)
    assert believed == set()
    assert unconfirmed == {name for name in UNCONFIRMED if "::" not in name}


def test_limbo_by_our_validation(corpora):
    unconfirmed, believed = differing(limbo(corpora))
    assert believed == BELIEVED.keys()
    assert unconfirmed == {name for name in UNCONFIRMED if "::" in name}


def test_pkits_by_certvalidator(corpora):
    """It answers each as expected: what ours leaves unconfirmed is all that the two differ in."""
    assert {case.name for case in pkits(corpora) if (the_librarys(case) == "good") is not case.valid} == set()


def test_limbo_by_certvalidator(corpora):
    cases = [case for case in limbo(corpora) if not case.name.startswith(ENDLESS)]
    assert {case.name for case in cases if (the_librarys(case) == "good") is not case.valid} == LIBRARY_DIFFERS.keys()


def test_what_a_caller_may_ask_changes_the_verdict(corpora):
    """The same path under other parameters: policies of the anchor's domain, mapping, any policy, length."""
    cases = {case.name: case for case in pkits(corpora)}
    plain = cases["all_certs_same_policy_test1_explicit_policy"]
    accepted = next(iter(cases["valid_policy_mapping_test2_with_testpol1"].parameters.initial_policies))
    assert ours(replace(plain, parameters=PathParameters.requiring(frozenset({accepted})))) == "good"
    assert ours(replace(plain, parameters=PathParameters.requiring(frozenset({"2.5.29.32.99"})))) == "constraints"
    assert ours(replace(plain, parameters=PathParameters(longest=0))) == "no_issuer"
    assert ours(replace(plain, parameters=PathParameters(longest=1))) == "good"


def test_a_missing_key_identifier_and_soft_constraints_are_those_of_honest_authorities(corpora):
    """The data behind two reasons of BELIEVED."""
    honest = Certificate(read_certificate(corpora / OCSP / "D3_Cert_EE.pem"))
    assert ExtensionOID.AUTHORITY_KEY_IDENTIFIER not in {item.oid for item in honest.x509.extensions}
    demanded = next(case for case in pkits(corpora) if case.name == "valid_basicconstraints_not_critical_test4")
    assert demanded.valid
    assert ours(demanded) == "good"


@pytest.mark.parametrize(
    ("folder", "leaf", "day", "expected"),
    [
        ("pss", "signer1", "2021-01-01", "good"),
        ("pss", "signer1", "2023-01-01", "validity"),
        ("ed25519", "signer", "2021-01-01", "good"),
        ("ed25519", "signer1-indefinite", "2025-01-01", "good"),
        ("ed25519", "signer2", "2021-01-01", "good"),
        ("ed25519", "signer2", "2019-01-01", "validity"),
        ("ed25519", "ocsp", "2021-01-01", "no_issuer"),  # of another authority of the same name, as openssl says too
        ("ed25519", "tsa", "2021-01-01", "good"),
        ("ed25519", "tsa2", "2021-01-01", "validity"),
        ("ed25519", "tsa2", "2029-01-01", "good"),
    ],
)
def test_other_algorithms(corpora, folder, leaf, day, expected):
    """RSASSA-PSS and Ed25519 chains; the same chain is broken by one changed bit of its certificate's signature."""
    read = {path.name.split(".")[0]: read_certificate(path) for path in (corpora / "pki" / folder).glob("*.pem")}
    at = datetime.fromisoformat(day).replace(tzinfo=UTC)
    case = PathCase(leaf, expected == "good", read[leaf], [read["root"]], [read["interm"]], at)
    assert ours(case) == expected
    assert (the_librarys(case) == "good") is case.valid
    broken = replace(case, leaf=read[leaf][:-1] + bytes([read[leaf][-1] ^ 1]), valid=False)
    assert ours(broken) == "no_issuer"
    assert the_librarys(broken) != "good"


MULTITASKING_TIME = datetime(2021, 8, 19, 12, 20, tzinfo=UTC)


def multitasking(corpora: Path) -> PathCase:
    folder = corpora / "pki/multitasking-ocsp"
    read = {path.name.split(".")[0]: read_certificate(path) for path in folder.glob("*.pem")}
    responses = [(folder / f"ocsp-resp-{name}.der").read_bytes() for name in ("alice", "interm")]
    return PathCase(
        "multitasking", True, read["alice"], [read["root"]], [read["interm"]], MULTITASKING_TIME,
        responses=responses, revocation=True,
    )  # fmt: skip


def test_a_responder_for_two_authorities(corpora):
    """The path holds. The responses count for certvalidator alone: their times have fractions of a second, which
    RFC 5280 4.1.2.5.2 forbids and cryptography does not read, so that the state stays unknown here."""
    case = multitasking(corpora)
    assert ours(replace(case, revocation=False)) == "good"
    assert (ours(case), the_librarys(case)) == ("unknown", "good")
    assert all(b"20210819121" in response for response in case.responses)
    assert all(load_ocsp(response) is None for response in case.responses)


OCSP = "pki/openssl-ocsp"


def test_ocsp_responses(corpora):
    """Good responses count, wrong ones leave the state unknown or revoked, never good; for both engines."""
    wrong, librarys = [], []
    for case in json.loads((corpora / OCSP / "ocsp-cases.json").read_text()):
        at = datetime.fromisoformat(case["moment"])
        root, leaf, *others = (
            read_certificate(corpora / OCSP / name)
            for name in (case["root"], case["cert"], *case.get("other_certs", []))
        )
        responses = [base64.b64decode((corpora / OCSP / name).read_bytes()) for name in case["ocsps"]]
        path = PathCase(case["name"], "error" not in case, leaf, [root], others, at, freshness=timedelta(days=30))
        assert ours(replace(path, strength_at=at - timedelta(days=3650))) == "good", case["name"]
        store = TrustStore(Policy({Purpose.OUTSIDE: [root]}, at), others)
        chain = store.find_chain(Certificate(leaf), (Purpose.OUTSIDE,), at)
        assert not isinstance(chain, NoChain)
        data = RevocationData((), responses, store)
        states = [data.standing(*pair, at, at, path.freshness).state for pair in chain.pairs()]
        judged = states[: len(case["ocsps"])]  # the leaf first; a case may bring no response for its authority
        if all(state == "good" for state in judged) is not path.valid:
            wrong.append((case["name"], states))
        asked = replace(path, responses=responses, anchors=[root])
        told = the_librarys_states(asked, len(case["ocsps"]))
        if all(state == "good" for state in told) is not path.valid:
            librarys.append((case["name"], told))
    assert wrong == []
    assert librarys == []


def test_staged_freshness(corpora):
    """The same chain at three dates: good, good, then its authority is revoked."""
    folder = corpora / "pki/freshness"
    read = {path.stem: read_certificate(path) for path in (folder / "certs").glob("*.crt")}
    for day, expected in (("2020-10-01", "good"), ("2020-11-29", "good"), ("2020-12-10", "revoked")):
        at = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(hours=23)
        below = read["interm" if expected == "good" else "interm-revoked"]
        store = TrustStore(Policy({Purpose.OUTSIDE: [read["root"]]}, at), [below])
        data = RevocationData([(folder / f"root-{day}.crl").read_bytes()], (), store)
        found = data.standing(Certificate(below), Certificate(read["root"]), at, at, timedelta(days=1))
        assert found.state == expected, day
        root = PathCase(day, True, below, [read["root"]], [], at, [(folder / f"root-{day}.crl").read_bytes()])
        assert (the_librarys_states(root, 1) == ["good"]) is (expected == "good"), day


def test_sm2_is_named_and_never_believed(corpora):
    der = read_certificate(corpora / "pki/sm2/ofdrw-sign_cert.pem")
    certificate = Certificate(der)
    assert "SM2" in (signed_with_sm2(certificate) or "")
    at = datetime(2022, 1, 1, tzinfo=UTC)
    stranger = read_certificate(corpora / "pki/pss/root.cert.pem")
    chain = TrustStore(Policy({Purpose.OUTSIDE: [stranger]}, at)).find_chain(certificate, (Purpose.OUTSIDE,), at)
    assert isinstance(chain, NoChain)
    assert chain.kind == "unsupported"
    case = PathCase("sm2", False, der, [stranger], [], at)
    assert the_librarys(case) != "good"


WYCHEPROOF = {
    "ecdsa_secp256r1_sha256_test.json": "ecdsa",
    "ed25519_test.json": "ed25519",
    "rsa_pss_2048_sha256_mgf1_32_test.json": "pss",
    "rsa_pss_misc_test.json": "pss",
    "rsa_signature_2048_sha256_test.json": "rsa",
    "rsa_signature_3072_sha256_test.json": "rsa",
}


@pytest.mark.parametrize("name", WYCHEPROOF)
def test_wycheproof_signatures(corpora, name):
    """Values that are nearly right: other encodings, paddings, ranges, parameters."""
    wrong = []
    for group, key in wycheproof_groups(corpora, name):
        algorithm = algorithm_of(WYCHEPROOF[name], group)
        for test in group["tests"]:
            right = judged_value(key, algorithm, bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))
            if test["result"] != "acceptable" and right is not (test["result"] == "valid"):
                wrong.append((test["tcId"], test["comment"], right))
    assert wrong == []


def judged_value(key: object, algorithm: Algorithm, signature: bytes, data: bytes) -> bool:
    try:
        return value_is_right(key, algorithm, algorithm.digest or "sha512", signature, data)
    except UnsupportedAlgorithm:
        return False


def wycheproof_groups(corpora: Path, name: str) -> Iterable[tuple[dict, object]]:
    for group in json.loads((corpora / "pki/wycheproof" / name).read_text())["testGroups"]:
        raw = bytes.fromhex(group["publicKeyDer"])
        try:
            yield group, load_der_public_key(raw)
        except ValueError:
            assert all(test["result"] != "valid" for test in group["tests"])


def algorithm_of(family: str, group: dict) -> Algorithm:
    def plain(text: str) -> str:
        return text.replace("-", "").lower()

    if family == "ed25519":
        return Algorithm(family, None)
    if family == "pss":
        return Algorithm(family, plain(group["sha"]), plain(group["mgfSha"]), group["sLen"])
    return Algorithm(family, plain(group["sha"]))


def test_wycheproof_raw_ecdsa_values(corpora):
    """What a token gives (r and s side by side) becomes the DER of a CMS only if it can be a value of the curve."""
    wrong = []
    for group, key in wycheproof_groups(corpora, "ecdsa_secp256r1_sha256_p1363_test.json"):
        assert isinstance(key, ec.EllipticCurvePublicKey)
        for test in group["tests"]:
            try:
                der = raw_to_der(bytes.fromhex(test["sig"]), 32)
            except ValueError:
                right = False
            else:
                right = judged_value(key, Algorithm("ecdsa", "sha256"), der, bytes.fromhex(test["msg"]))
            if right is not (test["result"] == "valid"):
                wrong.append((test["tcId"], test["comment"], right))
    assert wrong == []


def test_every_folder_of_the_vectors_is_read(corpora):
    """A folder that is added later is noticed; the anchors belong to the signed documents (test_corpora)."""
    read = {"anchors", "ed25519", "freshness", "multitasking-ocsp", "openssl-ocsp", "pkits", "pss", "sm2"}
    assert {path.name for path in (corpora / "pki").iterdir()} == read | {"wycheproof", "x509-limbo"}
    for path in (corpora / "pki/anchors").glob("*.pem"):
        assert x509.load_pem_x509_certificates(path.read_bytes())
