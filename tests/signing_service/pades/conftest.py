"""A small PKI with keys in memory, an own timestamp authority and revocation source, and files to sign."""

from __future__ import annotations

import csv
import io
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pikepdf
import pytest
from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hardware.ports import Mechanism
from signing_service.pades.ports import Evidence

DAY = timedelta(days=1)
PROJECT = Path(__file__).resolve().parents[3]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


@dataclass
class MemoryKey:
    """A `SigningKey` whose key is in memory; `uses` counts how often it signed."""

    private: PrivateKey
    certificate: bytes
    chain: Sequence[bytes]
    uses: int = 0

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        self.uses += 1
        if isinstance(self.private, rsa.RSAPrivateKey):
            assert mechanism is Mechanism.RSA_PKCS1_SHA256
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        assert mechanism is Mechanism.ECDSA_SHA256
        return self.private.sign(data, ec.ECDSA(hashes.SHA256()))


@dataclass
class Pki:
    """Root, issuing CA, signers and a TSA. `issue` makes more; `revoked` serials appear on the CA's CRL."""

    now: datetime
    keys: dict[str, PrivateKey] = field(default_factory=dict)
    certificates: dict[str, x509.Certificate] = field(default_factory=dict)
    revoked: set[int] = field(default_factory=set)

    def issue(
        self,
        name: str,
        private: PrivateKey,
        *,
        issuer: str | None = None,
        ca: bool = False,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        signs: bool = True,
        purpose: x509.ObjectIdentifier | None = None,
    ) -> x509.Certificate:
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "示例市"),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        parent = self.certificates[issuer].subject if issuer else subject
        parent_key = self.keys[issuer] if issuer else private
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(parent)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before or self.now - 30 * DAY)
            .not_valid_after(not_after or self.now + 3650 * DAY)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(_usage(ca=ca, signs=signs), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(parent_key.public_key()), critical=False)
        )
        if purpose is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        self.keys[name] = private
        self.certificates[name] = builder.sign(parent_key, hashes.SHA256())
        return self.certificates[name]

    def key(self, name: str) -> MemoryKey:
        chain = [der(self.certificates["issuing"]), der(self.certificates["root"])]
        return MemoryKey(self.keys[name], der(self.certificates[name]), chain)

    def crl(self, issuer: str) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificates[issuer].subject)
            .last_update(self.now - DAY)
            .next_update(self.now + 30 * DAY)
            .add_extension(x509.CRLNumber(1), critical=False)
        )
        for serial in self.revoked if issuer == "issuing" else ():
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(self.now - DAY).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.keys[issuer], hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def evidence(self, chain: Sequence[bytes]) -> Evidence:
        """As `RevocationSource`: both CRLs and every issuer's certificate."""
        issuers = (der(self.certificates["issuing"]), der(self.certificates["root"]))
        return Evidence(certificates=issuers, crls=(self.crl("issuing"), self.crl("root")))


def _usage(*, ca: bool, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs and not ca,
        content_commitment=signs and not ca,
        key_encipherment=not signs and not ca,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass
class MemoryAuthority:
    """A `Timestamper` that issues real RFC 3161 tokens, `padding_certificates` copies of extra certificates in them."""

    pki: Pki
    moment: datetime
    extra: Sequence[bytes] = ()

    def timestamp(self, digest: bytes) -> bytes:
        certificate = asn1_x509.Certificate.load(der(self.pki.certificates["tsa"]))
        sha256 = algos.DigestAlgorithm({"algorithm": "sha256"})
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": "1.2.3.4.1",
                "message_imprint": {"hash_algorithm": sha256, "hashed_message": digest},
                "serial_number": x509.random_serial_number(),
                "gen_time": self.moment,
            }
        ).dump()
        attributes = cms.CMSAttributes(
            [
                cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
                cms.CMSAttribute({"type": "message_digest", "values": [_sha256(info)]}),
                cms.CMSAttribute({"type": "signing_certificate_v2", "values": [_ess(certificate)]}),
            ]
        )
        value = self.pki.keys["tsa"].sign(attributes.dump(), padding.PKCS1v15(), hashes.SHA256())
        signer = {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                "issuer_and_serial_number",
                {"issuer": certificate.issuer, "serial_number": certificate.serial_number},
            ),
            "digest_algorithm": sha256,
            "signed_attrs": attributes,
            "signature_algorithm": {"algorithm": "sha256_rsa"},
            "signature": value,
        }
        others = [asn1_x509.Certificate.load(der(self.pki.certificates["issuing"]))]
        others += [asn1_x509.Certificate.load(item) for item in self.extra]
        signed = {
            "version": "v3",
            "digest_algorithms": [sha256],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
            "certificates": [certificate, *others],
            "signer_infos": [signer],
        }
        return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)}).dump()


def _sha256(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize()


def _ess(certificate: asn1_x509.Certificate) -> tsp.SigningCertificateV2:
    return tsp.SigningCertificateV2({"certs": [{"cert_hash": _sha256(certificate.dump())}]})


@pytest.fixture(scope="session")
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="session")
def pki(now: datetime) -> Pki:
    made = Pki(now)
    made.issue("root", rsa.generate_private_key(65537, 2048), ca=True)
    made.issue("issuing", rsa.generate_private_key(65537, 2048), issuer="root", ca=True)
    made.issue("审批员甲", rsa.generate_private_key(65537, 2048), issuer="issuing")
    made.issue("审批员乙", ec.generate_private_key(ec.SECP256R1()), issuer="issuing")
    made.issue("示例印章", rsa.generate_private_key(65537, 2048), issuer="issuing")
    tsa_key = rsa.generate_private_key(65537, 2048)
    made.issue("tsa", tsa_key, issuer="issuing", purpose=ExtendedKeyUsageOID.TIME_STAMPING)
    return made


@pytest.fixture
def authority(pki: Pki, now: datetime) -> MemoryAuthority:
    return MemoryAuthority(pki, now)


@dataclass(frozen=True)
class MessyFile:
    """A file of the external corpus; `expected` is sign, refuse or sign_or_named_refusal."""

    path: Path
    expected: str

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()


def _messy_files() -> list[MessyFile]:
    folder = Path(os.environ.get("ZHENGYIN_CORPORA", PROJECT.parent / "shared" / "corpora"))
    if not (folder / "MANIFEST.tsv").exists():
        return []
    with (folder / "MANIFEST.tsv").open(encoding="utf-8", newline="") as manifest:
        rows = [row for row in csv.DictReader(manifest, delimiter="\t") if row["path"].startswith("unsigned-messy/")]
    return [MessyFile(folder / row["path"], row["sign_expected"]) for row in rows]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a corpus file, so that `-k NAME` runs a single one."""
    if "messy_file" in metafunc.fixturenames:
        files = _messy_files()
        missing = [
            pytest.param(None, marks=pytest.mark.skip(reason="external corpora not found; set ZHENGYIN_CORPORA"))
        ]
        metafunc.parametrize("messy_file", files or missing, ids=[file.path.name for file in files] or ["absent"])


@pytest.fixture
def pdfsig(tmp_path: Path) -> Callable[[bytes], list[str]]:
    """What poppler's pdfsig says of each signature: the text after "Signature Validation"."""

    def run(pdf: bytes) -> list[str]:
        path = tmp_path / "checked.pdf"
        path.write_bytes(pdf)
        done = subprocess.run(["pdfsig", "-nocert", str(path)], capture_output=True, check=False)
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        return [line.partition(":")[2].strip() for line in lines if "Signature Validation:" in line]

    return run


@pytest.fixture
def make_pdf() -> Callable[..., bytes]:
    """A PDF of so many pages, whose page dictionaries get `entries`."""

    def make(pages: int = 1, **entries: object) -> bytes:
        document = pikepdf.new()
        for number in range(pages):
            page = document.add_blank_page(page_size=(595.276, 841.89))
            page.Contents = document.make_stream(b"0.9 g 0 0 100 100 re f %% page %d" % number)
            for key, value in entries.items():
                page[f"/{key}"] = value
        output = io.BytesIO()
        document.save(output)
        return output.getvalue()

    return make
