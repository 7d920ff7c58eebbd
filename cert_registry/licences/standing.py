"""How a licence stands at an instant, with the codes and sentences that pages and answers use. Rules only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from cert_registry.errors import Text
from cert_registry.licences.lifecycle import STATUSES, State, is_expired
from signing_service.kernel.clock import local

Usable = Literal["yes", "no"]


@dataclass(frozen=True, slots=True)
class Standing:
    """`reason`: passed, licence_suspended, licence_ended, licence_expired, licence_not_yet_valid, licence_replaced."""

    usable_now: Usable
    reason: str
    sentence: Text
    status: str
    status_text: Text
    since: datetime | None = None


def standing(state: State, valid_from: date, valid_until: date | None, at: datetime, issuer: str) -> Standing:
    """Ended before suspended before expired: the heaviest reason is the one that is told."""
    made = Text(f"文件确由{issuer}签发。", f"It was issued by {issuer}.")
    if state.status is None or state.since is None:
        return Standing(
            "no",
            "licence_not_yet_valid",
            Text(f"该证照自{_zh(valid_from)}起生效。{made.zh}", f"The licence takes effect on {valid_from}. {made.en}"),
            "not_yet_valid",
            Text("未生效", "not yet in effect"),
        )
    text, day = STATUSES[state.status].text, local(state.since).date()
    if state.status == "suspended":
        sentence = Text(
            f"该证照自{_zh(day)}起暂扣,当前不可使用。",
            f"The licence has been suspended since {day} and may not be used.",
        )
        return Standing("no", "licence_suspended", sentence, state.status, text, state.since)
    if state.status != "valid":
        return Standing("no", *_ended(state, text, day, made), state.status, text, state.since)
    if is_expired(valid_until, local(at).date()):
        assert valid_until is not None  # noqa: S101  # expired means that it has an end
        sentence = Text(
            f"该证照有效期至{_zh(valid_until)},现已过期。{made.zh}", f"The licence expired on {valid_until}. {made.en}"
        )
        return Standing("no", "licence_expired", sentence, "expired", Text("已过期", "expired"), state.since)
    sentence = Text(f"该证照由{issuer}签发,当前状态:有效。", f"Issued by {issuer}; the licence is valid now.")
    return Standing("yes", "passed", sentence, "valid", text, state.since)


def _ended(state: State, text: Text, day: date, made: Text) -> tuple[str, Text]:
    entry = state.entry
    if entry is not None and entry.operation in ("replace", "absorb"):
        zh = "已被新证照替代" if entry.operation == "replace" else "已并入营业执照"
        en = "was replaced by a new one" if entry.operation == "replace" else "became part of the business licence"
        sentence = Text(
            f"该证照{zh}({entry.reason}),自{_zh(day)}起不得再使用。{made.zh}",
            f"The licence {en} ({entry.reason}) and may not be used since {day}. {made.en}",
        )
        return "licence_replaced", sentence
    why = f"({entry.reason})" if entry is not None and entry.reason else ""
    return "licence_ended", Text(
        f"该证照已于{_zh(day)}被依法{text.zh}{why},不得再使用。{made.zh}",
        f"The licence was {text.en} on {day} {why} and may not be used. {made.en}".replace("  ", " "),
    )


def _zh(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"
