"""A P-256 key in memory for codes, and sealed files made by the house's own rooms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from PIL import Image

from hardware.ports import Mechanism
from signing_service.kernel.typesetting import typeset
from signing_service.pades.appearance import SealAppearance
from signing_service.pades.placing import Placing
from signing_service.pades.request import SignatureRequest
from signing_service.pades.sign import sign
from signing_service.printing.claims import Claims, CodeKind
from signing_service.printing.paper_code import CodeKey, KeyList, PaperCode, make_code
from signing_service.printing.print_copy import CopyLabel
from signing_service.seals.picture import SealDesign, draw_seal

NOW = datetime(2026, 11, 24, 7, 4, tzinfo=UTC)
PREFIX = "https://zhengyin.example/c/"
IDENTIFIER = "1.2.156.3005.2.11990100MB000006XP001.11990000MB9900013U.000000001.001.X"
CLAIMS = Claims(
    CodeKind.LICENCE, IDENTIFIER, "11990100MB000006XP001", date(2026, 11, 24), NOW, bytes(range(32)), "0123456789AB"
)
LABEL = CopyLabel("0123456789AB", 2, 5, "2026年11月24日 15:04", "zhengyin.example", "办理施工手续")


@dataclass
class CodeMaker:
    """A paper-code key that begins at NOW, and the list that names it."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def key(self) -> CodeKey:
        return CodeKey(self.private.public_key(), NOW - timedelta(days=1))

    @property
    def keys(self) -> KeyList:
        return KeyList((self.key,), NOW)

    def sign(self, content: bytes) -> bytes:
        return self.private.sign(content, ec.ECDSA(hashes.SHA256()))

    def code(self, **changes: object) -> PaperCode:
        return make_code(replace(CLAIMS, **changes), self.key, self.sign, PREFIX)  # type: ignore[arg-type]


@dataclass
class MemoryKey:
    private: ec.EllipticCurvePrivateKey
    certificate: bytes
    chain: tuple[bytes, ...] = ()

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        assert mechanism is Mechanism.ECDSA_SHA256
        return self.private.sign(data, ec.ECDSA(hashes.SHA256()))


@pytest.fixture(scope="session")
def maker() -> CodeMaker:
    return CodeMaker()


@pytest.fixture(scope="session")
def seal_key() -> MemoryKey:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "示例市行政审批局")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=365))
        .sign(private, hashes.SHA256())
    )
    return MemoryKey(private, certificate.public_bytes(Encoding.DER))


@pytest.fixture(scope="session")
def seal(seal_key: MemoryKey) -> Callable[..., bytes]:
    """Seal a PDF visibly, 42 mm wide, lower left corner of the seal at the given mm."""

    def put(pdf: bytes, x_mm: float = 120.0, y_mm: float = 60.0, page: int = 0) -> bytes:
        appearance = SealAppearance(draw_seal(SealDesign("示例市行政审批局")))
        request = SignatureRequest(
            field="seal", signed_at=NOW, appearance=appearance, placing=Placing(page, x_mm, y_mm)
        )
        return sign(pdf, request, seal_key)

    return put


def sheet(width_mm: float, height_mm: float, *, margin_mm: float = 25.0, lines: int = 60, pages: int = 1) -> bytes:
    """A typeset page of this size, full of text between its margins."""
    text = "审批事项说明文字" * 3
    body = " #pagebreak() ".join([f"#for n in range({lines}) [{text} #n #linebreak() ]"] * pages)
    return typeset(
        f"#set page(width: {width_mm}mm, height: {height_mm}mm, margin: {margin_mm}mm)\n"
        f'#set text(font: "Noto Serif CJK SC", size: 10pt, lang: "zh")\n{body}',
        {},
    )


def second_reading(image: Image.Image) -> list[str]:
    """What ZBar reads: a decoder that shares nothing with the one in the product."""
    try:
        from pyzbar import pyzbar
    except ImportError:
        pytest.skip("ZBar's library is missing; install it: apt install libzbar0")
    found = pyzbar.decode(image.convert("L"), symbols=[pyzbar.ZBarSymbol.QRCODE])
    return [code.data.decode() for code in found]
