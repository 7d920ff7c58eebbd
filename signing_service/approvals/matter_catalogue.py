"""Matters (事项) as data, read once: what a kind of case is called, who handles it by when, what its documents say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

from signing_service.approvals.errors import MatterUnknown, MatterUnreadable

TWO, GIVEN_FILE = "two", "given"
SHIPPED = Path(__file__).parent / "matters"


@dataclass(frozen=True, slots=True)
class StepPlan:
    """A step to be made. Equal `stage` means a parallel group (会签). `signs_again`: also when the text was changed.

    `box`: where its signature stands on a given file, as for `documents.Area`; None leaves it to the placing rules.
    """

    stage: int
    title: str
    department: str
    role: str
    promised_days: int
    department_name: str = ""
    officer: str = ""
    signs_again: bool = True
    box: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Matter:
    """`statutory_days` and `promised_days` are working days from acceptance. Text templates name fields in braces.

    `labels`: Chinese names of the request's fields, in the order of the form. `licence_fields`: what the licence shows,
    as templates over the request's fields and applicant, title, matter_name, legal_basis, decision. `materials`: what
    may be asked of an applicant, as published (材料清单); empty: not published here.
    """

    code: str
    name: str
    form_title: str
    reply_title: str
    department: str
    issuer_code: str
    issuer_name: str
    case_prefix: str
    number_prefix: str
    licence_type: str
    document_mode: str
    statutory_days: int
    promised_days: int
    reading_required: bool
    legal_basis: str
    opening: str
    paragraphs: tuple[str, ...]
    route: tuple[StepPlan, ...]
    labels: Mapping[str, str]
    licence_fields: Mapping[str, str]
    materials: tuple[str, ...] = ()

    @property
    def required_fields(self) -> frozenset[str]:
        """What a request has to bring so that all texts can be filled."""
        return self.required_in_body | _named(self.reply_title)

    @property
    def required_in_body(self) -> frozenset[str]:
        """The same when the request brings its own title."""
        return _named(self.opening, *self.paragraphs)


def _named(*templates: str) -> frozenset[str]:
    """Fields named in templates; the applicant is always there."""
    named = {name for text in templates for _, name, _, _ in Formatter().parse(text) if name}
    return frozenset(named - {"applicant"})


class MatterCatalogue:
    """The matters of a folder, by code."""

    def __init__(self, matters: Iterable[Matter]) -> None:
        self._matters = {matter.code: matter for matter in matters}

    @classmethod
    def read(cls, folder: Path = SHIPPED) -> MatterCatalogue:
        """Raises MatterUnreadable, naming the file."""
        return cls(_read(path) for path in sorted(folder.glob("*.yaml")))

    def get(self, code: str) -> Matter:
        """Raises MatterUnknown."""
        try:
            return self._matters[code]
        except KeyError:
            raise MatterUnknown(code, ", ".join(sorted(self._matters))) from None

    def all(self) -> Sequence[Matter]:
        return list(self._matters.values())


def _read(path: Path) -> Matter:
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        matter = _matter(entries)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError, ValueError, AttributeError) as failure:
        raise MatterUnreadable(path.name, f"{type(failure).__name__}: {failure}") from failure
    return matter


def _matter(entries: dict[str, Any]) -> Matter:
    issuer, route = entries.pop("issuer"), entries.pop("route")
    entries["paragraphs"] = tuple(entries["paragraphs"])
    entries["materials"] = tuple(entries.get("materials", ()))
    matter = Matter(
        **entries,
        issuer_code=issuer["code"],
        issuer_name=issuer["name"],
        route=tuple(StepPlan(**step) for step in route),
    )
    if matter.document_mode not in (TWO, GIVEN_FILE):
        raise ValueError("document_mode must be two or given")
    if not matter.route or min(step.stage for step in matter.route) < 1:
        raise ValueError("the route needs steps, with stages from 1")
    if not 0 < matter.promised_days <= matter.statutory_days:
        raise ValueError("promised_days must not be above statutory_days")
    return matter
