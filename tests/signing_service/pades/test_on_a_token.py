"""Signing with keys on a real token (SoftHSM), and what a process loads to do it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from hardware.driver import open_token
from hardware.ports import Mechanism, Token
from hardware.softhsm import SoftHsmStore
from signing_service.pades.sign import Level, SignatureRequest, sign

PIN = "739164"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    store = SoftHsmStore(tmp_path_factory.mktemp("tokens"))
    info = store.create("测试", user_pin=PIN, so_pin=PIN)
    with open_token(store.module, serial=info.serial, pin=PIN, write=True) as opened:
        yield opened


class KeyOnToken:
    """A token's key with a certificate that the test's CA issued for it."""

    def __init__(self, token: Token, kind: str, pki) -> None:
        self._key = token.generate(kind, label=kind, id=kind.encode())
        issuer = pki.certificates["issuing"]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"示例 {kind}")]))
            .issuer_name(issuer.subject)
            .public_key(self._key.public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(issuer.not_valid_before_utc)
            .not_valid_after(issuer.not_valid_after_utc)
        )
        certificate = builder.sign(pki.keys["issuing"], hashes.SHA256())
        self.certificate = certificate.public_bytes(serialization.Encoding.DER)
        self.chain = [issuer.public_bytes(serialization.Encoding.DER)]

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        return self._key.sign(data, mechanism)


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384"])
def test_the_tokens_value_is_embedded(
    token: Token, pki, authority, make_pdf: Callable[..., bytes], now: datetime, pdfsig, kind: str
) -> None:
    key = KeyOnToken(token, kind, pki)
    pdf = make_pdf()
    request = SignatureRequest(field="签名", signed_at=now, level=Level.B_T)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: sign(pdf, request, key, timestamper=authority), range(8)))
    for signed in results:
        assert pdfsig(signed) == ["Signature is Valid."]


def test_a_plain_file_is_signed_without_loading_the_complete_path(
    make_pdf: Callable[..., bytes], tmp_path: Path
) -> None:
    """What keeps a cold start short."""
    path = tmp_path / "plain.pdf"
    path.write_bytes(make_pdf())
    program = (
        "import sys, pathlib, datetime\n"
        "from signing_service.pades.sign import SignatureRequest\n"
        "from signing_service.pades.appearance import SealAppearance\n"
        "from signing_service.pades.placing import Placing\n"
        "from signing_service.pades.growing_file import MemoryFile\n"
        "from signing_service.pades.revisions import signature_update\n"
        "from signing_service.pdf.picture import VectorPicture\n"
        "seal = SealAppearance(VectorPicture(b'0 0 9 9 re f', 42, 42))\n"
        "request = SignatureRequest(field='a', signed_at=datetime.datetime.now(datetime.UTC),\n"
        "                           appearance=seal, placing=Placing())\n"
        "signature_update(MemoryFile(pathlib.Path(sys.argv[1]).read_bytes()), request, 4096)\n"
        "heavy = {'pyhanko', 'asn1crypto', 'fontTools', 'numpy', 'pypdfium2', 'sqlalchemy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"
