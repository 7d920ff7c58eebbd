"""A licence in every state, for developers of other departments to try their systems on. Fictional, in sandboxes only.

Each sample is a case of its own (`sample:KEY`), so that making them twice makes nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cert_registry.errors import Text
from cert_registry.licences.catalogue import Body
from cert_registry.licences.drafts import Actor, IssueRequest, PaperCode, Seal
from cert_registry.licences.holders import Holder
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.issue import Issuing
from cert_registry.licences.operations import Change, record
from cert_registry.licences.register import Licence, by_identifier
from signing_service.kernel.clock import local

PREFIX = "sample:"
MATTER = "sandbox"
ACTOR = Actor("process:sandbox")
COMPANY = Holder("示例市甲建筑有限公司", "91990100MA0000015X")
SHOP = Holder("示例市乙食品店", "92990100MA0000023M")
REASON = Text("沙箱样例", "a sandbox sample")
_BUSINESS = {
    "enterprise_type": "有限责任公司", "legal_representative": "张示例", "business_scope": "建筑工程施工",
    "established_on": "2026-11-02", "address": "示例市示例路1号",
}  # fmt: skip
_FOOD = {
    "legal_representative": "李示例",
    "place": "示例市示例路2号",
    "business_form": "餐饮服务经营者",
    "items": ["热食"],
}


@dataclass(frozen=True, slots=True)
class Sample:
    """`then`: operations after issuing. `days`: (valid from, valid until) counted from today. `replaces`: a key."""

    key: str
    name: Text
    then: tuple[str, ...] = ()
    days: tuple[int, int | None] = (-400, None)
    kind: str = "business-licence"
    holder: Holder = COMPANY
    fields: Mapping[str, Any] = field(default_factory=lambda: _BUSINESS)
    replaces: str = ""
    absorbs: Sequence[str] = ()


SAMPLES = (
    Sample("valid", Text("有效", "valid")),
    Sample("suspended", Text("暂扣", "suspended"), ("suspend",)),
    Sample("returned", Text("暂扣后已发还", "returned after suspension"), ("suspend", "return")),
    Sample("cancelled", Text("注销", "cancelled"), ("cancel",)),
    Sample("revoked", Text("撤销", "revoked"), ("revoke",)),
    Sample("withdrawn", Text("撤回", "withdrawn"), ("withdraw",)),
    Sample("forfeited", Text("吊销", "forfeited"), ("forfeit",)),
    Sample("transferred", Text("转出", "transferred out"), ("transfer_out",)),
    Sample("expired", Text("已过期", "expired"), days=(-400, -30)),
    Sample("future", Text("尚未生效", "not yet in effect"), days=(30, None)),
    Sample("replaced", Text("已被新版本替代", "replaced by a new version")),
    Sample("replacement", Text("替代前一份的新版本", "the new version"), days=(0, None), replaces="replaced"),
    Sample(
        "absorbed", Text("已并入营业执照(多证合一)", "absorbed into the business licence"), kind="food-licence",
        holder=SHOP, fields=_FOOD,
    ),
    Sample(
        "absorbing", Text("并入了上一份的营业执照", "the business licence that absorbed it"), holder=SHOP,
        absorbs=("food-licence",),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    name: Text
    licence: Licence


def make_samples(issuing: Issuing, issuer: Body, paper_code: PaperCode, seal: Seal) -> int:
    """Issue and change what is not there yet; gives how many licences were issued now. Raises what issuing raises."""
    made = 0
    for sample in SAMPLES:
        found = issuing.find_by_approval(PREFIX + sample.key)
        if found is None:
            request = _request(issuing, sample, issuer)
            found = issuing.issue(request, ACTOR, paper_code=paper_code, seal=seal, resume=True)
            made += 1
        _change(issuing, found.identifier, sample.then)
    return made


def made_samples(session: Session) -> Iterator[Made]:
    """Those that are there, in the order of SAMPLES."""
    query = select(Licence).where(Licence.approval_id.startswith(PREFIX), Licence.digest.is_not(None))
    found = {row.approval_id.removeprefix(PREFIX): row for row in session.scalars(query)}
    for sample in SAMPLES:
        if sample.key in found:
            yield Made(sample.name, found[sample.key])


def _request(issuing: Issuing, sample: Sample, issuer: Body) -> IssueRequest:
    today = local(issuing.clock.now()).date()
    begins, ends = sample.days
    before = issuing.find_by_approval(PREFIX + sample.replaces) if sample.replaces else None
    return IssueRequest(
        approval_id=PREFIX + sample.key, type=sample.kind, issuer=issuer, holders=[sample.holder],
        fields=sample.fields, issued_on=min(today, _day(today, begins)), valid_from=_day(today, begins),
        valid_until=None if ends is None else _day(today, ends), matter_code=MATTER, matter_name="沙箱",
        operation="change" if before else "issue", replaces=before.identifier if before else "", reason=REASON.zh,
        legal_basis=REASON.zh, absorbs=sample.absorbs,
    )  # fmt: skip


def _day(today: date, days: int) -> date:
    return today + timedelta(days=days)


def _change(issuing: Issuing, identifier: str, operations: Sequence[str]) -> None:
    """Those operations that are not recorded yet, each in effect at once."""
    for place, operation in enumerate(operations, start=1):
        now = issuing.clock.now()
        with issuing.database.write() as session:
            name = LicenceIdentifier.parse(identifier)
            if len(by_identifier(session, name).operations) > place:
                continue
            record(session, name, Change(operation, now, REASON.zh, REASON.zh), ACTOR, now)
