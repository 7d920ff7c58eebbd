"""Bodies of the cases API. Personal numbers and addresses travel in bodies alone and come back masked or not at all."""

from __future__ import annotations

import base64
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Base64Bytes, BaseModel, BeforeValidator, Field

from signing_service.approvals.matter_catalogue import StepPlan
from signing_service.web.purposes import WithPurpose

MOST_STEPS = 30
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]


def _without_edges(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def _strict_base64(value: object) -> object:
    """Pydantic's own decoder passes over signs that are not Base64."""
    if isinstance(value, str):
        base64.b64decode(value, validate=True)
    return value


Pdf = Annotated[Base64Bytes, BeforeValidator(_strict_base64)]


class ApplicantBody(BaseModel):
    """申请人。`code_type` 依 GB/T 36903:001 统一社会信用代码,111 居民身份证。"""

    name: Annotated[Line, AfterValidator(_without_edges)]
    code: str = Field(min_length=2, max_length=40, pattern=r"^[0-9A-Za-z-]+$")
    code_type: str = Field("001", pattern=r"^[0-9]{3}$")
    phone: str = Field("", max_length=20, description="接收短信通知;加密保存")
    mail: str = Field("", max_length=200, description="接收邮件通知;加密保存")


class RealNameBody(BaseModel):
    """在贵平台完成的实名核验:谁、用什么方式、何时。"""

    by: Line = Field(max_length=40, examples=["示例市统一身份认证平台"])
    method: Line = Field(max_length=30, examples=["人脸识别"])
    at: datetime


class StepBody(BaseModel):
    """一个环节;`stage` 相同的环节并行(会签)。"""

    stage: int = Field(ge=1, le=20)
    title: Line = Field(max_length=60)
    department: str = Field(max_length=64, pattern=r"^[0-9A-Za-z._-]+$")
    role: Literal["reviewer"] = "reviewer"
    promised_days: int = Field(ge=1, le=90)
    signs_again: bool = True

    def as_plan(self, department_name: str) -> StepPlan:
        return StepPlan(
            self.stage, self.title, self.department, self.role, self.promised_days, department_name,
            signs_again=self.signs_again,
        )  # fmt: skip


class CaseBody(WithPurpose):
    """报送一件。`matter` 为事项编码;`reference` 为贵平台的申请编号,同一编号只受理一件。"""

    reference: str = Field(min_length=1, max_length=100, pattern=r"^[0-9A-Za-z._:-]+$")
    applicant: ApplicantBody
    real_name_check: RealNameBody
    fields: dict[str, Annotated[str, Field(max_length=2000)] | list[Line]] = Field(default_factory=dict, max_length=100)
    title: str = Field("", max_length=150)
    document: Pdf | None = Field(None, description="待签署用印的 PDF(Base64),仅“来文”类事项")
    route: list[StepBody] = Field(default_factory=list, max_length=MOST_STEPS)
    simulated: bool = False
    commitment: Pdf | None = Field(None, description="模拟审批的承诺书(PDF,Base64)")
    tentative_date: date | None = None
    basis_case: str = Field("", max_length=32, pattern=r"^[0-9a-f]*$")


class SupplementBody(WithPurpose):
    """补正:`fields` 给出时,全部替换原申请内容。"""

    fields: dict[str, Annotated[str, Field(max_length=2000)] | list[Line]] | None = Field(None, max_length=100)


class WithdrawBody(WithPurpose):
    reason: Line


class WebhookBody(WithPurpose):
    url: str = Field(max_length=500)


class OpenedView(BaseModel):
    """`query_code` 只在此处给出一次(同一 Idempotency-Key 重试时相同);转交申请人后请勿保存。"""

    id: str
    number: str
    query_code: str
    state: str


class EventView(BaseModel):
    number: int
    at: str
    kind: str
    state: str
    step: str
    department: str


class EventsView(BaseModel):
    items: list[EventView]


class CaseView(BaseModel):
    """一件的全过程。不含审批人姓名和证件号码。"""

    id: str
    number: str
    reference: str
    matter: str
    title: str
    state: str
    words: str
    simulated: bool
    applicant: dict[str, str]
    received_at: datetime
    accepted_at: datetime | None
    ended_at: datetime | None
    statutory_due: date | None
    promised_due: date | None
    provisional: bool
    card: str
    steps: list[dict[str, Any]]
    notices: list[dict[str, Any]]
    clock: list[dict[str, Any]]
    result: dict[str, str] | None
    last_event: int
