"""A printer over IPP (RFC 8011): hand it a copy, follow the job to its end. pyipp writes and reads the messages; they
travel through the kernel's one outbound client.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

from pyipp.enums import IppOperation, IppTag
from pyipp.exceptions import IPPError
from pyipp.parser import parse
from pyipp.serializer import construct_attribute, encode_dict

from signing_service.kernel.outbound import Outbound, OutboundFailed, OutboundRefused
from signing_service.printing.errors import PrinterRefused, PrinterUnreachable, PrintJobAborted

DEFAULT_PORT = 631
FIRST_FAILURE_STATUS = 0x0400
LOOK_EVERY_SECONDS = 2.0
MOST_LOOKS = 150
"""Five minutes: a printer that waits for paper longer counts as failed."""


class JobState(IntEnum):
    """RFC 8011, 5.3.7."""

    PENDING = 3
    HELD = 4
    PROCESSING = 5
    STOPPED = 6
    CANCELED = 7
    ABORTED = 8
    COMPLETED = 9

    @property
    def is_final(self) -> bool:
        return self >= JobState.CANCELED


@dataclass(frozen=True, slots=True)
class Job:
    """`reasons`: the printer's own words, such as media-empty-error."""

    printer: str
    id: int
    state: JobState
    reasons: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the ledger keeps: printer and job number."""
        return f"{self.printer}#{self.id}"


@dataclass(frozen=True)
class IppPrinter:
    """`address`: ipp://host:port/path or ipps://…; its host has to be allowed by the outbound policy."""

    address: str
    outbound: Outbound

    def print_pdf(self, content: bytes, *, title: str, user: str) -> Job:
        """Hand over one PDF, one copy, at its own size. Raises PrinterUnreachable, PrinterRefused.

        `title` shows on the printer's panel: a serial, never a name.
        """
        attributes = {"requesting-user-name": user, "job-name": title, "document-format": "application/pdf"}
        self._ask(IppOperation.VALIDATE_JOB, attributes)
        return self._job(self._ask(IppOperation.PRINT_JOB, attributes, document=content))

    def look(self, job: Job, *, user: str) -> Job:
        """The job as it is now. Raises PrinterUnreachable, PrinterRefused."""
        attributes = {"job-id": job.id, "requesting-user-name": user}
        return self._job(self._ask(IppOperation.GET_JOB_ATTRIBUTES, attributes))

    def cancel(self, job: Job, *, user: str) -> None:
        """Raises PrinterUnreachable, PrinterRefused."""
        self._ask(IppOperation.CANCEL_JOB, {"job-id": job.id, "requesting-user-name": user})

    def follow(self, job: Job, wait: Callable[[float], None], *, user: str) -> Job:
        """Wait for the job's end; `wait` sleeps for seconds. Cancels what takes too long. Raises PrintJobAborted."""
        for _ in range(MOST_LOOKS):
            if job.state.is_final:
                break
            wait(LOOK_EVERY_SECONDS)
            job = self.look(job, user=user)
        if job.state is JobState.COMPLETED:
            return job
        if not job.state.is_final:
            self.cancel(job, user=user)
        raise PrintJobAborted(self.address, ", ".join((job.state.name.lower(), *job.reasons)))

    def _ask(
        self, operation: IppOperation, attributes: Mapping[str, Any], document: bytes | None = None
    ) -> dict[str, Any]:
        message = {
            "version": (2, 0),
            "operation": operation,
            "request-id": None,
            "operation-attributes-tag": {
                "attributes-charset": "utf-8",
                "attributes-natural-language": "zh-cn",
                "printer-uri": self.address,
                **attributes,
            },
        }
        body = encode_dict(message) if document is None else _with_document(encode_dict(message), document)
        headers = {"Content-Type": "application/ipp", "Accept": "application/ipp"}
        try:
            reply = self.outbound.request("POST", self._url, body=body, headers=headers)
        except (OutboundFailed, OutboundRefused) as failure:
            raise PrinterUnreachable(self.address, str(failure)) from failure
        if reply.status != 200:
            raise PrinterRefused(self.address, f"HTTP {reply.status}")
        return self._checked(reply.body)

    def _checked(self, body: bytes) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = parse(body)
            status = int(answer["status-code"])
        except (IPPError, KeyError, ValueError, TypeError, IndexError, LookupError) as failure:
            raise PrinterRefused(self.address, "unreadable answer") from failure
        if status >= FIRST_FAILURE_STATUS:
            raise PrinterRefused(self.address, f"IPP 0x{status:04x}")
        return answer

    def _job(self, answer: Mapping[str, Any]) -> Job:
        try:
            found = answer["jobs"][0]
            reasons = found.get("job-state-reasons", ())
            words = (reasons,) if isinstance(reasons, str) else tuple(reasons)
            return Job(self.address, int(found["job-id"]), JobState(int(found["job-state"])), words)
        except (KeyError, IndexError, ValueError, TypeError) as failure:
            raise PrinterRefused(self.address, "unreadable answer") from failure

    @property
    def _url(self) -> str:
        parts = urlsplit(self.address)
        scheme = "https" if parts.scheme == "ipps" else "http"
        return f"{scheme}://{parts.hostname}:{parts.port or DEFAULT_PORT}{parts.path or '/ipp/print'}"


def _with_document(message: bytes, document: bytes) -> bytes:
    """The job's own attributes before the message's end tag, then the file. pyipp knows no tag for print-scaling."""
    job = construct_attribute("copies", 1, IppTag.INTEGER) + construct_attribute(
        "print-scaling", "none", IppTag.KEYWORD
    )
    return message[:-1] + bytes([IppTag.JOB.value]) + job + message[-1:] + document
