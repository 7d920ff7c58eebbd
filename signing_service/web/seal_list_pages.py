"""/seals: the list, one seal with its whole course, its picture and data, and its uses."""

import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import select

from signing_service.custody.ledger import REGISTER, Freeze
from signing_service.errors import ExplainedError
from signing_service.kernel.pages import render
from signing_service.kernel.problems import language_of
from signing_service.people.departments import Department
from signing_service.people.officers import Officer
from signing_service.people.rules import Role, require_role
from signing_service.people.sessions import LoggedIn
from signing_service.seals.condition_changes import ChangeState, ConditionChanges
from signing_service.seals.conditions import Conditions
from signing_service.seals.picture import SealDesign, seal_png, seal_svg
from signing_service.seals.rules import KIND_NAMES, STATE_NAMES, Status
from signing_service.seals.seal_tables import SealRow
from signing_service.seals.structures import SealData, read_seal
from signing_service.seals.use_book import USE_NAMES, UseState
from signing_service.web.error_edge import NotFound
from signing_service.web.seal_parts import SealParts, is_administrator, may_see, sees_all
from signing_service.web.seal_words import FILTERS, MOVE_NAMES, offered

Words = Annotated[str, Query(max_length=100)]
A_PAGE, MOST_EXPORTED, A_DETAIL = 25, 100_000, 5
PICTURE_HEADERS = {"Cache-Control": "private, max-age=600"}
SORTS: dict[str, Callable[["Listed"], Any]] = {
    "id": lambda each: each.row.id,
    "name": lambda each: each.row.name,
    "state": lambda each: each.status.state,
    "until": lambda each: each.row.valid_until,
}


@dataclass(frozen=True, slots=True)
class Listed:
    row: SealRow
    status: Status


def router(parts: SealParts) -> APIRouter:
    """The list, its export, and everything that shows one seal."""
    routes = APIRouter(prefix="/seals", tags=["seals"])
    _add_list(routes, parts)
    _add_detail(routes, parts)
    _add_files(routes, parts)
    _add_uses(routes, parts)
    return routes


def _add_list(routes: APIRouter, parts: SealParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    @routes.get("")
    def seals(
        request: Request, who: officer, state: Words = "", kind: Words = "", q: Words = "", sort: Words = "id",
        page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    ) -> Response:  # fmt: skip
        require_role(who.roles, Role.SEAL_ADMINISTRATOR, Role.SEAL_HOLDER, Role.AUDITOR)
        found = _found(parts, who, state, kind, q, sort)
        chosen = {"state": state, "kind": kind, "q": q, "sort": sort}
        return render(
            request, "seals.html", who=who, shown=found[(page - 1) * A_PAGE : page * A_PAGE], total=len(found),
            page=page, pages=max(1, -(-len(found) // A_PAGE)), chosen=chosen, query=urlencode(chosen),
            states=STATE_NAMES, filters=FILTERS, kinds=KIND_NAMES, administers=is_administrator(who),
            everything=sees_all(who),
        )  # fmt: skip

    @routes.get("/-/list.csv", response_class=Response)
    def export(
        request: Request, who: officer, state: Words = "", kind: Words = "", q: Words = "", sort: Words = "id"
    ) -> Response:
        require_role(who.roles, Role.SEAL_ADMINISTRATOR, Role.SEAL_HOLDER, Role.AUDITOR)
        language = language_of(request)
        rows = [
            (each.row.id, each.row.name, each.row.owner_name, each.row.owner_code,
             STATE_NAMES[each.status.state].in_(language), each.row.valid_until.isoformat())
            for each in _found(parts, who, state, kind, q, sort)
        ]  # fmt: skip
        return _csv("seals.csv", ("id", "name", "owner", "code", "state", "valid_until"), rows)


def _add_detail(routes: APIRouter, parts: SealParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    @routes.get("/{seal_id}")
    def seal(request: Request, who: officer, seal_id: str) -> Response:
        row, now = parts.seal(who, seal_id), parts.register.clock.now()
        with parts.register.database.read() as session:
            status = parts.register.status(session, seal_id, now)
            history = parts.register.history(session, seal_id)
            officers = {each.id: each.name for each in session.scalars(select(Officer))}
            departments = {each.id: each.name for each in session.scalars(select(Department))}
            successors = list(session.scalars(select(SealRow.id).where(SealRow.replaces == seal_id)))
        changes = ConditionChanges(parts.register).of_seal(seal_id)
        return render(
            request, "seal.html", who=who, row=row, found=status, history=history, officers=officers,
            departments=departments, successors=successors, states=STATE_NAMES, kinds=KIND_NAMES, moves=MOVE_NAMES,
            offered=offered(who, row), data=_facts(row), conditions=Conditions.from_json(row.conditions),
            waiting=[each for each in changes if each.state == ChangeState.PROPOSED], use_names=USE_NAMES,
            uses=parts.uses.latest(seal_id, most=A_DETAIL), administers=is_administrator(who),
            **_custody(parts, row, status),
        )  # fmt: skip


def _add_files(routes: APIRouter, parts: SealParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    @routes.get("/{seal_id}/picture.svg", response_class=Response)
    def svg(who: officer, seal_id: str) -> Response:
        design = SealDesign(**parts.seal(who, seal_id).design)
        return Response(seal_svg(design), media_type="image/svg+xml", headers=PICTURE_HEADERS)

    @routes.get("/{seal_id}/picture.png", response_class=Response)
    def png(who: officer, seal_id: str) -> Response:
        """What was registered, else the design drawn at 600 dpi."""
        row = parts.seal(who, seal_id)
        data = _data(row)
        registered = data is not None and data.picture_type == "PNG"
        content = data.picture if data is not None and registered else seal_png(SealDesign(**row.design))
        return Response(content, media_type="image/png", headers=PICTURE_HEADERS)

    @routes.get("/{seal_id}/seal.esl", response_class=Response)
    def structure(who: officer, seal_id: str) -> Response:
        row = parts.seal(who, seal_id)
        if not row.structure:
            raise NotFound
        headers = {"Content-Disposition": f'attachment; filename="{row.id}.esl"'}
        return Response(row.structure, media_type="application/octet-stream", headers=headers)


def _add_uses(routes: APIRouter, parts: SealParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    @routes.get("/{seal_id}/uses")
    def uses(request: Request, who: officer, seal_id: str, before: Annotated[int, Query(ge=0)] = 0) -> Response:
        row = parts.seal(who, seal_id)
        found = parts.uses.latest(seal_id, before=before, most=A_PAGE + 1)
        return render(
            request, "seal_uses.html", who=who, row=row, uses=found[:A_PAGE], names=USE_NAMES,
            further=found[A_PAGE - 1].id if len(found) > A_PAGE else None, emergencies=_emergencies(parts, seal_id),
        )  # fmt: skip

    @routes.get("/{seal_id}/uses.csv", response_class=Response)
    def export(request: Request, who: officer, seal_id: str) -> Response:
        parts.seal(who, seal_id)
        language = language_of(request)
        rows = [
            (use.id, use.reserved_at.isoformat(), USE_NAMES[UseState(use.state)].in_(language), use.document_type,
             use.reference, use.actor, use.approver, use.authorisation, use.digest)
            for use in parts.uses.latest(seal_id, most=MOST_EXPORTED)
        ]  # fmt: skip
        head = ("use", "at", "state", "type", "reference", "actor", "approver", "authorisation", "sha256")
        return _csv(f"{seal_id}-uses.csv", head, rows)


def _found(parts: SealParts, who: LoggedIn, state: str, kind: str, text: str, sort: str) -> list[Listed]:
    now = parts.register.clock.now()
    with parts.register.database.read() as session:
        rows = [row for row in parts.register.all(session) if may_see(who, row)]
        listed = [Listed(row, parts.register.status(session, row.id, now)) for row in rows]
    found = [
        each
        for each in listed
        if state in ("", each.status.state)
        and kind in ("", each.row.kind)
        and text.strip().lower() in f"{each.row.id} {each.row.name} {each.row.owner_name} {each.row.owner_code}".lower()
    ]
    return sorted(found, key=SORTS.get(sort, SORTS["id"]))


def _data(row: SealRow) -> SealData | None:
    return read_seal(row.structure) if row.structure else None


def _facts(row: SealRow) -> dict[str, Any] | None:
    """What the seal's own data says, and whether its maker's signature holds."""
    data = _data(row)
    if data is None:
        return None
    try:
        data.check_maker_signature()
        intact = True
    except ExplainedError:
        intact = False
    return {
        "version": data.version, "vendor": data.vendor, "created": data.created, "picture_type": data.picture_type,
        "width_mm": data.width_mm, "height_mm": data.height_mm, "algorithm": data.algorithm, "maker_intact": intact,
        "fingerprint": hashlib.sha256(row.certificate).hexdigest(),
    }  # fmt: skip


def _custody(parts: SealParts, row: SealRow, status: Status) -> dict[str, Any]:
    """Custody's stops on this seal, and whether they fit the register; none where custody does not answer."""
    scopes = {"all", f"bureau:{row.department}", f"seal:{row.id}", f"{REGISTER}{row.id}"}
    try:
        stops: Sequence[Freeze] | None = [stop for stop in parts.custody.frozen() if stop.scope in scopes]
    except ExplainedError:
        stops = None
    own = stops is not None and any(stop.scope == f"{REGISTER}{row.id}" for stop in stops)
    return {"stops": stops, "stop_stands": own and status.usable, "stop_scope": f"{REGISTER}{row.id}"}


def _emergencies(parts: SealParts, seal_id: str) -> list[Any] | None:
    """Emergency uses by custody's own ledger, the newest first; none where custody does not answer."""
    try:
        return list(parts.custody.uses(seal_id, kind="emergency"))[::-1]
    except ExplainedError:
        return None


def _csv(name: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> Response:
    """UTF-8 with a byte-order mark, so that a spreadsheet shows Chinese; no cell can begin a formula."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(head)
    table.writerows([_harmless(cell) for cell in row] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response("\ufeff" + written.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _harmless(cell: object) -> str:
    text = str(cell)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
