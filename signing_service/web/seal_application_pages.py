"""/seals/-/new and /seals/-/preview: what is applied for, and how its picture will look before anybody applies."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request, Response, UploadFile
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.errors import SigningServiceError
from signing_service.kernel.pages import render
from signing_service.people.departments import Department
from signing_service.people.officers import Officer, RoleGrant
from signing_service.people.rules import GrantState, Role
from signing_service.people.sessions import LoggedIn
from signing_service.seals.conditions import Conditions
from signing_service.seals.picture import OFFICIAL_DIAMETERS_MM, SealDesign, Shape, seal_png, seal_svg
from signing_service.seals.register import Application
from signing_service.seals.rules import ENDED, KIND_NAMES, Kind, Why
from signing_service.seals.uploaded import design_from_upload
from signing_service.web.seal_condition_pages import ConditionFields, typed_conditions
from signing_service.web.seal_parts import SealParts, actor_of, require_administrator

PNG_DPI = 600
Line = Annotated[str, Form(max_length=100)]
Long = Annotated[str, Form(max_length=500)]
EMPTY = {
    "id": "", "name": "", "kind": "statutory", "owner": "", "shape": "round", "bottom_line": "", "code": "",
    "diameter": "42", "years": "3", "replaces": "", "reason": "", "basis": "",
}  # fmt: skip


def design_of(
    name: Annotated[str, Query(max_length=100)] = "",
    shape: Annotated[Shape, Query()] = "round",
    bottom_line: Annotated[str, Query(max_length=40)] = "",
    code: Annotated[str, Query(max_length=40)] = "",
    diameter: Annotated[float, Query()] = 42.0,
) -> SealDesign:
    return SealDesign(name.strip(), shape, "star", bottom_line.strip(), code.strip(), diameter)


def router(parts: SealParts) -> APIRouter:
    """The application's form and the preview of a design."""
    routes = APIRouter(prefix="/seals/-", tags=["seals"])
    _add_preview(routes, parts)
    _add_application(routes, parts)
    return routes


def _add_preview(routes: APIRouter, parts: SealParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]
    wanted = Annotated[SealDesign, Depends(design_of)]

    @routes.get("/preview")
    def preview(request: Request, who: officer, design: wanted) -> Response:
        require_administrator(who)
        error = None
        try:
            if design.name:
                seal_svg(design)
        except SigningServiceError as refusal:
            error = refusal
        drawn = bool(design.name) and error is None
        return render(
            request, "seal_preview.html", status=422 if error else 200, who=who, design=design, drawn=drawn,
            error=error, query=request.url.query, diameters=OFFICIAL_DIAMETERS_MM,
        )  # fmt: skip

    @routes.get("/preview.{form}", response_class=Response)
    def picture(who: officer, design: wanted, form: Literal["svg", "png"], save: bool = False) -> Response:
        require_administrator(who)
        headers = {"Content-Disposition": f'attachment; filename="seal.{form}"'} if save else {}
        if form == "svg":
            return Response(seal_svg(design), media_type="image/svg+xml", headers=headers)
        return Response(seal_png(design, dpi=PNG_DPI), media_type="image/png", headers=headers)


def _add_application(routes: APIRouter, parts: SealParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    def page(
        request: Request, who: LoggedIn, given: dict[str, str], holders: list[str], conditions: ConditionFields,
        error: SigningServiceError | None = None,
    ) -> Response:  # fmt: skip
        with parts.register.database.read() as session:
            choices = {
                "departments": list(session.scalars(select(Department).order_by(Department.id))),
                "officers": _holders(session),
                "standing": [row for row in parts.register.all(session) if row.state not in ENDED],
            }
        return render(
            request, "seal_new.html", status=422 if error else 200, who=who, given=given, chosen=holders,
            shown=conditions, error=error, kinds=KIND_NAMES, diameters=OFFICIAL_DIAMETERS_MM, **choices,
        )  # fmt: skip

    @routes.get("/new")
    def ask(request: Request, who: officer) -> Response:
        require_administrator(who)
        given = EMPTY | {key: value for key, value in request.query_params.items() if key in EMPTY}
        return page(request, who, given, [], ConditionFields())

    @routes.post("/new")
    def apply(
        request: Request, who: officer, conditions: Annotated[ConditionFields, Depends(typed_conditions)],
        id: Line = "", name: Line = "", kind: Line = "statutory", owner: Line = "", shape: Line = "round",
        bottom_line: Line = "", code: Line = "", diameter: Line = "42", years: Line = "3", replaces: Line = "",
        reason: Long = "", basis: Line = "", holder: Annotated[list[str] | None, Form()] = None,
        picture: UploadFile | None = None,
    ) -> Response:  # fmt: skip
        require_administrator(who)
        given = {
            "id": id.strip(), "name": name.strip(), "kind": kind, "owner": owner, "shape": shape,
            "bottom_line": bottom_line.strip(), "code": code.strip(), "diameter": diameter, "years": years,
            "replaces": replaces, "reason": reason, "basis": basis,
        }  # fmt: skip
        upload = picture.file.read() if picture is not None else b""
        try:
            application = _application(parts, given, holder or [], conditions.conditions(), upload)
            parts.register.apply(application, actor_of(who), Why(reason.strip(), basis.strip()))
        except SigningServiceError as refusal:
            return page(request, who, given, holder or [], conditions, refusal)
        return RedirectResponse(f"/seals/{application.id}", status_code=303)


def _application(
    parts: SealParts, given: dict[str, str], holders: list[str], conditions: Conditions, upload: bytes
) -> Application:
    """Raises SealDesignUnusable, SealPictureUnusable, Unknown; what else is wrong `apply` says."""
    now, width = parts.register.clock.now(), _number(given["diameter"])
    with parts.register.database.read() as session:
        department = parts.people.department(session, given["owner"])
    drawn = SealDesign(given["name"], given["shape"], "star", given["bottom_line"], given["code"], width)  # type: ignore[arg-type]  # checked by apply
    years = min(max(int(_number(given["years"])), 1), 5)
    kind = given["kind"] if given["kind"] in list(Kind) else Kind.STATUTORY
    return Application(
        given["id"], Kind(kind), department.name, department.code, department.id, tuple(holders),
        design_from_upload(upload, given["name"], width) if upload else drawn, now, now + timedelta(days=365 * years),
        conditions, given["replaces"] or None,
    )  # fmt: skip


def _number(text: str) -> float:
    """0 for what is no number: no seal is that small."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def _holders(session: Session) -> list[Officer]:
    """Officers at work who hold the role."""
    query = select(Officer).join(RoleGrant, RoleGrant.officer_id == Officer.id).where(
        RoleGrant.role == Role.SEAL_HOLDER, RoleGrant.state == GrantState.ACTIVE, Officer.left_at.is_(None)
    )  # fmt: skip
    return list(session.scalars(query.order_by(Officer.id).distinct()))
