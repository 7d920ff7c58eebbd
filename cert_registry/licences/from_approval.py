"""A released approval becomes a licence: the outbox's consumer for topic "approval_released".

Idempotent: the same message handed on twice gives one licence. A crash between the steps is resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from cert_registry.errors import Text
from cert_registry.licences.catalogue import Body
from cert_registry.licences.content import known_fields
from cert_registry.licences.drafts import Actor, IssueRequest, PaperCode, Registered, Seal
from cert_registry.licences.errors import LicenceError
from cert_registry.licences.holders import USCC, Holder
from cert_registry.licences.issue import Issuing
from signing_service.kernel.clock import local

TOPIC = "approval_released"
ACTOR = Actor("process:registry")


class ReleaseUnreadable(LicenceError):
    code = "release_unreadable"

    def __init__(self, why: str) -> None:
        super().__init__(
            Text("办件送来的登记内容不完整。", "The released approval's message is not complete."),
            why=Text(f"缺少或有误:{why}。", f"Missing or wrong: {why}."),
            advice=Text("请检查该办件的事项设置。", "Check the matter's settings."),
        )


@dataclass(frozen=True, slots=True)
class FromApproval:
    """An outbox handler. `report` is told (approval id, licence) when the licence exists, at least once."""

    issuing: Issuing
    paper_code: PaperCode
    seal: Seal
    report: Callable[[str, Registered], None]

    def __call__(self, key: str, payload: Mapping[str, Any]) -> None:
        """Raises ReleaseUnreadable and what issuing raises; the message then stays pending."""
        request = self._request(payload)
        registered = self.issuing.find_by_approval(request.approval_id)
        if registered is None:
            registered = self.issuing.issue(request, ACTOR, paper_code=self.paper_code, seal=self.seal, resume=True)
        self.report(request.approval_id, registered)

    def _request(self, payload: Mapping[str, Any]) -> IssueRequest:
        """The payload's shape: approval_id, type, issuer {code, name}, holder {…} or holders [{…}], fields,
        document_digest; optional number, issued_on, valid_from, valid_until (dates), matter {code, name}, parties.
        """
        try:
            kind = self.issuing.catalogue.get(str(payload["type"]))
            matter = payload.get("matter") or {}
            return IssueRequest(
                approval_id=str(payload["approval_id"]),
                type=kind.key,
                issuer=Body(str(payload["issuer"]["code"]), str(payload["issuer"]["name"])),
                holders=_holders(payload),
                fields=known_fields(kind, payload.get("fields") or {}),
                issued_on=_date(payload.get("issued_on")) or local(self.issuing.clock.now()).date(),
                valid_from=_date(payload.get("valid_from")),
                valid_until=_date(payload.get("valid_until")),
                number=str(payload.get("number") or ""),
                matter_code=str(matter.get("code", "")),
                matter_name=str(matter.get("name", "")),
                document_digest=str(payload["document_digest"]),
                parties=[str(one) for one in payload.get("parties") or ()],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as failure:
            raise ReleaseUnreadable(f"{type(failure).__name__}: {failure}") from failure


def _holders(payload: Mapping[str, Any]) -> Sequence[Holder]:
    given = payload.get("holders") or [payload["holder"]]
    return [Holder(str(one["name"]), str(one["code"]), str(one.get("code_type") or USCC)) for one in given]


def _date(value: Any) -> date | None:
    return None if not value else date.fromisoformat(str(value))
