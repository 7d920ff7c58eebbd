"""Answers of the departments' API beyond those of verifying, as the OpenAPI document shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from cert_registry.web.api_models import LicenceSummary, LogView


class Evidenced(BaseModel):
    """`evidence`:签名的查验回执(JWS),请存入办件。"""

    log: LogView
    evidence: str


class MatterView(BaseModel):
    code: str
    name: str


class HolderView(BaseModel):
    """号码只显示首尾两位。"""

    name: str
    code: str
    code_type: str
    code_kind: str


class LicenceView(LicenceSummary, Evidenced):
    """`fields` 只含授权的内容;`metadata` 为 GB/T 36903 元数据。"""

    usable_now: str
    reason: str
    summary: str
    replaces: str | None
    matter: MatterView
    holders: list[HolderView]
    fields: dict[str, Any]
    labels: dict[str, str]
    metadata: dict[str, Any]


class HistoryItem(BaseModel):
    """`effective_from` 生效时间,`recorded_at` 登记时间;`voids` 为被更正的条目。"""

    entry: int
    operation: str
    operation_name: str
    effective_from: datetime
    recorded_at: datetime
    voids: int | None
    reason: str
    legal_basis: str
    department: str


class HistoryView(Evidenced):
    identifier: str
    items: list[HistoryItem]


class AccessItem(BaseModel):
    at: datetime
    what: str
    kind: str
    department: str
    purpose: str
    matter: str


class AccessPage(BaseModel):
    items: list[AccessItem]
    next: str | None


class CopyView(Evidenced):
    copy_id: str = Field(alias="copy")
    identifier: str
    until: datetime
    sha256: str
    file: str


class WhoView(BaseModel):
    client: str
    department: str
    department_name: str


class GrantView(BaseModel):
    """`actions` 可做什么;`fields`、`matters`、`type_code` 中的 * 表示不限。"""

    id: str
    type_code: str
    actions: list[str]
    fields: list[str]
    matters: list[str]
    consent_needed: bool
    since: datetime
    until: datetime | None
    active: bool


class GrantsView(BaseModel):
    """`ask`:需要授权时找谁。"""

    department: str
    items: list[GrantView]
    ask: str


class EventView(BaseModel):
    """看不到的变动只有序号。`at` 是文本:一个字符也不能变,否则与 hash 不符。"""

    number: int
    visible: bool
    at: Annotated[str | None, Field(json_schema_extra={"format": "date-time"})] = None
    kind: str | None = None
    identifier: str | None = None
    type_code: str | None = None
    issuer_code: str | None = None
    content: dict[str, Any] | None = None


class EventPage(Evidenced):
    """`next` 用作下一次的 after;`hash` 为本页条目规范化 JSON 的 SHA-256。"""

    items: list[EventView]
    next: int
    hash: str


class EventDigest(Evidenced):
    """`hash`:对每个可见证照的最后一条变动,按序号排列,取“序号 标识”各行的 SHA-256。"""

    until: int
    licences: int
    hash: str


class SubscriptionMade(BaseModel):
    id: str


class DeadLetter(BaseModel):
    number: int
    why: str


class SubscriptionView(BaseModel):
    id: str
    url: str
    types: list[str]
    issuers: list[str]
    after: int
    dead: list[DeadLetter]


class SubscriptionsView(BaseModel):
    items: list[SubscriptionView]


class ReplayView(BaseModel):
    replayed: int


class KeysView(BaseModel):
    """`kids`:登记的公钥编号。"""

    client: str
    kids: list[str]
