"""What every call of an API carries: purpose and matter (in the body of a POST, in two headers of a GET), and for
writes a key that makes a repetition harmless."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import unquote

from fastapi import Header
from pydantic import AfterValidator, BaseModel, Field

from signing_service.errors import SigningServiceError, Text

LONGEST_PURPOSE, LONGEST_MATTER = 200, 64
_PERSONAL_NUMBER = re.compile(r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])|(?<![0-9])1[3-9][0-9]{9}(?![0-9])")


class PersonalNumberInPurpose(SigningServiceError):
    code = "personal_number_in_purpose"

    def __init__(self) -> None:
        super().__init__(
            Text("用途中不要写证件号码或手机号码。", "Leave identity and telephone numbers out of the purpose."),
            why=Text("用途会记入日志,并给持证人查看。", "The purpose is logged and shown to the holder."),
            advice=Text("请改写后重新提交。", "Reword it and send it again."),
        )


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why a department calls, in its own words, and for which matter (事项编码)."""

    purpose: str
    matter: str


def _without_numbers(text: str) -> str:
    if _PERSONAL_NUMBER.search(text):
        raise PersonalNumberInPurpose
    return text


def _one_line(text: str) -> str:
    if not text.strip() or any(ord(sign) < 32 for sign in text):
        raise ValueError("must be one line of text")
    return text.strip()


IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=64,
        pattern=r"^[0-9A-Za-z._-]+$",
        description="同一请求重试时不变",
    ),
]
PurposeText = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_PURPOSE, description="申请事由(用途),200 字以内", examples=["受理施工许可"]),
    AfterValidator(_one_line),
]
MatterCode = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_MATTER,
        pattern=r"^[0-9A-Za-z._-]+$",
        description="办理的事项编码",
        examples=["M1"],
    ),
]


class WithPurpose(BaseModel):
    """What every request body carries."""

    purpose: PurposeText
    matter: MatterCode

    def as_purpose(self) -> Purpose:
        """Raises PersonalNumberInPurpose."""
        return Purpose(_without_numbers(self.purpose), self.matter)


def from_headers(
    purpose: Annotated[
        str,
        Header(
            alias="Zhengyin-Purpose", min_length=1, max_length=LONGEST_PURPOSE * 9,
            description="申请事由(用途),UTF-8 百分号编码", examples=["%E5%8F%97%E7%90%86"],
        ),
    ],
    matter: Annotated[
        str,
        Header(
            alias="Zhengyin-Matter", min_length=1, max_length=LONGEST_MATTER, pattern=r"^[0-9A-Za-z._-]+$",
            description="办理的事项编码", examples=["M1"],
        ),
    ],
) -> Purpose:  # fmt: skip
    """The two headers of GET calls. Raises PersonalNumberInPurpose."""
    text = _without_numbers(unquote(purpose, errors="replace").strip())
    plain = "".join(sign if ord(sign) >= 32 else " " for sign in text)[:LONGEST_PURPOSE]
    return Purpose(plain, matter)
