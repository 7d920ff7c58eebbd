"""Bodies of the departments' API. Unknown entries are refused; personal numbers travel only here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from cert_registry.licences.holders import USCC
from cert_registry.licences.identifiers import LONGEST
from cert_registry.web.purposes import WithPurpose

EXAMPLE = "1.2.156.3005.2.11990000MB0000019F001.11990100MB00010113.5K2Q8ZT0VN4C7XHB1YWD.001.0"
IdentifierText = Annotated[str, Field(max_length=LONGEST, description="证照标识(GB/T 36904)", examples=[EXAMPLE])]
Consent = Annotated[str, Field(default="", max_length=32, description="持证人授权码(授权要求时)")]
Key = Annotated[str, Field(min_length=1, max_length=64)]
Fields = Annotated[dict[Key, JsonValue], Field(max_length=100)]


class Strict(BaseModel):
    """No unknown entries, and no text that a database or a JSON answer could not carry: NUL, half surrogates."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def carries_plain_text(cls, value: Any) -> Any:
        refuse_unprintable(value)
        return value


def example(**values: Any) -> ConfigDict:
    """The body's example in the OpenAPI document; purpose and matter are added."""
    given = {**values, "purpose": "受理施工许可申请", "matter": "M1"}
    return ConfigDict(json_schema_extra={"examples": [given]})


def refuse_unprintable(value: Any) -> None:
    """Looks into lists and mappings. Raises ValueError."""
    if isinstance(value, str):
        if any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in value):
            raise ValueError("text must not hold NUL or half surrogates")
    elif isinstance(value, Mapping):
        for name, part in value.items():
            refuse_unprintable(name)
            refuse_unprintable(part)
    elif isinstance(value, list):
        for part in value:
            refuse_unprintable(part)


class HolderBody(Strict):
    """持证主体。"""

    name: Annotated[str, Field(default="", max_length=200, description="名称或姓名")]
    code: Annotated[str, Field(min_length=1, max_length=64, description="代码;只在请求体中传送")]
    code_type: Annotated[str, Field(default=USCC, max_length=3, description="代码类型(GB/T 36903 附录 A)")]


class VerifyIdentifier(Strict, WithPurpose):
    """按证照标识核验。"""

    model_config = example(identifier=EXAMPLE)

    identifier: IdentifierText
    consent: Consent


class VerifyFields(Strict, WithPurpose):
    """按内容核验:给出标识,或类型与证照编号;以及要核对的内容。"""

    model_config = example(
        identifier=EXAMPLE, fields={"legal_representative": "张示例"}, holder={"code": "91990100MA0000015X"}
    )

    identifier: Annotated[str, Field(default="", max_length=LONGEST)]
    type: Annotated[str, Field(default="", max_length=64, description="证照类型(键或代码)")]
    number: Annotated[str, Field(default="", max_length=100, description="证照编号")]
    fields: Annotated[dict[Key, JsonValue], Field(default_factory=dict, max_length=100)]
    holder: HolderBody | None = None
    consent: Consent


class VerifyCode(Strict, WithPurpose):
    """扫码核验。"""

    model_config = example(code="https://zw.example.cn/c/0123456789ABCDEF")

    code: Annotated[str, Field(min_length=1, max_length=4096, description="核验二维码的内容")]
    consent: Consent


class VerifyBatch(Strict, WithPurpose):
    """批量核验。"""

    model_config = example(identifiers=[EXAMPLE])

    identifiers: Annotated[list[IdentifierText], Field(min_length=1, max_length=1000)]


class Search(Strict, WithPurpose):
    """按持证主体检索。"""

    model_config = example(holder={"code": "91990100MA0000015X"}, types=["business-licence"], limit=50)

    holder: HolderBody
    types: Annotated[list[Key], Field(default_factory=list, max_length=50, description="证照类型;空为全部有授权的类型")]
    after: Annotated[str, Field(default="", max_length=200, description="上一页返回的 next")]
    limit: Annotated[int, Field(default=50, ge=1, le=200)]


class IssuerBody(Strict):
    code: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[0-9A-Z]+$")]
    name: Annotated[str, Field(min_length=1, max_length=200)]


class IssueBody(Strict, WithPurpose):
    """新发、延续、变更、转入。"""

    model_config = example(
        approval_id="2026-000123", type="business-licence",
        issuer={"code": "11990100MB00010113", "name": "示例市行政审批局"},
        holders=[{"name": "示例市甲建筑有限公司", "code": "91990100MA0000015X"}],
        fields={
            "enterprise_type": "有限责任公司", "legal_representative": "张示例", "business_scope": "建筑工程施工",
            "established_on": "2026-11-02", "address": "示例市示例路1号",
        },
        issued_on="2026-11-24",
    )  # fmt: skip

    approval_id: Annotated[
        str, Field(min_length=1, max_length=100, pattern=r"^[0-9A-Za-z._-]+$", description="办件编号")
    ]
    type: Annotated[str, Field(min_length=1, max_length=64)]
    issuer: IssuerBody
    holders: Annotated[list[HolderBody], Field(min_length=1, max_length=100)]
    fields: Fields
    issued_on: date
    valid_from: date | None = None
    valid_until: date | None = None
    number: Annotated[str, Field(default="", max_length=100)]
    matter_name: Annotated[str, Field(default="", max_length=200)]
    operation: Literal["issue", "renew", "change", "transfer_in"] = "issue"
    replaces: Annotated[str, Field(default="", max_length=LONGEST)]
    reason: Annotated[str, Field(default="", max_length=500)]
    legal_basis: Annotated[str, Field(default="", max_length=500)]
    absorbs: Annotated[list[Key], Field(default_factory=list, max_length=20)]
    parties: Annotated[list[Key], Field(default_factory=list, max_length=50)]


class OperationBody(Strict, WithPurpose):
    """暂扣、暂扣发还、注销、撤销、撤回、吊销、转出、取消转出,或更正记录(void)。"""

    model_config = example(operation="suspend", reason="限期整改", legal_basis="示例条例第十条")

    operation: Annotated[str, Field(min_length=1, max_length=32)]
    effective_from: AwareDatetime | None = None
    reason: Annotated[str, Field(default="", max_length=500)]
    legal_basis: Annotated[str, Field(default="", max_length=500)]
    voids: Annotated[int | None, Field(default=None, ge=1, le=2**31 - 1)]


class CopyBody(Strict, WithPurpose):
    """加注件:只供本部门为所述事项使用。"""

    model_config = example(until="2026-12-24T00:00:00+08:00")

    until: AwareDatetime
    consent: Consent


class SubscriptionBody(Strict, WithPurpose):
    """订阅变动通知。"""

    model_config = example(url="https://housing.example.cn/hook", types=["business-licence"], issuers=["119901"])

    url: Annotated[str, Field(min_length=1, max_length=500)]
    types: Annotated[list[Key], Field(default_factory=list, max_length=50)]
    issuers: Annotated[list[Key], Field(default_factory=list, max_length=50, description="颁发机构代码前缀(地区)")]


class LogView(BaseModel):
    entry: int
    leaf: str


class StatusPlace(BaseModel):
    """在 /status-lists/{list} 中的位置。"""

    list: int
    idx: int


class LicenceSummary(BaseModel):
    """核验显示的内容:不含持证主体和证照内容。"""

    identifier: str
    type: str
    type_code: str
    type_name: str
    number: str
    version: int
    issuer_code: str
    issuer_name: str
    competent_body: str
    issued_on: date
    valid_from: date
    valid_until: date | None
    status: str
    status_text: str
    status_since: datetime | None
    sha256: str | None
    status_list: StatusPlace


class Verified(BaseModel):
    usable_now: Literal["yes", "no", "unknown"]
    reason: str
    summary: str
    licence: LicenceSummary
    log: LogView
    evidence: str


class VerifiedFields(Verified):
    fields: dict[str, Literal["match", "mismatch", "not_granted", "no_such_field"]]
    holder: Literal["match", "mismatch"] | None


class VerifiedCode(Verified):
    code: dict[str, Any]


class VerifiedFile(BaseModel):
    verdict: Literal["passed", "indeterminate", "failed"]
    usable_now: Literal["yes", "no", "unknown"]
    reason: str
    summary: str
    report: dict[str, Any]
    licence: LicenceSummary | None
    log: LogView
    evidence: str


class IssuedReportView(BaseModel):
    """`sha256`: of the sealed report; `judged`: of the file that it is about. Number and code fetch it again."""

    number: str
    code: str
    sha256: str
    judged: str
    log: LogView
    evidence: str


class FetchReport(Strict, WithPurpose):
    """取核验报告。"""

    model_config = example(number="示核验〔2026〕1号", code="EXAMPLE-CODE")

    number: str = Field(min_length=1, max_length=64)
    code: str = Field(min_length=1, max_length=40)


class BatchItem(BaseModel):
    identifier: str
    usable_now: Literal["yes", "no", "unknown"]
    reason: str
    summary: str
    licence: LicenceSummary | None = None


class VerifiedBatch(BaseModel):
    items: list[BatchItem]
    log: LogView
    evidence: str


class FoundLicences(BaseModel):
    items: list[LicenceSummary]
    next: str | None


class IssuedView(BaseModel):
    identifier: str
    number: str
    sha256: str


class StandingView(BaseModel):
    identifier: str
    usable_now: Literal["yes", "no"]
    reason: str
    summary: str
    status: str
