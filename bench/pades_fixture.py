"""What measuring the speed of signing needs: keys on a SoftHSM, certificates, documents, and peers."""

from __future__ import annotations

import datetime as dt
import io
import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hardware.driver import open_token
from hardware.ports import Mechanism, TokenKey
from hardware.softhsm import SoftHsmStore
from signing_service.pades.ports import Evidence
from signing_service.pdf.picture import VectorPicture

KINDS = ("rsa2048", "p256")
DAY = dt.timedelta(days=1)
_SHA256_IMPRINT = bytes.fromhex("3031300d060960864801650304020105000420")
PIN = "482913"  # of a token that lives as long as the measurement


def _star_in_a_ring() -> bytes:
    """About as many operators as a real seal has: a ring, a star and forty glyph-sized outlines."""
    ring = b"1 0 0 RG 1 0 0 rg 3.4 w 59.5 59.5 m 4 4 111 111 re S "
    glyph = b"%d %d m %d %d l %d %d %d %d %d %d c h f "
    outlines = b"".join(
        glyph % (10 + i, 20 + j, 14 + i, 25 + j, 12 + i, 22 + j, 16 + i, 28 + j, 11 + i, 21 + j)
        for i in range(0, 80, 10)
        for j in range(0, 80, 2)
    )
    return b"q " + ring + outlines + b"Q"


PICTURE = VectorPicture(_star_in_a_ring(), 42.0, 42.0)


@dataclass
class Key:
    """A key on the token with its certificates, as `SigningKey`."""

    token_key: TokenKey
    certificate: bytes
    chain: Sequence[bytes]
    mechanism: Mechanism

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        return self.token_key.sign(data, mechanism)


@dataclass
class Bed:
    """Everything, opened in this process. It is also a `RevocationSource` whose CRLs are at hand."""

    folder: Path
    keys: dict[str, Key]
    one_page: bytes
    crls: tuple[bytes, ...]
    issuers: tuple[bytes, ...]
    tsa_key: rsa.RSAPrivateKey
    tsa_certificate: bytes
    _scan: list[Path] = field(default_factory=list)

    def evidence(self, chain: Sequence[bytes]) -> Evidence:
        return Evidence(certificates=self.issuers, crls=self.crls)

    def hundred_megabytes(self) -> Path:
        if not self._scan:
            path = self.folder / "scan.pdf"
            path.write_bytes(_document(100 * 1024 * 1024))
            self._scan.append(path)
        return self._scan[0]


class TimedAuthority:
    """Our own authority's tokens, and how long they took (seconds).

    A digest asked for again gets the same token at once, so that its work does not cool the caches of what is measured:
    RSA signs the same file the same way each time.
    """

    def __init__(self, bed: Bed) -> None:
        from signing_service.pki.ports import CertifiedKey
        from signing_service.pki.timestamp_token import TokenTemplate

        self.waited = 0.0
        self._known: dict[bytes, bytes] = {}
        key = CertifiedKey(InMemory(bed.tsa_key), bed.tsa_certificate, bed.issuers[:1])
        self._template = TokenTemplate(key, "1.2.3.4.1")

    def timestamp(self, digest: bytes) -> bytes:
        from signing_service.pki.timestamp_request import TimestampRequest

        if digest in self._known:
            return self._known[digest]
        start = time.perf_counter()
        request = TimestampRequest(_SHA256_IMPRINT + digest, digest, "", b"", wants_certificates=True)
        token = self._template.token(request, secrets.randbits(63), dt.datetime.now(dt.UTC).replace(microsecond=0))
        self.waited += time.perf_counter() - start
        self._known[digest] = token
        return token


@dataclass(frozen=True)
class InMemory:
    """The authority's key: what it costs is taken off, so it need not be on a token."""

    private: rsa.RSAPrivateKey

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())


def build(folder: Path) -> Bed:
    """A new token with both keys, their certificates and everything else, under `folder`."""
    store = SoftHsmStore(folder / "tokens")
    info = store.create("bench", user_pin=PIN, so_pin=PIN)
    root, issuing, tsa = (rsa.generate_private_key(65537, 2048) for _ in range(3))
    root_certificate = _certificate("root", root.public_key(), None, root, ca=True)
    issuing_certificate = _certificate("issuing", issuing.public_key(), root_certificate, root, ca=True)
    tsa_certificate = _certificate("tsa", tsa.public_key(), issuing_certificate, issuing, tsa=True)
    saved: dict[str, Any] = {"serial": info.serial, "module": store.module}
    with open_token(store.module, serial=info.serial, pin=PIN, write=True) as token:
        for number, kind in enumerate(KINDS):
            made = token.generate(kind, label=kind, id=bytes((number + 1,)))
            saved[kind] = _hex(_certificate(kind, made.public_key, issuing_certificate, issuing))
    saved["issuers"] = [_hex(issuing_certificate), _hex(root_certificate)]
    saved["crls"] = [_crl(issuing_certificate, issuing).hex(), _crl(root_certificate, root).hex()]
    saved["tsa"] = _hex(tsa_certificate)
    saved["tsa_key"] = tsa.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).hex()
    saved["document"] = _document(23_000).hex()
    (folder / "bed.json").write_text(json.dumps(saved), encoding="utf-8")
    return attach(folder)


def attach(folder: Path) -> Bed:
    """The same in this process, the token opened and logged in."""
    saved = json.loads((folder / "bed.json").read_text(encoding="utf-8"))
    SoftHsmStore(folder / "tokens").activate()
    token = open_token(saved["module"], serial=saved["serial"], pin=PIN)
    issuers = tuple(bytes.fromhex(item) for item in saved["issuers"])
    mechanisms = {"rsa2048": Mechanism.RSA_PKCS1_SHA256, "p256": Mechanism.ECDSA_SHA256}
    keys = {kind: Key(token.key(label=kind), bytes.fromhex(saved[kind]), issuers, mechanisms[kind]) for kind in KINDS}
    tsa_key = serialization.load_der_private_key(bytes.fromhex(saved["tsa_key"]), None)
    if not isinstance(tsa_key, rsa.RSAPrivateKey):
        raise TypeError("the authority's key is RSA")
    crls = tuple(bytes.fromhex(item) for item in saved["crls"])
    document = bytes.fromhex(saved["document"])
    return Bed(folder, keys, document, crls, issuers, tsa_key, bytes.fromhex(saved["tsa"]))


def plain_pyhanko(key: Key, *, seal: bool = False) -> Callable[[bytes], bytes]:
    """Signing as pyHanko's documentation shows it, PAdES B-B, with the same token key behind it."""
    from asn1crypto import x509 as asn1_x509
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import fields, signers
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    class TokenSigner(signers.Signer):
        async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
            return bytes(512) if dry_run else key.sign(data, key.mechanism)

    registry = SimpleCertificateStore()
    registry.register_multiple([asn1_x509.Certificate.load(item) for item in key.chain])
    signer = TokenSigner(signing_cert=asn1_x509.Certificate.load(key.certificate), cert_registry=registry)
    settings = signers.PdfSignatureMetadata(
        field_name="Seal", md_algorithm="sha256", subfilter=fields.SigSeedSubFilter.PADES
    )
    box = (368, 85, 487, 204) if seal else None
    style = _pyhanko_seal() if seal else None

    def sign(document: bytes) -> bytes:
        spec = fields.SigFieldSpec("Seal", box=box)
        writer = IncrementalPdfFileWriter(io.BytesIO(document))
        worker = signers.PdfSigner(settings, signer, stamp_style=style, new_field_spec=spec)
        return bytes(worker.sign_pdf(writer).getvalue())

    return sign


def _pyhanko_seal() -> object:
    """pyHanko paints a seal as an image: 42 mm at 300 dots an inch."""
    from PIL import Image, ImageDraw
    from pyhanko.pdf_utils.images import PdfImage
    from pyhanko.stamp import StaticStampStyle

    picture = Image.new("RGBA", (496, 496), (255, 255, 255, 0))
    ImageDraw.Draw(picture).ellipse((8, 8, 488, 488), outline=(255, 0, 0, 255), width=14)
    return StaticStampStyle(background=PdfImage(picture), border_width=0)


def subset_with_fonttools(text: str) -> bytes:
    """What pyHanko does to a font for every document: open it and cut it down to the characters used."""
    from fontTools import subset
    from fontTools.ttLib import TTCollection

    path = next(Path("/usr/share/fonts").rglob("NotoSerifCJK-Regular.ttc"))
    font = TTCollection(path, lazy=True).fonts[0]
    cut = subset.Subsetter(subset.Options(layout_features=[], hinting=False))
    cut.populate(text=text)
    cut.subset(font)
    output = io.BytesIO()
    font.save(output)
    return output.getvalue()


def _document(size: int) -> bytes:
    """One A4 page with an incompressible picture of about `size` bytes, classical cross-reference table."""
    content = b"q 200 0 0 200 50 500 cm /I Do Q"
    pixels = secrets.token_bytes(size)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595.28 841.89]/Contents 4 0 R/Resources<</XObject<</I 5 0 R>>>>>>",
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content),
        b"<</Type/XObject/Subtype/Image/Width %d/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8"
        b"/Length %d>>\nstream\n" % (size, size) + pixels + b"\nendstream",
    ]
    output, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, source in enumerate(objects, start=1):
        offsets.append(len(output))
        output += b"%d 0 obj\n%s\nendobj\n" % (number, source)
    start = len(output)
    output += b"xref\n0 6\n0000000000 65535 f\r\n" + b"".join(b"%010d 00000 n\r\n" % offset for offset in offsets)
    output += b"trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start
    return bytes(output)


def _certificate(
    name: str,
    public: Any,
    issuer: x509.Certificate | None,
    signing: rsa.RSAPrivateKey,
    *,
    ca: bool = False,
    tsa: bool = False,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "示例市")
    subject = x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(not ca, not ca, False, False, False, ca, ca, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 365 * DAY)
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(usage, critical=True)
    )
    if tsa:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return builder.sign(signing, hashes.SHA256())


def _crl(issuer: x509.Certificate, signing: rsa.RSAPrivateKey) -> bytes:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
    builder = builder.last_update(now - DAY).next_update(now + 30 * DAY)
    return builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _hex(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.DER).hex()
