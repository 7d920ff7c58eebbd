"""Rules of certificate paths, each with its counter-example, on certificates made here (RFC 5280, 4 and 6)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signing_service.verification.path_parameters import ANY_POLICY, PathParameters
from tests.signing_service.verification.pki_world import Party, Revoked, authority, name, revocation_list, usage
from tests.signing_service.verification.two_engines import PathCase, ours, the_librarys

AT = datetime(2026, 1, 1, tzinfo=UTC)
START, END = AT - timedelta(days=365), AT + timedelta(days=365)
POLICY, OTHER = x509.ObjectIdentifier("1.3.6.1.4.1.55738.1"), x509.ObjectIdentifier("1.3.6.1.4.1.55738.2")
Extension = tuple[x509.ExtensionType, bool]


@dataclass(frozen=True)
class Form:
    """How a certificate is made; a test changes one thing."""

    subject: x509.Name
    ca: bool = False
    path_length: int | None = None
    key_usage: x509.KeyUsage | None = None
    extensions: tuple[Extension, ...] = ()
    serial: int | None = None
    start: datetime = START
    end: datetime = END


def issued(form: Form, issuer: Party | None = None, key: ec.EllipticCurvePrivateKey | None = None) -> Party:
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(form.subject)
        .issuer_name(issuer.certificate.subject if issuer else form.subject)
        .public_key(key.public_key())
        .serial_number(form.serial or x509.random_serial_number())
        .not_valid_before(form.start)
        .not_valid_after(form.end)
        .add_extension(x509.BasicConstraints(form.ca, form.path_length), critical=True)
        .add_extension(form.key_usage or usage(sign=not form.ca, ca=form.ca), critical=True)
    )
    for extension, critical in form.extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Party(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


ROOT = Form(name("示例根"), ca=True)
CA = Form(name("示例签发机构"), ca=True)
LEAF = Form(name("示例签署人"))


def case(root: Form = ROOT, ca: Form = CA, leaf: Form = LEAF, **changes: object) -> PathCase:
    top = issued(root)
    middle = issued(ca, top)
    low = issued(leaf, middle)
    made = PathCase("made here", True, low.der, [top.der], [middle.der], AT)
    return replace(made, **changes)


def names(*given: x509.GeneralName, critical: bool = False) -> Extension:
    return x509.SubjectAlternativeName(list(given)), critical


def constraint(
    permitted: list[x509.GeneralName] | None = None,
    excluded: list[x509.GeneralName] | None = None,
    *,
    critical: bool = True,
) -> Extension:
    return x509.NameConstraints(permitted, excluded), critical


def directory(*pairs: tuple[x509.ObjectIdentifier, str]) -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name([x509.NameAttribute(*pair) for pair in pairs]))


UNIT = (NameOID.COUNTRY_NAME, "CN"), (NameOID.ORGANIZATION_NAME, "示例市行政审批局")
BARE_USAGE = x509.KeyUsage(False, False, False, False, False, False, False, False, False)
MAIL, HOST, URI, ADDRESS = x509.RFC822Name, x509.DNSName, x509.UniformResourceIdentifier, x509.IPAddress
V4, V6 = ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/32")
SIGNING_CA = x509.KeyUsage(True, False, False, False, False, True, True, False, False)


def test_a_plain_path_holds_for_both():
    assert (ours(case()), the_librarys(case())) == ("good", "good")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"leaf": replace(LEAF, serial=(1 << 159) - 1)}, "good"),
        ({"leaf": Form(x509.Name([]), extensions=(names(HOST("a.example"), critical=True),))}, "good"),
        ({"leaf": Form(x509.Name([]), extensions=(names(HOST("a.example")),))}, "constraints"),
        ({"leaf": replace(LEAF, subject=x509.Name([]))}, "constraints"),
        ({"leaf": replace(LEAF, extensions=(names(HOST("*.a.example")),))}, "good"),
        ({"leaf": replace(LEAF, extensions=(names(HOST("a_b.example")),))}, "constraints"),
        ({"leaf": replace(LEAF, extensions=(names(HOST("a..example")),))}, "constraints"),
        ({"leaf": replace(LEAF, extensions=(names(HOST("a.*.example")),))}, "constraints"),
        ({"leaf": replace(LEAF, extensions=(names(HOST("-a.example")),))}, "constraints"),
        ({"leaf": replace(LEAF, key_usage=SIGNING_CA)}, "constraints"),
        ({"leaf": replace(LEAF, key_usage=BARE_USAGE)}, "constraints"),
        ({"leaf": replace(LEAF, extensions=((x509.PolicyConstraints(9, None), True),))}, "constraints"),
        ({"leaf": replace(LEAF, extensions=(constraint([HOST("example")]),))}, "constraints"),
        ({"leaf": replace(LEAF, extensions=((x509.SubjectKeyIdentifier(b"k" * 20), True),))}, "constraints"),
        ({"root": replace(ROOT, extensions=((x509.SubjectKeyIdentifier(b"k" * 20), True),))}, "constraints"),
        ({"ca": replace(CA, extensions=((x509.SubjectKeyIdentifier(b"k" * 20), False),))}, "good"),
        ({"root": replace(ROOT, end=AT - timedelta(seconds=1))}, "validity"),
        ({"root": replace(ROOT, start=AT + timedelta(seconds=1))}, "validity"),
        ({"root": replace(ROOT, end=AT)}, "good"),
        ({"ca": replace(CA, end=AT - timedelta(seconds=1))}, "validity"),
        ({"ca": replace(CA, path_length=0)}, "good"),
        ({"root": replace(ROOT, path_length=0)}, "constraints"),
        ({"ca": replace(CA, ca=False)}, "constraints"),
        ({"ca": replace(CA, subject=x509.Name([]))}, "constraints"),
        ({"ca": replace(CA, key_usage=usage(sign=True))}, "constraints"),
        ({"leaf": replace(LEAF, extensions=((x509.UnrecognizedExtension(OTHER, b""), True),))}, "constraints"),
        ({"leaf": replace(LEAF, extensions=((x509.UnrecognizedExtension(OTHER, b""), False),))}, "good"),
    ],
)  # fmt: skip
def test_form(change, expected):
    assert ours(case(**change)) == expected


@pytest.mark.parametrize(
    ("rule", "subject_names", "expected"),
    [
        (constraint([HOST("example")]), [HOST("a.example")], "good"),
        (constraint([HOST("example")]), [HOST("example")], "good"),
        (constraint([HOST("EXAMPLE.")]), [HOST("a.Example")], "good"),
        (constraint([HOST("a.example")]), [HOST("ba.example")], "constraints"),
        (constraint([HOST("example")]), [HOST("a.example"), HOST("a.test")], "constraints"),
        (constraint([HOST("")]), [HOST("a.test")], "good"),
        (constraint(None, [HOST("")]), [HOST("a.test")], "constraints"),
        (constraint(None, [HOST("a.example")]), [HOST("b.example")], "good"),
        (constraint(None, [HOST("a.example")]), [HOST("*.example")], "constraints"),
        (constraint([HOST(".example")]), [HOST("a.example")], "constraints"),
        (constraint([HOST("example")], [HOST("a.example")]), [HOST("b.a.example")], "constraints"),
        (constraint([HOST("example")], critical=False), [HOST("a.example")], "constraints"),
        (constraint([HOST("example")]), [MAIL("a@test")], "good"),
        (constraint([MAIL("a@example")]), [MAIL("a@Example")], "good"),
        (constraint([MAIL("a@example")]), [MAIL("A@example")], "constraints"),
        (constraint([MAIL("example")]), [MAIL("a@example")], "good"),
        (constraint([MAIL("example")]), [MAIL("a@b.example")], "constraints"),
        (constraint([MAIL(".example")]), [MAIL("a@b.example")], "good"),
        (constraint([MAIL(".example")]), [MAIL("a@example")], "constraints"),
        (constraint([MAIL("*@example")]), [MAIL("a@example")], "constraints"),
        (constraint(None, [MAIL("example")]), [MAIL("a@test")], "good"),
        (constraint([URI("example")]), [URI("https://example/a")], "good"),
        (constraint([URI("example")]), [URI("https://a.example/a")], "constraints"),
        (constraint([URI(".example")]), [URI("https://x@a.example:1/a")], "good"),
        (constraint([URI(".example")]), [URI("urn:a")], "constraints"),
        (constraint([URI(".example")]), [URI("https://192.0.2.1/")], "constraints"),
        (constraint([ADDRESS(V4)]), [ADDRESS(V4[1])], "good"),
        (constraint([ADDRESS(V4)]), [ADDRESS(ipaddress.ip_address("192.0.3.1"))], "constraints"),
        (constraint([ADDRESS(V4)]), [ADDRESS(V6[1])], "constraints"),
        (constraint(None, [ADDRESS(V6)]), [ADDRESS(V6[1])], "constraints"),
        (constraint(None, [ADDRESS(V6)]), [ADDRESS(V4[1])], "good"),
        (constraint([directory(*UNIT)]), [HOST("a.test")], "good"),
        (constraint([directory((NameOID.COUNTRY_NAME, "cn"))]), [HOST("a.test")], "good"),
        (constraint([directory((NameOID.COUNTRY_NAME, "XX"))]), [HOST("a.test")], "constraints"),
        (constraint(None, [directory(*UNIT)]), [HOST("a.test")], "constraints"),
        (constraint([directory(*UNIT)]), [directory((NameOID.COUNTRY_NAME, "XX"))], "constraints"),
        (constraint(None, [x509.RegisteredID(OTHER)]), [HOST("a.test")], "good"),
        (constraint(None, [x509.RegisteredID(OTHER)]), [x509.RegisteredID(POLICY)], "constraints"),
        (constraint([x509.OtherName(OTHER, b"\x05\x00")]), [HOST("a.test")], "good"),
        (constraint([x509.OtherName(OTHER, b"\x05\x00")]), [x509.OtherName(OTHER, b"\x05\x00")], "constraints"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["ca", "root"])
def test_name_constraints(where, rule, subject_names, expected):
    """On the authority or on the anchor, for every kind of name (4.2.1.10). The subject's CN and O are in UNIT."""
    holder = replace(CA if where == "ca" else ROOT, extensions=(rule,))
    made = case(**{where: holder}, leaf=replace(LEAF, extensions=(names(*subject_names),)))
    assert ours(made) == expected


def test_constraints_narrow_downwards_and_hold_for_authorities_too():
    wide, narrow = constraint([HOST("example")]), constraint([HOST("a.example")])
    inside, outside = (replace(LEAF, extensions=(names(HOST(host)),)) for host in ("b.a.example", "b.example"))
    both = {"root": replace(ROOT, extensions=(wide,)), "ca": replace(CA, extensions=(narrow,))}
    assert ours(case(**both, leaf=inside)) == "good"
    assert ours(case(**both, leaf=outside)) == "constraints"
    swapped = {"root": replace(ROOT, extensions=(narrow,)), "ca": replace(CA, extensions=(wide,))}
    assert ours(case(**swapped, leaf=outside)) == "constraints"
    stray = replace(CA, extensions=(names(HOST("a.test")),))
    assert ours(case(root=replace(ROOT, extensions=(wide,)), ca=stray, leaf=inside)) == "constraints"


def test_an_address_in_the_subject_counts_where_there_are_no_alternative_names():
    subject = x509.Name([*name("示例签署人"), x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@test")])
    ruled = replace(CA, extensions=(constraint([MAIL("example")]),))
    assert ours(case(ca=ruled, leaf=replace(LEAF, subject=subject))) == "constraints"
    shadowed = replace(LEAF, subject=subject, extensions=(names(MAIL("a@example")),))
    assert ours(case(ca=ruled, leaf=shadowed)) == "good"


def test_policies_meet_their_constraints_even_beside_constraints_on_names():
    stated: Extension = x509.CertificatePolicies([x509.PolicyInformation(POLICY, None)]), False
    demand: Extension = x509.PolicyConstraints(0, None), True
    ca = replace(CA, extensions=(stated, demand, constraint([HOST("example")])))
    leaf = replace(LEAF, extensions=(stated, names(HOST("a.example"))))
    assert ours(case(ca=ca, leaf=leaf)) == "good"
    assert ours(case(ca=ca, leaf=replace(leaf, extensions=(names(HOST("a.example")),)))) == "constraints"
    addresses = replace(ca, extensions=(stated, demand, constraint([ADDRESS(V4)])))
    unknown_to_the_library = replace(leaf, extensions=(stated, names(ADDRESS(V4[1]))))
    assert ours(case(ca=addresses, leaf=unknown_to_the_library)) == "constraints"  # left unconfirmed, and no crash


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (PathParameters(), "good"),
        (PathParameters.requiring(frozenset({POLICY.dotted_string})), "good"),
        (PathParameters.requiring(frozenset({OTHER.dotted_string})), "constraints"),
        (PathParameters.requiring(frozenset({OTHER.dotted_string, POLICY.dotted_string})), "good"),
        (PathParameters(explicit_policy=True), "good"),
        (PathParameters(initial_policies=frozenset({OTHER.dotted_string})), "good"),
    ],
)
def test_a_caller_may_require_a_policy(parameters, expected):
    stated: Extension = x509.CertificatePolicies([x509.PolicyInformation(POLICY, None)]), False
    both = {"ca": replace(CA, extensions=(stated,)), "leaf": replace(LEAF, extensions=(stated,))}
    made = case(**both, parameters=parameters)
    assert ours(made) == expected
    assert (the_librarys(made) == "good") is (expected == "good")
    silent = case(parameters=parameters)
    assert ours(silent) == ("constraints" if parameters.explicit_policy else "good")


def test_mapping_and_any_policy_can_be_inhibited():
    def policies(*oids: x509.ObjectIdentifier) -> Extension:
        return x509.CertificatePolicies([x509.PolicyInformation(oid, None) for oid in oids]), False

    mapped = replace(CA, extensions=(policies(POLICY), _mapping(POLICY, OTHER)))
    leaf = replace(LEAF, extensions=(policies(OTHER),))
    asked = PathParameters.requiring(frozenset({POLICY.dotted_string}))
    assert ours(case(ca=mapped, leaf=leaf, parameters=asked)) == "good"
    assert ours(case(ca=mapped, leaf=leaf, parameters=replace(asked, inhibit_mapping=True))) == "constraints"
    wild = {"ca": replace(CA, extensions=(policies(x509.ObjectIdentifier(ANY_POLICY)),))}
    stated = replace(LEAF, extensions=(policies(POLICY),))
    assert ours(case(**wild, leaf=stated, parameters=asked)) == "good"
    assert ours(case(**wild, leaf=stated, parameters=replace(asked, inhibit_any_policy=True))) == "constraints"


def _mapping(above: x509.ObjectIdentifier, below: x509.ObjectIdentifier) -> Extension:
    """policyMappings, which cryptography reads but does not build."""
    from asn1crypto import x509 as asn1

    value = asn1.PolicyMappings(
        [{"issuer_domain_policy": above.dotted_string, "subject_domain_policy": below.dotted_string}]
    )
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.33"), value.dump()), True


def test_parameters_that_accept_nothing_are_refused():
    with pytest.raises(ValueError, match="empty set"):
        PathParameters(initial_policies=frozenset())
    with pytest.raises(ValueError, match="fewer"):
        PathParameters(longest=-1)


@pytest.mark.parametrize(("revoked_at", "why"), [(AT + timedelta(days=1), "later"), (START, "before its own begin")])
def test_whatever_a_list_names_is_revoked_by_the_time_of_the_list(revoked_at, why):
    top = issued(ROOT)
    leaf = issued(LEAF, top)
    crl = revocation_list(top, AT - timedelta(days=1), Revoked(leaf, revoked_at))
    made = PathCase(why, False, leaf.der, [top.der], [], AT, [crl], revocation=True)
    assert ours(made) == "revoked"
    other = PathCase(why, True, issued(LEAF, top).der, [top.der], [], AT, [crl], revocation=True)
    assert ours(other) == "good"


def test_an_authority_with_a_new_key_vouches_for_what_its_old_one_signed():
    """A key roll-over: the old key's certificate signed by the new one; the list by the new key alone (PKITS 4.5.1)."""
    top, new = issued(ROOT), None
    new = issued(CA, top)
    old = issued(CA, new)
    leaf = issued(LEAF, old)
    lists = [revocation_list(party, AT - timedelta(days=1)) for party in (top, new)]
    made = PathCase("roll-over", True, leaf.der, [top.der], [old.der, new.der], AT, lists, revocation=True)
    assert ours(made) == "good"
    stranger = revocation_list(issued(CA), AT - timedelta(days=1))
    assert ours(replace(made, crls=[lists[0], stranger])) == "unknown"


def test_one_responder_key_for_two_authorities():
    """Each response counts for the authority that appointed its signer, and for no other."""
    top = issued(ROOT)
    middle = issued(CA, top)
    leaf = issued(LEAF, middle)
    shared = ec.generate_private_key(ec.SECP256R1())
    role: Extension = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False
    form = Form(name("示例应答者"), extensions=(role,))
    responders = {id(issuer): issued(form, issuer, shared) for issuer in (top, middle)}

    def answer(about: Party, issuer: Party, signer: Party) -> bytes:
        made = ocsp.OCSPResponseBuilder().add_response(
            about.certificate, issuer.certificate, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD,
            AT - timedelta(minutes=1), AT + timedelta(minutes=9), None, None,
        )  # fmt: skip
        made = made.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate).certificates([signer.certificate])
        return made.sign(shared, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    right = [answer(leaf, middle, responders[id(middle)]), answer(middle, top, responders[id(top)])]
    made = PathCase("shared", True, leaf.der, [top.der], [middle.der], AT, (), right, revocation=True)
    assert ours(made) == "good"
    assert ours(replace(made, responses=right[:1])) == "unknown"
    crossed = [answer(leaf, middle, responders[id(top)]), right[1]]
    assert ours(replace(made, responses=crossed)) == "unknown"


def test_a_described_curve_is_refused():
    """The same point, its curve spelt out: what let anybody bring a generator of his own (CVE-2020-0601)."""
    from asn1crypto import keys as asn1_keys
    from asn1crypto import x509 as asn1

    top = issued(ROOT)
    plain = asn1.Certificate.load(issued(LEAF, top).der)
    p = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
    described = asn1_keys.SpecifiedECDomain(
        {
            "version": "ecdpVer1",
            "field_id": {"field_type": "prime_field", "parameters": p},
            "curve": {"a": (p - 3).to_bytes(32, "big"), "b": P256_B.to_bytes(32, "big")},
            "base": b"\x04" + P256_X.to_bytes(32, "big") + P256_Y.to_bytes(32, "big"),
            "order": P256_N,
            "cofactor": 1,
        }
    )
    body = plain["tbs_certificate"]
    body["subject_public_key_info"]["algorithm"]["parameters"] = asn1_keys.ECDomainParameters("specified", described)
    signature = top.key.sign(body.dump(force=True), ec.ECDSA(hashes.SHA256()))
    plain["signature_value"] = signature
    der = plain.dump(force=True)
    made = PathCase("described", False, der, [top.der], [], AT)
    assert ours(made) == "constraints"


def test_a_curve_that_is_no_structure_at_all_is_refused_too():
    top = issued(ROOT)
    leaf = issued(LEAF, top).certificate
    named = bytes.fromhex("06082a8648ce3d030107")
    body = leaf.tbs_certificate_bytes
    assert body.count(named) == 1
    spoilt = body.replace(named, b"\x0c" + named[1:])
    signature = top.key.sign(spoilt, ec.ECDSA(hashes.SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    bits = b"\x00" + signature
    content = spoilt + algorithm + b"\x03" + bytes([len(bits)]) + bits
    der = b"\x30\x82" + len(content).to_bytes(2, "big") + content
    made = PathCase("spoilt", False, der, [top.der], [], AT)
    assert ours(made) in {"constraints", "unreadable"}


P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
P256_X = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
P256_Y = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_both_engines_agree_on_a_chain_of_many_authorities():
    parties = [authority("示例根")]
    for number in range(9):
        parties.append(issued(replace(CA, subject=name(f"示例第{number}级")), parties[-1]))
    for depth, expected in ((8, "good"), (9, "no_issuer")):
        leaf = issued(LEAF, parties[depth])
        made = PathCase("deep", True, leaf.der, [parties[0].der], [p.der for p in parties[1 : depth + 1]], AT)
        assert ours(made) == expected
        assert ours(replace(made, parameters=PathParameters(longest=9))) == "good"
        assert the_librarys(made) == "good"
