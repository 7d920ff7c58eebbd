"""A formal seal under a licensed CA, from its key's request to its revocation: a CA of another body (openssl), with a
root, an intermediate, a responder and a CRL, in place of a real one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from sqlalchemy import text

from signing_service.custody.core import Custody
from signing_service.custody.policy import load_policy
from signing_service.kernel.database import Database
from signing_service.kernel.typesetting import typeset
from signing_service.settings import Settings, load_settings
from tests.signing_service.pki.second_ca import Files, SecondCa

SEAL = "licensed"
ANSWERS_HOLD = timedelta(minutes=6)
"""The embedded answer has ended after this, and the CA's newest is not yet too old."""
PAGE = '#set page(paper: "a5")\n#set text(font: "Noto Serif CJK SC")\n示例'
OWNER = ("--name", "示例市行政审批局", "--owner", "approvals", "--holder", "seal-holder")
FIRST, SECOND = ("--as", "seal-admin-1"), ("--as", "seal-admin-2")


@dataclass
class LicensedCa:
    """Root, intermediate, and where they are asked: the root by its CRL, the intermediate by OCSP."""

    root: SecondCa
    intermediate: SecondCa
    files: Files

    def certify(self, request: Path) -> Path:
        sources = f"authorityInfoAccess=OCSP;URI:{self.intermediate.url}\n"
        self.intermediate.officer("seal", sources, request)
        self.restart()
        return self.intermediate.folder / "seal.pem"

    def restart(self) -> None:
        """So that the responder tells what the index says now."""
        self.intermediate.kill()
        self.intermediate.start()


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LicensedCa]:
    folder = tmp_path_factory.mktemp("licensed")
    with Files({}) as files:
        root = SecondCa(folder / "root", "Example Licensed Root")
        point = f"crlDistributionPoints=URI:{files.url}/root.crl\n"
        intermediate = SecondCa(folder / "intermediate", "Example Licensed Issuing CA", root, point)
        files.answers["/root.crl"] = root.crl()
        intermediate.start()
        yield LicensedCa(root, intermediate, files)
        intermediate.kill()


class Office:
    """A home of its own, which may ask this machine's other body, and its commands in one process."""

    def __init__(self, home: Path, run: Callable[..., str]) -> None:
        self.home, self._run = home, run

    @property
    def settings(self) -> Settings:
        return load_settings(self.home)

    def run(self, *arguments: object, code: int = 0, stream: str = "") -> str:
        return self._run(*map(str, arguments), code=code, stream=stream)

    def verdict(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        return json.loads(self.run("verify", "--json", *arguments, code=code, stream="out"))

    def apply(self, folder: Path, name: str, code: int = 0) -> str:
        """A page sealed at B-LT, its digest authorised by the holder's own key."""
        source = folder / name
        source.mkdir()
        (source / "page.pdf").write_bytes(typeset(PAGE, {}))
        key = f"pkcs11:token=seal-holder;object=signing?pin-source=file:{self.settings.pins}/seal-holder.pin"
        return self.run("seals", "apply", source, "--seal", SEAL, "--level", "B-LT", "--key", key, "--workers", 1,
                        "--as", "reviewer-1", "--json", code=code, stream="out")  # fmt: skip


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, zhengyin: Callable[[Path], Any]) -> Office:
    home = tmp_path_factory.mktemp("office") / "home"
    made = Office(home, zhengyin(home))
    made.run("init")
    path = home / "settings.toml"
    path.write_text(path.read_text().replace("outbound_hosts = [", 'outbound_hosts = ["127.0.0.1", '))
    return made


@pytest.fixture(scope="module")
def made(office: Office, ca: LicensedCa, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seal, certified, made and active; the folder where request and answer lie."""
    folder = tmp_path_factory.mktemp("exchange")
    place = load_policy(office.settings.custody).tokens["issuing"]
    office.run("pki", "csr", "--subject", "示例市行政审批局电子印章", "--organization", "示例市行政审批局",
        "--token", f"pkcs11:serial={place.serial}", "--pin-file", office.settings.custody / place.pin_file,
        "--label", f"seal-{SEAL}", "--key", "p256", "-o", folder / "seal.csr")  # fmt: skip
    shutil.copy(ca.certify(folder / "seal.csr"), folder / "seal.pem")
    office.run("pki", "trust", ca.root.folder / "ca.pem", "--licence", "示例第 1 号", "--as", "pki-operator")
    office.run("pki", "import", folder / "seal.pem", "--csr", folder / "seal.csr", "--chain",
        ca.intermediate.folder / "ca.pem", "--profile", "seal", "--owner", f"seal:{SEAL}",
        "--as", "pki-operator")  # fmt: skip
    office.run("seals", "request", SEAL, *OWNER, *FIRST)
    office.run("seals", "approve", SEAL, *SECOND)
    office.run("seals", "make", SEAL, *FIRST)
    office.run("seals", "file", SEAL, *FIRST, "--basis", "示例备案 2")
    office.run("seals", "activate", SEAL, *SECOND)
    return folder


@pytest.fixture(scope="module")
def sealed(office: Office, made: Path) -> Path:
    done = json.loads(office.apply(made, "good"))
    assert done["counts"]["sealed"] == 1, done
    return next((made / "good").glob("*.sealed.pdf"))


def test_the_seal_has_the_cas_certificate_and_key_and_chain(office: Office, ca: LicensedCa, made: Path) -> None:
    seal = load_policy(office.settings.custody).seals[SEAL]
    licensed = x509.load_pem_x509_certificate((made / "seal.pem").read_bytes())
    assert x509.load_der_x509_certificate(seal.certificate) == licensed
    assert seal.chain == (ca.intermediate.root, ca.root.root)


def test_it_is_sealed_by_the_holders_word_with_the_cas_own_revocation_data(
    office: Office, ca: LicensedCa, sealed: Path
) -> None:
    custody = Custody(office.settings.custody)
    assert [use.use.kind for use in custody.uses(SEAL)] == ["digest"]
    custody.close()
    told = office.verdict(sealed)
    assert (told["verdict"], told["usable_now"]) == ("passed", "yes")
    seal = next(each for each in told["signatures"] if each["kind"] == "seal")
    assert (seal["verdict"], seal["level"]) == ("passed", "B-LT")
    assert (seal["time_source"], seal["time_authority"]) == ("timestamp", "own")
    assert any("Example Licensed Root" in check["detail"] for check in seal["checks"]), seal["checks"]


def test_its_anchor_is_enough_to_judge_it_without_a_network_or_a_home(
    office: Office, ca: LicensedCa, sealed: Path, tmp_path: Path, zhengyin: Callable[[Path], Any]
) -> None:
    """Everything about the licensed CA is in the file; for the time, our TSA's root is named beside its root."""
    own = sorted((office.home / "trust" / "timestamps").glob("*.pem"))
    asked = len(ca.files.asked)
    anchors = [part for path in (ca.root.folder / "ca.pem", *own) for part in ("--trust", path)]
    crls = [part for path in sorted((office.home / "trust" / "crls").glob("*.crl")) for part in ("--crl", path)]
    nowhere = Office(tmp_path / "nowhere", zhengyin(tmp_path / "nowhere"))
    (signature,) = nowhere.verdict("--offline", *anchors, *crls, sealed)[
        "signatures"
    ]  # whether it is a seal only the register of seals knows
    assert (signature["verdict"], signature["signer"]) == ("passed", "示例市行政审批局电子印章"), signature
    assert len(ca.files.asked) == asked
    assert nowhere.verdict("--offline", *anchors[2:], sealed, code=3)["reason"] == "untrusted_signer"


@pytest.fixture
def production(office: Office) -> Iterator[Office]:
    """The same home, called a production one for as long as a test."""
    path = office.home / "settings.toml"
    before = path.read_text()
    path.write_text(before.replace('profile = "demo"', 'profile = "production"'))
    yield office
    path.write_text(before)


def test_doctor_fails_the_seal_under_our_own_ca_and_not_this_one(made: Path, production: Office) -> None:
    done = production.run("doctor", "--offline", "--json", code=1, stream="out")
    found = [each["text"] for each in json.loads(done)["findings"] if each["code"] == "seal_not_licensed"]
    assert len(found) == 1
    assert "seal:default" in found[0]


def test_a_production_home_makes_no_formal_seal_under_its_own_ca(made: Path, production: Office) -> None:
    production.run("seals", "request", "plain", *OWNER, *FIRST)
    production.run("seals", "approve", "plain", *SECOND)
    said = production.run("seals", "make", "plain", *FIRST, code=1)
    assert "pki import --profile seal --owner seal:plain" in said
    assert "plain" not in load_policy(production.settings.custody).seals


def test_a_revocation_there_stops_sealing_and_changes_the_verdict(
    office: Office, ca: LicensedCa, made: Path, sealed: Path
) -> None:
    """Its kept answer holds for five minutes; then the CA is asked again, and says since when."""
    assert office.verdict(sealed)["verdict"] == "passed"
    ca.intermediate.revoke(ca.intermediate.der("seal.pem"), timedelta(hours=1))
    ca.restart()
    database = Database(office.settings.database_url)
    with database.write() as session:
        session.execute(text("DELETE FROM pki_outside_answer"))  # the time of the answers that are kept is over
    database.close()
    late = json.loads(office.apply(made, "late", code=1))
    assert (late["state"], late["pause_code"]) == ("paused", "outside_certificate_revoked")
    assert late["counts"]["sealed"] == 0
    assert not list((made / "late").glob("*.sealed.pdf"))
    told = office.verdict("--at", (datetime.now(UTC) + ANSWERS_HOLD).isoformat(), sealed, code=4)
    assert (told["verdict"], told["reason"]) == ("failed", "revoked_before_signing")
