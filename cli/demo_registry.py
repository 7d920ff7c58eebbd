"""The demo's second half: the licence registered by the worker, verified by a department, printed by the applicant."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image
from sqlalchemy import select

from cert_registry.licences.from_approval import TOPIC
from cert_registry.licences.register import by_approval
from cli.department_client import DepartmentClient
from cli.printing_desk import PrintingDesk
from cli.registry_parts import RegistryDesk
from cli.stage import Stage
from cli.worker import OUTBOX
from signing_service.app import Task, create_worker
from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.outbox import OutboxMessage
from signing_service.printing.decode import decode_page
from signing_service.printing.handing_out import SealedDocument, rendered
from signing_service.printing.page_image import grey_pages
from signing_service.printing.paper_code import PaperCode

WORKER_SECONDS, LOOK_AGAIN_SECONDS = 60.0, 0.1
COPIES, PRINT_DPI = 5, 200
APPLICANT = "applicant"


class LicenceNotRegistered(SigningServiceError):
    code = "licence_not_registered"

    def __init__(self, why: str) -> None:
        super().__init__(
            Text("证照没有登记成功。", "The licence was not registered."),
            why=Text(f"后台任务报告:{why or '没有回应'}", f"The worker says: {why or 'nothing'}"),
            advice=Text("请查看 logs/worker.log。", "See logs/worker.log."),
        )


class TamperedCopyAccepted(SigningServiceError):
    """Must never be seen: a changed byte went unnoticed."""

    code = "tampered_copy_accepted"

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(
            Text("被改动的文件没有被拒绝。", "A tampered file was not refused."),
            why=Text(f"答复:{answer['verdict']}", f"The answer: {answer['verdict']}"),
        )


class CodeNotReadBack(SigningServiceError):
    code = "code_not_read_back"

    def __init__(self) -> None:
        super().__init__(
            Text("打印件上的二维码读不出来。", "The paper code on the printed copy cannot be read back."),
            advice=Text("请保留文件并报告此问题。", "Keep the file and report this."),
        )


@dataclass(frozen=True, slots=True)
class DemoLicence:
    identifier: str
    content: bytes


@dataclass(frozen=True, slots=True)
class DemoAnswers:
    """The department's answers: by identifier, by file, and for a tampered file."""

    by_identifier: Mapping[str, Any]
    by_file: Mapping[str, Any]
    tampered: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DemoPrint:
    """The print copy and the code that was read back from its picture."""

    content: bytes
    serial: str
    code: PaperCode


def wait_for_licence(stage: Stage, case_id: str) -> DemoLicence:
    """Wake the worker and wait until it has registered the released approval. Raises LicenceNotRegistered."""
    queue = create_worker(stage.settings, [Task(OUTBOX, print)])
    queue.jobs.wake(OUTBOX)
    end = time.monotonic() + WORKER_SECONDS
    while time.monotonic() < end:
        with stage.database.read() as session:
            row = by_approval(session, case_id)
            if row is not None and row.digest is not None:
                return DemoLicence(row.identifier, stage.blobs.get(row.digest))
        time.sleep(LOOK_AGAIN_SECONDS)
    with stage.database.read() as session:
        query = select(OutboxMessage.last_error).where(OutboxMessage.topic == TOPIC, OutboxMessage.key == case_id)
        raise LicenceNotRegistered(session.scalar(query) or "")


def verify_as_department(client: DepartmentClient, licence: DemoLicence) -> DemoAnswers:
    """By identifier and by file, then with one byte changed. Raises ApiRefused, TamperedCopyAccepted."""
    token = client.token()
    tampered = client.verify_file(token, _with_one_byte_changed(licence.content))
    if tampered["verdict"] != "failed":
        raise TamperedCopyAccepted(tampered)
    by_identifier = client.verify_identifier(token, licence.identifier)
    return DemoAnswers(by_identifier, client.verify_file(token, licence.content), tampered)


def print_at_home(stage: Stage, registry: RegistryDesk, document: str, kind: str, sealed: bytes) -> DemoPrint:
    """One copy through the ledger: reserved, rendered, read back from its picture, confirmed.

    Raises QuotaUsedUp, CopyRefused, CodeNotReadBack and the paper code's refusals.
    """
    desk, given = PrintingDesk(stage), SealedDocument(document, kind, sealed)
    ledger = desk.ledger
    ledger.allow(document, COPIES, APPLICANT)
    copy = ledger.reserve(document, APPLICANT)
    content = rendered(ledger, given, desk.make, copy, APPLICANT)
    ledger.rendered(copy.serial, APPLICANT, hashlib.sha256(content).hexdigest())
    read = read_back(content, registry)
    ledger.confirm(copy.serial, APPLICANT)
    return DemoPrint(content, copy.serial, read)


def read_back(content: bytes, registry: RegistryDesk) -> PaperCode:
    """The copy's own code, decoded from the rendered page by an independent decoder, and verified."""
    for page in grey_pages(content, PRINT_DPI):
        for text in decode_page(Image.fromarray(page)):
            code = registry.codes.verified(text)
            if code.claims.copy_serial:
                return code
    raise CodeNotReadBack


def _with_one_byte_changed(content: bytes) -> bytes:
    """In the middle of what was rendered, so that the signed bytes are no longer those that were sealed."""
    place = content.index(b"stream") + 20
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
