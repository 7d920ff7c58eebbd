"""/desk/cases/new: a clerk takes a case in at the window, and tells at once everything that is missing (一次性告知).

The applicant's number is in the body of the POST alone: never in an address, and not on the page that comes back.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.datastructures import FormData, UploadFile

from signing_service.approvals.applicants import Applicant
from signing_service.approvals.casework import Casework
from signing_service.approvals.errors import MatterUnknown
from signing_service.approvals.intake import CaseRequest, OpenedCase, open_case
from signing_service.approvals.material_notices import ask_material
from signing_service.approvals.matter_catalogue import GIVEN_FILE, Matter
from signing_service.approvals.rules import Actor
from signing_service.errors import ExplainedError, Text
from signing_service.kernel.audit_log import Act
from signing_service.kernel.pages import render
from signing_service.pdf.opening import open_pdf
from signing_service.people.rules import Role, require_role
from signing_service.people.sessions import LoggedIn
from signing_service.web.browser_session import BrowserSessions
from signing_service.web.error_edge import RequestInvalid

FIELD = "field-"
NUMBER_TYPES: Mapping[str, Text] = {
    "001": Text("单位:统一社会信用代码", "Organisation: unified social credit code"),
    "111": Text("个人:居民身份证", "Person: resident identity card"),
    "414": Text("个人:普通护照", "Person: passport"),
}
"""GB/T 36903."""
LONGEST = 300


@dataclass(frozen=True, slots=True)
class Typed:
    """The form as it was filled in. `received`: the published materials that are there; `more`: what else is missing,
    one thing a line; `key`: this form's own, so that a form that is sent twice opens one case."""

    key: str = ""
    name: str = ""
    number: str = ""
    number_type: str = "001"
    checked_how: str = ""
    sms: str = ""
    mail: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    received: Sequence[str] = ()
    more: str = ""
    simulated: bool = False
    document: UploadFile | None = None
    commitment: UploadFile | None = None

    def missing(self, matter: Matter) -> list[str]:
        """All that the applicant has to bring yet."""
        published = [one for one in matter.materials if one not in self.received]
        return [*published, *(line.strip() for line in self.more.splitlines() if line.strip())]


async def typed_in(request: Request) -> Typed:
    """The posted form; the matter's own fields have names of their own."""
    form = await request.form()
    fields = {name.removeprefix(FIELD): _text(form, name) for name in form if name.startswith(FIELD)}
    return Typed(
        key=_text(form, "key")[:64],
        name=_text(form, "name"),
        number=_text(form, "number"),
        number_type=_text(form, "number_type"),
        checked_how=_text(form, "checked_how"),
        sms=_text(form, "sms"),
        mail=_text(form, "mail"),
        fields=fields,
        received=[one for one in form.getlist("received") if isinstance(one, str)],
        more=_text(form, "more", longest=3000),
        simulated=_text(form, "simulated") == "yes",
        document=_upload(form, "document"),
        commitment=_upload(form, "commitment"),
    )


def add_intake(routes: APIRouter, browsers: BrowserSessions, work: Casework) -> None:
    """The form, and what it sends. Stands before the routes that take a case's id."""
    officer = Annotated[LoggedIn, Depends(browsers.current)]

    @routes.get("/new")
    def form(request: Request, who: officer, matter: Annotated[str, Query(max_length=64)] = "") -> Response:
        require_role(who.roles, Role.CLERK)
        return _form(request, work, who, _matter(work, who, matter) if matter else None, Typed())

    @routes.post("/new")
    def take_in(
        request: Request,
        who: officer,
        typed: Annotated[Typed, Depends(typed_in)],
        matter: Annotated[str, Query(max_length=64)],
    ) -> Response:
        actor, chosen = Actor(who.officer, who.department, frozenset(str(role) for role in who.roles)), None
        try:
            require_role(who.roles, Role.CLERK)
            chosen = _matter(work, who, matter)
            opened = open_case(work, _request(chosen, typed), actor)
            if missing := typed.missing(chosen):
                ask_material(work, opened.case_id, actor, missing)
        except ExplainedError as refusal:
            refused = Act("case.open", who.officer, "case:new", who.department)
            work.audit.refuse(work.database, refused, work.clock.now(), refusal.code)
            return _form(request, work, who, chosen, typed, refusal)
        return _taken_in(request, who, opened, missing)


def _form(
    request: Request,
    work: Casework,
    who: LoggedIn,
    matter: Matter | None,
    typed: Typed,
    problem: ExplainedError | None = None,
) -> Response:
    """Without a matter: the choice of one. After a refusal with what was typed, but for number and files."""
    context: dict[str, Any] = {
        "matters": _matters(work, who), "matter": matter, "given": typed, "problem": problem,
        "number_types": NUMBER_TYPES, "takes_file": matter is not None and matter.document_mode == GIVEN_FILE,
        "key": typed.key or secrets.token_hex(16),
    }  # fmt: skip
    return render(request, "case_new.html", status=422 if problem else 200, who=who, **context)


def _taken_in(request: Request, who: LoggedIn, opened: OpenedCase, missing: Sequence[str]) -> Response:
    return render(request, "case_taken_in.html", who=who, opened=opened, missing=missing)


def _matters(work: Casework, who: LoggedIn) -> list[Matter]:
    """Those of the clerk's own department."""
    return [one for one in work.matters.all() if one.department == who.department]


def _matter(work: Casework, who: LoggedIn, code: str) -> Matter:
    """Raises MatterUnknown, also for a matter of another department."""
    own = {one.code: one for one in _matters(work, who)}
    if code not in own:
        raise MatterUnknown(code[:64], ", ".join(sorted(own)))
    return own[code]


def _request(matter: Matter, typed: Typed) -> CaseRequest:
    """Raises RequestInvalid, and PdfRefusal for a file that could not be signed."""
    if typed.number_type not in NUMBER_TYPES:
        raise RequestInvalid("请选择证件种类。", "Choose the kind of number.")
    if not typed.checked_how.strip():
        raise RequestInvalid("请写明如何核验身份。", "Say how the identity was checked.")
    given = _pdf(typed.document) if matter.document_mode == GIVEN_FILE else None
    return CaseRequest(
        matter.code,
        Applicant(typed.name.strip(), typed.number.strip(), typed.number_type),
        {name: typed.fields.get(name, "").strip() for name in matter.labels},
        given=given,
        commitment=_pdf(typed.commitment) if typed.simulated else None,
        simulated=typed.simulated,
        source_key=typed.key,
        real_name_check=typed.checked_how.strip(),
        contacts={"sms": typed.sms.strip(), "mail": typed.mail.strip()},
    )


def _pdf(upload: UploadFile | None) -> bytes | None:
    """Refused here, where the applicant still stands at the window. Raises PdfRefusal."""
    if upload is None:
        return None
    content = upload.file.read()
    open_pdf(content)
    return content


def _text(form: FormData, name: str, longest: int = LONGEST) -> str:
    value = form.get(name, "")
    return value[:longest] if isinstance(value, str) else ""


def _upload(form: FormData, name: str) -> UploadFile | None:
    value = form.get(name)
    return value if isinstance(value, UploadFile) and value.size else None
