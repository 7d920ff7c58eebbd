"""The registry put together on an opened home: issuing, paper codes, sealing under standing orders, the API's parts."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from cert_registry.errors import RegistryError, Text
from cert_registry.licences.bulk import BulkIssuing
from cert_registry.licences.catalogue import Catalogue
from cert_registry.licences.drafts import Draft, Registered
from cert_registry.licences.from_approval import FromApproval
from cert_registry.licences.issue import Issuing
from cert_registry.settings import registry_settings
from cert_registry.sharing.copies import CopyDraft
from cert_registry.sharing.webhooks import Webhooks
from cert_registry.web.evidence import evidence_signer
from cert_registry.web.parts import EVIDENCE_TYPE, ApplicantParts, RegistryParts, Sandbox
from cli import cast
from cli.competent_bodies import CompetentBodies
from cli.paper_codes import PaperCodes
from cli.printing_desk import PrintingDesk
from cli.sealing import SealUseOf, sealing_desk
from cli.stage import Stage
from cli.trust_store import home_policy
from cli.verification_reports import ReportDesk, SealedReport
from signing_service.app import Parts
from signing_service.approvals.applicants import with_revealed_holder
from signing_service.approvals.course import registered
from signing_service.approvals.rules import Actor
from signing_service.custody.structures import EVIDENCE
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.kernel.outbox import Handler
from signing_service.pades.placing import Placing
from signing_service.pades.ports import Timestamper
from signing_service.people.oauth import TokenEndpoint
from signing_service.printing.terminals import Terminals
from signing_service.verification.policy import Purpose
from signing_service.verification.ports import StatusSource
from signing_service.verification.worker import WorkerLimits
from signing_service.web.browser_session import BrowserSessions
from signing_service.web.oauth_endpoints import caller_of

REGISTRY = Actor("process:registry")
COPY_ORDER = "licence-copy"
UPLOAD_LIMITS = WorkerLimits(seconds=20, memory=512 * 1024 * 1024)
AT_ONCE, WAIT_SECONDS, WEBHOOK_SECONDS = 4, 20.0, 5.0


class VerifierBusy(RegistryError):
    """As many files as this server judges at once are being judged."""

    code = "verifier_busy"

    def __init__(self) -> None:
        super().__init__(
            Text("现在核验的人太多,文件没有检查。", "Too many files are being verified; this one was not examined."),
            advice=Text("请稍后重试。", "Try again later."),
        )


class RegistryDesk:
    """Makes what the registry needs of the rooms below: `issuing`, `parts`, and the outbox's consumer."""

    def __init__(self, stage: Stage, timestamper: Timestamper) -> None:
        self._stage = stage
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._reports = ReportDesk(stage, timestamper)
        self._sealing = sealing_desk(stage, timestamper)
        self._settings = registry_settings(stage.settings)
        self.codes = PaperCodes(stage.settings, stage.custody, stage.clock, stage.database)
        self.catalogue = Catalogue.load()
        self.vault, self._bodies = stage.vault(), CompetentBodies(stage.clock)
        self.issuing = Issuing(
            stage.database, stage.blobs, self.catalogue, self.vault, stage.clock, self._settings.verify_host
        )

    def from_approval(self) -> Handler:
        """The consumer of released approvals; it reports the licence back to the case."""

        def report(approval_id: str, made: Registered) -> None:
            registered(self._stage.work, approval_id, REGISTRY, made.identifier)

        consumer = FromApproval(self.issuing, self.codes.of_licence, self.seal, report)
        return with_revealed_holder(consumer, self._stage.work.personal_numbers)

    def seal(self, draft: Draft, rendered: bytes) -> bytes:
        """A rendered licence, sealed under the holder's standing order for its type."""
        use = SealUseOf(f"licence:{draft.identifier}", draft.type_key, REGISTRY.id)
        return self._sealing.seal_under_order(rendered, _centred(draft.seal_centre_mm), use, self._stage.clock.now())

    def seal_copy(self, draft: CopyDraft) -> bytes:
        """A purpose-bound copy, sealed under the standing order for copies."""
        use = SealUseOf(f"copy:{draft.id}", COPY_ORDER, REGISTRY.id)
        return self._sealing.seal_under_order(
            draft.rendered, _centred(draft.seal_centre_mm), use, self._stage.clock.now()
        )

    def bulk(self) -> BulkIssuing:
        """Bulk issue, sealed like any licence under the holder's standing order for its type."""
        return BulkIssuing(self.issuing, self.codes.of_licence, self.seal)

    def webhooks(self) -> Webhooks:
        """Sends events; each address is checked against the home's policy every time."""
        settings = self._stage.settings
        outbound = Outbound(OutboundPolicy(settings.outbound_hosts, timeout_seconds=WEBHOOK_SECONDS))
        return Webhooks(self._stage.database, outbound, self.sign_claims, self._stage.clock, settings.base_url)

    def verify_file(self, content: bytes, name: str, status: StatusSource) -> Mapping[str, Any]:
        """For pages and API: within tighter limits, a few at a time. Raises VerifierBusy."""
        if not self._slots.acquire(timeout=WAIT_SECONDS):
            raise VerifierBusy
        try:
            return self._stage.judge(content, name, status, UPLOAD_LIMITS).as_json()
        finally:
            self._slots.release()

    def issue_on(self, content: bytes, name: str, requested_by: str, purpose: str, actor: str) -> SealedReport:
        """A report for pages and API, a few files at a time too. Raises VerifierBusy and what sealing raises."""
        if not self._slots.acquire(timeout=WAIT_SECONDS):
            raise VerifierBusy
        try:
            return self._reports.issue_on(content, name, requested_by, purpose, actor)
        finally:
            self._slots.release()

    def fetch(self, number: str, code: str, actor: str) -> bytes:
        """An issued report again. Raises ReportUnknown, BlobMissing."""
        return self._reports.fetch(number, code, actor)

    def sign_claims(self, claims: Mapping[str, Any], kind: str = EVIDENCE_TYPE) -> str:
        """Signed by the key that is present now, whose certificate the header names."""
        custody = self._stage.custody
        held = custody.service_keys(EVIDENCE)[0]

        def sign(content: bytes) -> bytes:
            return custody.sign_service(EVIDENCE, content, public_key=held.public_key)

        return evidence_signer(held.certificate, sign)(claims, kind)

    def parts(
        self,
        tokens: TokenEndpoint,
        service: Parts,
        origin: str = "",
        sandbox: Sandbox | None = None,
        browsers: BrowserSessions | None = None,
    ) -> RegistryParts:
        """What API and pages are given; `service` is what it is added to, `origin` where browsers find us."""
        stage = self._stage
        return RegistryParts(
            database=stage.database,
            blobs=stage.blobs,
            clock=stage.clock,
            catalogue=self.catalogue,
            vault=self.vault,
            issuing=self.issuing,
            settings=self._settings,
            authenticate=lambda request: caller_of(request, tokens),
            evidence=self.sign_claims,
            verify_file=self.verify_file,
            read_code=self.codes.read,
            paper_code=self.codes.of_licence,
            seal=self.seal,
            seal_copy=self.seal_copy,
            client_keys=tokens,
            certificates=HomeCertificates(stage),
            sandbox=sandbox,
            browsers=browsers,
            department_codes=self._bodies.codes_of,
            competent_body=self._bodies.today,
            service=service,
            reports=self,
            codes=self.codes,
            applicants=ApplicantParts(
                stage.work, PrintingDesk(stage), Terminals(stage.settings.home), origin or stage.settings.base_url
            ),
        )


class HomeCertificates:
    """What others check this home's signatures with."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def roots(self) -> bytes:
        policy = home_policy(self._stage.settings, self._stage.clock.now())
        return _as_pem(policy.anchors[Purpose.SEALS])

    def evidence(self) -> bytes:
        held = self._stage.custody.service_keys(EVIDENCE)
        return _as_pem([der for key in held for der in key.certificates])


def _as_pem(certificates: Sequence[bytes]) -> bytes:
    loaded = (load_der_x509_certificate(der) for der in dict.fromkeys(certificates))
    return b"".join(one.public_bytes(Encoding.PEM) for one in loaded)


def _centred(centre_mm: tuple[float, float]) -> Placing:
    """The seal's box on the last page, its centre where the layout wants it. The size is the picture's own."""
    half = cast.SEAL_DIAMETER_MM / 2
    return Placing(page=-1, x_mm=centre_mm[0] - half, y_mm=centre_mm[1] - half)
