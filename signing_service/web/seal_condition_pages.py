"""/seals/ID/conditions: the conditions of use, proposed anew by one administrator and decided by another."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from signing_service.errors import SigningServiceError
from signing_service.kernel.pages import render
from signing_service.people.sessions import LoggedIn
from signing_service.seals.condition_changes import CHANGE_NAMES, ConditionChanges
from signing_service.seals.conditions import Conditions
from signing_service.seals.rules import Why
from signing_service.seals.seal_tables import SealRow
from signing_service.web.error_edge import NotFound, RequestInvalid
from signing_service.web.seal_parts import SealParts, actor_of, is_administrator

Line = Annotated[str, Form(max_length=1000)]
Short = Annotated[str, Form(max_length=10)]
Count = Annotated[str, Form(max_length=9)]


@dataclass(frozen=True, slots=True)
class ConditionFields:
    """The fields as they were typed, so that a refusal gives them back; empty means no limit."""

    types: str = ""
    persons: str = ""
    per_day: str = ""
    total: str = ""
    hour_from: str = ""
    hour_until: str = ""
    date_from: str = ""
    date_until: str = ""
    two_persons: str = ""

    @classmethod
    def of(cls, conditions: Conditions) -> "ConditionFields":
        return cls(
            "、".join(conditions.document_types), "、".join(conditions.persons), str(conditions.per_day or ""),
            str(conditions.total or ""), conditions.hour_from, conditions.hour_until, conditions.date_from,
            conditions.date_until, "yes" if conditions.two_persons else "",
        )  # fmt: skip

    def conditions(self) -> Conditions:
        """Raises RequestInvalid."""
        try:
            return Conditions(
                _words(self.types), _words(self.persons), int(self.per_day or 0), int(self.total or 0),
                self.hour_from.strip(), self.hour_until.strip(), self.date_from.strip(), self.date_until.strip(),
                bool(self.two_persons),
            )  # fmt: skip
        except ValueError as failure:
            raise RequestInvalid(
                "次数应为整数,时间写作 08:30,日期写作 2026-11-24。", "Counts are whole, hours 08:30, dates 2026-11-24."
            ) from failure


def typed_conditions(
    types: Line = "",
    persons: Line = "",
    per_day: Count = "",
    total: Count = "",
    hour_from: Short = "",
    hour_until: Short = "",
    date_from: Short = "",
    date_until: Short = "",
    two_persons: Short = "",
) -> ConditionFields:
    """The form's fields, for FastAPI."""
    return ConditionFields(
        types, persons, per_day, total, hour_from, hour_until, date_from, date_until, two_persons
    )  # fmt: skip


def router(parts: SealParts) -> APIRouter:
    """The form with what is in force, the changes so far, and the second person's decision."""
    routes, changes = APIRouter(prefix="/seals/{seal_id}/conditions", tags=["seals"]), ConditionChanges(parts.register)
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    def page(
        request: Request, who: LoggedIn, row: SealRow, shown: ConditionFields, why: Why | None = None,
        error: SigningServiceError | None = None,
    ) -> Response:  # fmt: skip
        return render(
            request, "seal_conditions.html", status=422 if error else 200, who=who, row=row, shown=shown,
            why=why or Why(), changes=changes.of_seal(row.id), names=CHANGE_NAMES, error=error,
            in_force=Conditions.from_json(row.conditions), administers=is_administrator(who),
        )  # fmt: skip

    @routes.get("")
    def show(request: Request, who: officer, seal_id: str) -> Response:
        row = parts.seal(who, seal_id)
        return page(request, who, row, _in_force(row))

    @routes.post("")
    def propose(
        request: Request, who: officer, seal_id: str, typed: Annotated[ConditionFields, Depends(typed_conditions)],
        reason: Annotated[str, Form(max_length=500)] = "", basis: Annotated[str, Form(max_length=200)] = "",
    ) -> Response:  # fmt: skip
        row, why = parts.seal(who, seal_id), Why(reason.strip(), basis.strip())
        try:
            changes.propose(seal_id, typed.conditions(), actor_of(who), why)
        except SigningServiceError as refusal:
            return page(request, who, row, typed, why, refusal)
        return RedirectResponse(f"/seals/{seal_id}/conditions", status_code=303)

    @routes.post("/{number}/{decision}")
    def decide(request: Request, who: officer, seal_id: str, number: int, decision: str) -> Response:
        row = parts.seal(who, seal_id)
        if decision not in ("approve", "refuse") or number not in {each.id for each in changes.of_seal(seal_id)}:
            raise NotFound
        try:
            changes.decide(number, actor_of(who), approve=decision == "approve")
        except SigningServiceError as refusal:
            return page(request, who, row, _in_force(row), None, refusal)
        return RedirectResponse(f"/seals/{seal_id}/conditions", status_code=303)

    return routes


def _in_force(row: SealRow) -> ConditionFields:
    return ConditionFields.of(Conditions.from_json(row.conditions))


def _words(line: str) -> tuple[str, ...]:
    """A list as people write it: separated by commas of either kind, or 、."""
    for comma in ",、;;\n":
        line = line.replace(comma, ",")
    return tuple(word.strip() for word in line.split(",") if word.strip())
