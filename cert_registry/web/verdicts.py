"""A verdict as a page shows it: one sign, one sentence, who and when, what to do next. Words only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from cert_registry.errors import ExplainedError, Language, Text
from cert_registry.licences.catalogue import LicenceType
from cert_registry.licences.register import Licence
from cert_registry.licences.standing import Standing
from cert_registry.verification.code_status import CodeStanding
from signing_service.verification.written_report import CHECK_NAMES, KIND_NAMES, RESULT_NAMES

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


def shown_report(found: Mapping[str, Any], name: str, language: Language, kept: str = "") -> dict[str, Any]:
    """By file: green only when the verdict at sealing and the use today are both good. `kept`: the name under which
    the upload lies on the shelf."""
    report = found["report"]
    good = found["verdict"] == "passed" and found["usable_now"] == "yes"
    bad = found["verdict"] == "failed" or found["usable_now"] == "no"
    colour: Colour = "passed" if good else "failed" if bad else "unsure"
    facts = [(Text("文件", "File"), name)]
    if found["licence"] is not None:
        facts.append((Text("证照", "Licence"), f"{found['licence']['type_name']} {found['licence']['number']}"))
        facts.append((Text("证照状态", "Licence status"), found["licence"]["status_text"]))
    suffix = "" if language == "zh" else "_en"
    intact = report["intact_revision"] if report["modified_after_signing"] else None
    return {
        **_page(colour, report["summary" + suffix], found["reason"], facts, language),
        "pair": _pair_of_file(found["verdict"], found["usable_now"], language),
        "advice": report["advice" + suffix],
        "signatures": [_shown_signature(one, language) for one in report["signatures"]],
        "checks": [_shown_check(check, language) for check in report["checks"]],
        "hint": report["hint" + suffix],
        "intact": intact,
        "kept": kept,
        "sha256": report["sha256"],
    }


def _shown_signature(one: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """One signature for the folded part: who, what, when by whose word, and every check."""
    kind = KIND_NAMES[one["kind"]] if language == "zh" else one["kind"]
    stamped = one["time_source"] == "timestamp"
    source = Text("可信时间戳", "timestamp") if stamped else Text("签署人自称", "claimed by the signer")
    colours: dict[str, Colour] = {"passed": "passed", "failed": "failed"}
    colour = colours.get(one["verdict"], "unsure")
    return {
        "sign": SIGNS[colour], "colour": colour, "kind": kind, "signer": one["signer"] or one["field"],
        "at": datetime.fromisoformat(one["signed_at"]) if one["signed_at"] else None,
        "source": source.in_(language), "level": one["level"] or "—",
        "checks": [_shown_check(check, language) for check in one["checks"]],
    }  # fmt: skip


def _shown_check(check: Mapping[str, str], language: Language) -> dict[str, str]:
    number, _, name = check["name"].partition(" ")
    if language == "en":
        return {"number": number, "name": name, "result": check["result"], "detail": check["detail"]}
    shown, result = CHECK_NAMES.get(name, name), RESULT_NAMES[check["result"]]
    return {"number": number, "name": shown, "result": result, "detail": check["detail"]}


def shown_code(standing: CodeStanding, language: Language) -> dict[str, Any]:
    """By paper code: today's status first, what the code proves beside it, and whether it was seen before."""
    colours: dict[str, Colour] = {"yes": "passed", "no": "failed"}
    colour = colours.get(standing.usable_now, "unsure")
    if standing.reason == "simulated":
        colour = "unsure"
    facts = [(label, value.in_(language)) for label, value in standing.facts]
    hint = standing.seen_before.in_(language) if standing.seen_before else ""
    shown = _page(colour, standing.sentence.in_(language), standing.reason, facts, language)
    then = Text("二维码未被改动", "The code is unaltered")
    return {**shown, "hint": hint, "pair": _pair("passed", then, colour, language)}


def shown_refusal(error: ExplainedError, language: Language) -> dict[str, Any]:
    """Not found, another's, not readable: never green, and never said to be a forgery."""
    advice = error.advice.in_(language) if error.advice else ""
    return {**_page("unsure", error.what.in_(language), error.code, [], language), "advice": advice}


def _pair_of_file(verdict: str, usable_now: str, language: Language) -> list[dict[str, str]]:
    then: dict[str, tuple[Colour, Text]] = {
        "passed": ("passed", Text("真实,未改动", "genuine and unaltered")),
        "failed": ("failed", Text("不能作为凭证", "no evidence")),
    }
    now: dict[str, Colour] = {"yes": "passed", "no": "failed"}
    colour, word = then.get(verdict, ("unsure", WORDS["unsure"]))
    return _pair(colour, word, now.get(usable_now, "unsure"), language)


def _pair(then: Colour, word: Text, now: Colour, language: Language) -> list[dict[str, str]]:
    """ "At sealing" and "now", side by side: the one does not follow from the other."""
    today = {"passed": Text("可以使用", "may be used"), "failed": WORDS["failed"], "unsure": WORDS["unsure"]}[now]
    return [
        {"label": Text("盖章(签发)时", "At sealing").in_(language), "sign": SIGNS[then], "colour": then,
         "word": word.in_(language)},
        {"label": Text("现在", "Now").in_(language), "sign": SIGNS[now], "colour": now, "word": today.in_(language)},
    ]  # fmt: skip


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
        "pair": [],
        "note": "",
        "advice": "",
        "signatures": [],
        "checks": [],
        "hint": "",
        "intact": None,
        "kept": "",
        "sha256": "",
    }
