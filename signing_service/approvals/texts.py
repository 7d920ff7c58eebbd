"""What a case's documents say: a matter's templates filled with the request's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signing_service.approvals.errors import RequestIncomplete
from signing_service.approvals.matter_catalogue import Matter
from signing_service.errors import Text


def fill(template: str, values: Mapping[str, str]) -> str:
    """Raises RequestIncomplete, naming the field that is missing."""
    try:
        return template.format_map(dict(values))
    except KeyError as missing:
        name = str(missing.args[0])
        raise RequestIncomplete(Text(f"缺少 {name}", f"{name} is missing")) from None


def texts_of(
    matter: Matter, applicant: str, title: str, fields: Mapping[str, Any], *, simulated: bool
) -> dict[str, Any]:
    """title, opening, paragraphs, details (label, value) and the fields themselves: a case's `content`."""
    values = {name: shown(value) for name, value in fields.items()} | {"applicant": applicant}
    needed = matter.required_fields if not title else matter.required_in_body
    missing = sorted(name for name in needed if not values.get(name, "").strip())
    if missing:
        labels = "、".join(matter.labels.get(name, name) for name in missing)
        raise RequestIncomplete(Text("缺少 " + labels, ", ".join(missing) + " missing"))
    heading = title or fill(matter.reply_title, values)
    return {
        "title": f"{heading}（模拟）" if simulated else heading,
        "opening": fill(matter.opening, values),
        "paragraphs": [fill(paragraph, values) for paragraph in matter.paragraphs],
        "details": [[label, values[name]] for name, label in matter.labels.items() if values.get(name)],
        "fields": dict(fields),
    }


def licence_fields(matter: Matter, applicant: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The request's fields, with those that the matter derives from the documents."""
    values = {name: shown(value) for name, value in content["fields"].items()}
    values |= {
        "applicant": applicant,
        "title": content["title"],
        "matter_name": matter.name,
        "legal_basis": matter.legal_basis,
        "decision": content["opening"] + "".join(content["paragraphs"]),
    }
    derived = {name: fill(template, values) for name, template in matter.licence_fields.items()}
    return {**content["fields"], **derived}


def shown(value: object) -> str:
    """A field's value in words: lists joined by Chinese commas."""
    if isinstance(value, (list, tuple)):
        return "、".join(str(one) for one in value)
    return str(value)
