"""Fictional bodies, holders and requests for the registry's tests, and a clock that tests set.

Seals here are an honest incremental update without a signature: what the registry checks is that the sealed file
begins with the rendered one. Real seals are made in the demo's tests.
"""

from __future__ import annotations

from datetime import date, datetime

from cert_registry.licences.catalogue import Body
from cert_registry.licences.drafts import Actor, Draft, IssueRequest
from cert_registry.licences.holders import Holder

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="3" height="3"/></svg>'
BUREAU = Body("11990100MB00010113", "示例市行政审批局")
TRANSPORT = Body("11990100MB000102XT", "示例市交通运输局")
COMPANY = Holder("示例市甲建筑有限公司", "91990100MA0000015X")
SHOP = Holder("示例市乙食品店", "92990100MA0000023M")
PERSON = Holder("张示例", "11010519491231002X", "111")
CLERK = Actor("officer:7", "11990100MB00010113")
BUSINESS_FIELDS = {
    "enterprise_type": "有限责任公司",
    "legal_representative": "张示例",
    "business_scope": "建筑工程施工",
    "established_on": "2026-11-02",
    "address": "示例市示例路1号",
}


class SetClock:
    """A clock that stands where the test put it."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


def paper_code(_draft: Draft) -> bytes:
    return SVG


def seal(_draft: Draft, pdf: bytes) -> bytes:
    return pdf + b"\n% sealed\n"


def business(approval_id: str = "case-1", **changes: object) -> IssueRequest:
    """A request for a business licence, with changes."""
    values: dict[str, object] = {
        "approval_id": approval_id, "type": "business-licence", "issuer": BUREAU, "holders": [COMPANY],
        "fields": BUSINESS_FIELDS, "issued_on": date(2026, 11, 24), "matter_code": "M1", "matter_name": "企业设立登记",
    }  # fmt: skip
    return IssueRequest(**{**values, **changes})  # type: ignore[arg-type]
