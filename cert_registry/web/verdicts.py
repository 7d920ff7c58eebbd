"""A verdict as a page shows it: one sign, one sentence, who and when, what to do next. Words only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from cert_registry.errors import ExplainedError, Language, Text
from cert_registry.licences.catalogue import LicenceType
from cert_registry.licences.register import Licence
from cert_registry.licences.standing import Standing

Colour = Literal["passed", "unsure", "failed"]
SIGNS: Mapping[Colour, str] = {"passed": "✔", "unsure": "!", "failed": "✖"}
WORDS: Mapping[Colour, Text] = {
    "passed": Text("真实有效", "Genuine and valid"),
    "unsure": Text("无法确认", "Cannot be confirmed"),
    "failed": Text("不能使用", "Not to be used"),
}


def shown_licence(
    licence: Licence, kind: LicenceType, now: Standing, competent: str, language: Language
) -> dict[str, Any]:
    """By identifier or paper code: the register's word on a licence, nothing of its holder."""
    facts = [
        (Text("证照", "Licence"), kind.name.in_(language)),
        (Text("证照编号", "Number"), licence.number),
        (Text("颁发机构", "Issued by"), licence.issuer_name),
        (Text("颁发日期", "Issued on"), licence.issued_on.isoformat()),
        (Text("状态", "Status"), now.status_text.in_(language)),
    ]
    if competent:
        facts.append((Text("现主管机构", "Competent today"), competent))
    colour: Colour = "passed" if now.usable_now == "yes" else "failed"
    return _page(colour, now.sentence.in_(language), now.reason, facts, language)


def shown_report(found: Mapping[str, Any], name: str, language: Language) -> dict[str, Any]:
    """By file: green only when the verdict at sealing and the use today are both good."""
    good = found["verdict"] == "passed" and found["usable_now"] == "yes"
    bad = found["verdict"] == "failed" or found["usable_now"] == "no"
    colour: Colour = "passed" if good else "failed" if bad else "unsure"
    facts = [(Text("文件", "File"), name)]
    for one in found["report"]["signatures"]:
        facts.append((Text("签署", "Signed by"), f"{one['signer']} {one['signed_at'] or ''}".strip()))
    if found["licence"] is not None:
        facts.append((Text("证照", "Licence"), f"{found['licence']['type_name']} {found['licence']['number']}"))
        facts.append((Text("证照状态", "Licence status"), found["licence"]["status_text"]))
    return _page(colour, found["summary"], found["reason"], facts, language)


def shown_refusal(error: ExplainedError, language: Language) -> dict[str, Any]:
    """Not found, another's, not readable: never green, and never said to be a forgery."""
    advice = error.advice.in_(language) if error.advice else ""
    return {**_page("unsure", error.what.in_(language), error.code, [], language), "advice": advice}


def _page(
    colour: Colour, sentence: str, reason: str, facts: list[tuple[Text, str]], language: Language
) -> dict[str, Any]:
    return {
        "colour": colour,
        "sign": SIGNS[colour],
        "word": WORDS[colour].in_(language),
        "sentence": sentence,
        "reason": reason,
        "facts": [(label.in_(language), value) for label, value in facts],
        "advice": "",
    }
