"""docs/guide/rotation.md, followed word by word on a home that is being served, while clients go on asking."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.ocsp import OCSPRequestBuilder, OCSPResponseStatus, load_der_ocsp_response

from cert_registry.licences.data_keys import KeyRing
from cli.data_keys import HomeVault, ring_file
from cli.paper_codes import PaperCodes
from cli.processes import running
from hardware.pin_source import read_pin_file, write_pin_file
from signing_service.custody.client import CustodyClient
from signing_service.kernel.audit_log import AuditEntry
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.pki.register import fingerprint
from signing_service.pki.tsp_client import HttpTimestamper
from signing_service.printing.claims import Claims, CodeKind
from signing_service.settings import Settings, load_settings

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "rotation.md"
WAIT_SECONDS = 90
PACE_SECONDS = 0.02
"""Between a client's requests: hundreds of them during the guide, without making the run long."""


def commands() -> list[str]:
    """Every command of the guide's console blocks, in order."""
    blocks = re.findall(r"```console\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@dataclass
class Asking:
    """A client that asks again and again; what signed each answer, and every failure."""

    ask: Callable[[], str]
    signers: list[str] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    wanted: str = ""
    came: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        while not self.stop.wait(PACE_SECONDS):
            try:
                self.signers.append(self.ask())
            except Exception as failure:
                self.failures.append(failure)
                return
            if self.wanted and self.signers[-1] == self.wanted:
                self.came.set()

    def wait_for(self, signer: str) -> None:
        self.wanted = signer
        assert self.came.wait(WAIT_SECONDS), self.failures
        assert self.failures == []


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, zhengyin: Callable[[Path], Any]) -> Settings:
    home = tmp_path_factory.mktemp("rotation") / "home"
    zhengyin(home)("init")
    return load_settings(home)


@pytest.fixture(scope="module")
def url(settings: Settings) -> Iterator[str]:
    log = settings.home / "logs" / "serve.log"
    with running(settings.home, "serve", "--port", "0", "--json", log=log) as facts:
        yield facts["url"]


@pytest.fixture(scope="module")
def run(settings: Settings, url: str, zhengyin: Callable[[Path], Any]) -> Callable[..., str]:
    """A command line of the guide, as it stands there; the two files that it names are made first."""
    child, folder = zhengyin(settings.home), settings.home
    write_pin_file(folder / "new.so-pin", "64208135")
    named = {
        "现SO-PIN文件": str(folder / "pins" / "zhengyin-services.so-pin"),
        "新SO-PIN文件": str(folder / "new.so-pin"),
    }

    def one(line: str, **more: Any) -> str:
        program, *arguments = shlex.split(line)
        assert program == "zhengyin"
        return child(*[named.get(word, word) for word in arguments], **more)

    return one


@pytest.fixture(scope="module")
def custody(settings: Settings, url: str) -> CustodyClient:
    return CustodyClient(settings.custody_socket)


def tsa_client(url: str) -> Callable[[], str]:
    timestamper = HttpTimestamper(f"{url}/tsa", Outbound(OutboundPolicy(frozenset({url.partition("://")[2]}))))
    return lambda: stamped_by(timestamper.timestamp(b"\x11" * 32))


def stamped_by(token: bytes) -> str:
    """The fingerprint of the certificate that the token names (RFC 5816)."""
    signed = cms.ContentInfo.load(token)["content"]
    assert isinstance(signed["encap_content_info"]["content"].parsed, tsp.TSTInfo)
    attributes = {each["type"].native: each["values"][0] for each in signed["signer_infos"][0]["signed_attrs"]}
    return attributes["signing_certificate_v2"]["certs"][0]["cert_hash"].native.hex()


def ocsp_client(settings: Settings, url: str, custody: CustodyClient) -> Callable[[], str]:
    """Asks for the evidence certificate with a fresh nonce; the responder's certificate, its signature checked."""
    leaf, issuer = (
        x509.load_der_x509_certificate(each) for each in custody.service_keys("evidence")[0].certificates[:2]
    )
    outbound, numbers = Outbound(OutboundPolicy(frozenset({url.partition("://")[2]}))), iter(range(10**9))

    def ask() -> str:
        nonce = x509.OCSPNonce(next(numbers).to_bytes(16))
        request = (
            OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA256()).add_extension(nonce, False).build()
        )
        body = request.public_bytes(Encoding.DER)
        reply = outbound.request("POST", f"{url}/ocsp", body=body, headers={"Content-Type": "application/ocsp-request"})
        answer = load_der_ocsp_response(reply.body)
        assert answer.response_status is OCSPResponseStatus.SUCCESSFUL
        responder = answer.certificates[0]
        responder.verify_directly_issued_by(issuer)
        algorithm = answer.signature_hash_algorithm
        assert algorithm is not None
        responder.public_key().verify(answer.signature, answer.tbs_response_bytes, ECDSA(algorithm))
        return fingerprint(responder.public_bytes(Encoding.DER))

    return ask


def claims_of(now: datetime) -> Claims:
    return Claims(CodeKind.LICENCE, "示例", "示例", date(2026, 11, 25), now.replace(microsecond=0))


def test_the_guide_names_every_kind(run: Callable[..., str]) -> None:
    told = "\n".join(commands())
    for kind in ("tsa", "ocsp", "simulation-ocsp", "evidence", "paper-code", "log", "data-key", "re-encrypt",
                 "lookup-key", "re-hash", "wrapping-key", "pin services", "pin issuing", "--officer", "finish",
                 "status"):  # fmt: skip
        assert f"rotate {kind}" in told or kind in told


def test_the_guide_is_followed_and_no_client_notices(
    settings: Settings, url: str, run: Callable[..., str], custody: CustodyClient
) -> None:
    database, clock = Database(settings.database_url), SystemClock()
    codes, vault = PaperCodes(settings, custody, clock, database), HomeVault(settings, custody)
    old = {kind: custody.service_keys(kind)[0] for kind in ("tsa", "ocsp", "paper_code", "evidence", "log")}
    made_before = codes.make(claims_of(clock.now()))
    found_before = vault.lookup("34052419800101001X", "111")
    sealed_before, pin_file = vault.seal("34052419800101001X", "a"), settings.pins / "zhengyin-services.pin"
    pin_before = read_pin_file(pin_file)
    clients = [Asking(tsa_client(url)), Asking(ocsp_client(settings, url, custody))]
    threads = [threading.Thread(target=client) for client in clients]
    for thread in threads:
        thread.start()
    try:
        for line in commands():
            if "finish tsa" in line:  # the overlap is not ended before the server has been seen to use the new key
                clients[0].wait_for(fingerprint(custody.service_keys("tsa")[0].certificate))
            run(line)
            assert vault.open(sealed_before, "a") == vault.open(vault.seal("34052419800101001X", "b"), "b")
        clients[1].wait_for(fingerprint(custody.service_keys("ocsp")[0].certificate))
    finally:
        for client in clients:
            client.stop.set()
        for thread in threads:
            thread.join()
    assert [client.failures for client in clients] == [[], []]
    for kind, key in old.items():
        present, *earlier = custody.service_keys(kind)
        assert present.certificate != key.certificate
        assert [each.certificate for each in earlier] == [key.certificate]
    assert clients[0].signers[0] == fingerprint(old["tsa"].certificate)
    assert clients[1].signers[0] == fingerprint(old["ocsp"].certificate)
    made_after = codes.make(claims_of(clock.now()))
    assert made_after.key_id != made_before.key_id
    assert codes.verified(made_before.text).claims == made_before.claims
    assert codes.verified(made_after.text).claims == made_after.claims
    assert {key.key_id for key in codes.key_list().keys} >= {made_before.key_id, made_after.key_id}
    assert vault.open(sealed_before, "a") == "34052419800101001X"
    assert not sealed_before.startswith(vault.prefix())
    assert vault.lookup("34052419800101001X", "111") != found_before
    assert found_before.digest in vault.lookups("34052419800101001X", "111")
    assert read_pin_file(pin_file) != pin_before
    with database.read() as session:
        entries = [entry for entry in session.query(AuditEntry) if entry.kind == "pki.rotate"]
    assert {entry.subject for entry in entries} >= {
        "service:tsa", "service:ocsp", "service:simulation-ocsp", "service:evidence", "service:paper-code",
        "service:log", "service:wrapping-key", "data-key", "lookup-key", "wrapping-key",
    }  # fmt: skip
    custody.close()
    database.close()


def test_a_dry_run_changes_nothing(settings: Settings, run: Callable[..., str]) -> None:
    before = (settings.custody / "policy.json").read_bytes(), ring_file(settings).read_bytes()
    for kind in ("tsa", "data-key", "lookup-key", "wrapping-key", "re-encrypt", "re-hash", "pin services"):
        assert run(f"zhengyin pki rotate {kind} --as pki-operator --dry-run --json")
    assert ((settings.custody / "policy.json").read_bytes(), ring_file(settings).read_bytes()) == before


@pytest.mark.parametrize(
    "what", ["tsa", "data-key", "lookup-key", "re-encrypt", "re-hash", "wrapping-key", "pin services", "finish tsa"]
)
def test_only_an_operator_rotates_and_a_refusal_is_evidence(
    settings: Settings, run: Callable[..., str], what: str
) -> None:
    database = Database(settings.database_url)

    def refusals() -> int:
        with database.read() as session:
            return sum(entry.kind == "pki.rotate" and entry.result == "refused" for entry in session.query(AuditEntry))

    before, ring = refusals(), KeyRing.from_json(ring_file(settings).read_bytes())
    assert "pki_operator" in run(f"zhengyin pki rotate {what} --as reviewer-1", code=1)
    assert refusals() == before + 1
    assert KeyRing.from_json(ring_file(settings).read_bytes()) == ring
    database.close()


def test_an_overlap_ends_and_the_old_key_is_destroyed(run: Callable[..., str], custody: CustodyClient) -> None:
    assert "another name" in run("zhengyin pki rotate finish log --as pki-operator --destroy", given="tsa\n", code=1)
    said = json.loads(run("zhengyin pki rotate finish log --as pki-operator --destroy --json", given="log\n"))
    assert said == {"service": "log", "ended": 1, "destroyed": 1}
    until = custody.service_keys("log")[1].until
    assert until is not None
    assert until <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tsa --overlap-days 0", "10 minutes"),
        ("paper-code --key rsa3072", "not accepted"),
        ("finish mail", "paper-code"),
        ("finish evidence-2", "no service"),
        ("wrapping-key --key p256", "rsa3072"),
        ("pin mail", "issuing, services"),
    ],
)
def test_what_cannot_be_done_is_told_with_what_can(run: Callable[..., str], line: str, words: str) -> None:
    said = run(f"zhengyin pki rotate {line} --as pki-operator", code=1)
    assert words in said
    assert "Traceback" not in said
