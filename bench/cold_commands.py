"""The two command lines that sign the same file with the same key: ours in a home, and pyHanko's own."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from bench import pades_fixture as fixture
from cli.init import SQLITE_URL, STEPS, make_home
from cli.progress import Progress
from hardware.driver import open_token
from hardware.pin_source import write_pin_file


@dataclass(frozen=True)
class ColdBench:
    """Both commands, and SoftHSM's configuration that their token is in."""

    ours: list[str]
    theirs: list[str]
    configuration: Path


def cold_bench(folder: Path) -> ColdBench:
    """A home in `folder` with one more token: an RSA key, its certificate and those above it in files."""
    home = make_home(folder / "home", SQLITE_URL, Progress(STEPS, "en")).home
    bed = fixture.build(home)
    saved = json.loads((home / "bed.json").read_text(encoding="utf-8"))
    certificate = bed.keys["rsa2048"].certificate
    with open_token(saved["module"], serial=saved["serial"], pin=fixture.PIN, write=True) as token:
        token.store_certificate(certificate, label="rsa2048", id=token.key(label="rsa2048").id)
    pin = folder / "bench.pin"
    write_pin_file(pin, fixture.PIN)
    issuers = [folder / f"issuer-{number}.cer" for number, _ in enumerate(bed.issuers)]
    for path, der in zip(issuers, bed.issuers, strict=True):
        path.write_bytes(der)
    (folder / "in.pdf").write_bytes(bed.one_page)
    (folder / "pyhanko.yml").write_text(
        "pkcs11-setups:\n  bench:\n"
        f"    module-path: {saved['module']}\n    token-label: bench\n    user-pin: {fixture.PIN}\n"
        f"    cert-label: rsa2048\n    key-label: rsa2048\n    other-certs: [{', '.join(map(str, issuers))}]\n",
        encoding="utf-8",
    )
    programs = Path(sys.executable).parent
    key = f"pkcs11:serial={saved['serial']};object=rsa2048?pin-source=file:{pin}"
    return ColdBench(
        [str(programs / "zhengyin"), "--home", str(home), "sign", "in.pdf", "-o", "ours.pdf", "--level", "B-B",
         "--key", key],
        [str(programs / "pyhanko"), "--config", "pyhanko.yml", "sign", "addsig", "--field", "Signature", "--use-pades",
         "pkcs11", "--p11-setup", "bench", "in.pdf", "theirs.pdf"],
        home / "tokens" / "softhsm2.conf",
    )  # fmt: skip
