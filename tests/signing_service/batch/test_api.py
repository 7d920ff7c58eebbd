"""POST and GET /api/v1/seal-jobs as a department's system calls them, on the composed application of a home."""

import hashlib
import io
import json

import pikepdf
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi.testclient import TestClient

from cli.seal_batches import documents_of
from cli.seal_processes import batch_book, home_seals, this_worker
from cli.web_app import make_web_app
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database
from signing_service.pades.batch_sealing import BatchSealer
from signing_service.people.client_keys import client_assertion, public_jwks
from signing_service.people.oauth import ASSERTION_TYPE, NewClient, add_client

JOBS = "/api/v1/seal-jobs"
ASKED = {"seal": "default", "type": "batch", "purpose": "批量发证", "matter": "M1", "level": "B-B"}


def pdf(text):
    """A small PDF with this text in a comment."""
    document = pikepdf.new()
    page = document.add_blank_page(page_size=(595.276, 841.89))
    page.Contents = document.make_stream(f"0.9 g 0 0 100 100 re f % {text}".encode())
    output = io.BytesIO()
    document.save(output)
    return output.getvalue()


@pytest.fixture(scope="module")
def service(sqlite_office):
    return TestClient(make_web_app(sqlite_office.settings, sqlite_office.settings.base_url))


@pytest.fixture(scope="module")
def bearer(sqlite_office, service):
    """Headers of a client of a department, by its department's id."""
    settings, made = sqlite_office.settings, {}
    database = Database(settings.database_url)
    for department in ("approvals", "housing"):
        key, name = ec.generate_private_key(ec.SECP256R1()), f"{department}-jobs"
        with database.write() as session:
            jwks = public_jwks(key.public_key())
            add_client(session, NewClient(name, department, "", jwks), SystemClock(), AuditLog())
        form = {
            "grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": client_assertion(name, f"{settings.base_url}/oauth2/token", key),
        }  # fmt: skip
        token = service.post("/oauth2/token", data=form).json()["access_token"]
        made[department] = {"Authorization": f"Bearer {token}"}
    database.close()
    return made


@pytest.fixture
def submit(service, bearer, request):
    def post(files, *, key=request.node.name[:60], department="approvals", path=JOBS, **changed):
        parts = [("files", (name, content, "application/pdf")) for name, content in files.items()]
        headers = {**bearer[department], "Idempotency-Key": key.replace("[", ".").replace("]", ".")}
        return service.post(path, data={**ASKED, **changed}, files=parts, headers=headers)

    return post


def work(office, job):
    """What a worker machine does when it is woken."""
    settings = office.settings
    book = batch_book(Database(settings.database_url))
    batch = book.find(job)
    seals = home_seals(settings, book, batch)
    BatchSealer(book, batch, documents_of(settings, batch), seals, this_worker(office.home)).run(lambda: False)


def test_a_job_is_taken_sealed_reported_and_fetched(submit, service, bearer, sqlite_office):
    files = {"甲.pdf": pdf("甲"), "乙.pdf": pdf("乙"), "备忘.pdf": b"no pdf", "甲again.pdf": pdf("甲")}
    files["甲again.pdf"] = files["甲.pdf"]
    reply = submit(files)
    assert reply.status_code == 202
    job = reply.json()["batch"]
    assert reply.headers["location"] == f"{JOBS}/{job}"
    work(sqlite_office, job)
    shown = service.get(f"{JOBS}/{job}", headers=bearer["approvals"]).json()
    assert (shown["state"], shown["counts"]["sealed"], shown["next_after"]) == ("done", 2, None)
    told = [each["code"] or each["state"] for each in shown["documents"]]
    assert told == [
        "sealed",
        "sealed",
        "not_a_pdf",
        "duplicate",
    ]
    first = service.get(f"{JOBS}/{job}/documents/0", headers=bearer["approvals"])
    assert first.content.startswith(files["甲.pdf"])
    assert (
        hashlib.sha256(first.content).hexdigest() == shown["documents"][0]["sha256"] == first.headers["etag"].strip('"')
    )
    assert service.get(f"{JOBS}/{job}/documents/2", headers=bearer["approvals"]).status_code == 404
    assert "备忘" in service.get(f"{JOBS}/{job}/report.csv", headers=bearer["approvals"]).text
    sqlite_office.check_once(job, 2)


def test_the_same_key_is_the_same_job_and_another_request_under_it_is_refused(submit):
    files = {"甲.pdf": pdf("同")}
    first, again = submit(files), submit(files)
    assert first.json()["batch"] == again.json()["batch"]
    assert again.json()["counts"]["pending"] == 1
    other = submit({"乙.pdf": pdf("异")})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert other.headers["content-type"] == "application/problem+json"


def test_documents_can_follow_until_the_last_are_there(submit, service, bearer, sqlite_office):
    job = submit({"甲.pdf": pdf("续甲")}, more="true").json()
    assert job["state"] == "open"
    path = f"{JOBS}/{job['batch']}/documents"
    followed = submit({"乙.pdf": pdf("续乙")}, path=path).json()
    assert (followed["state"], followed["counts"]["pending"]) == ("running", 2)
    assert submit({"丙.pdf": pdf("续丙")}, path=path).json()["code"] == "seal_job_closed"
    work(sqlite_office, job["batch"])
    assert service.get(f"{JOBS}/{job['batch']}", headers=bearer["approvals"]).json()["counts"]["sealed"] == 2


def test_another_departments_seal_and_job_are_not_there(submit, service, bearer):
    files = {"甲.pdf": pdf("别部门")}
    refused = submit(files, department="housing")
    assert (refused.status_code, refused.json()["code"]) == (404, "seal_unknown")
    job = submit(files).json()["batch"]
    for path in (job, f"{job}/report.csv", f"{job}/documents/0", "f" * 32):
        reply = service.get(f"{JOBS}/{path}", headers=bearer["housing"])
        assert (reply.status_code, reply.json()["code"]) == (404, "batch_unknown")


def test_a_seal_runs_across_all_pages_of_a_document(submit, service, bearer, sqlite_office):
    with pikepdf.open(io.BytesIO(pdf("骑缝"))) as document:
        document.pages.extend(document.pages)
        document.save(two := io.BytesIO())
    files = {"两页.pdf": two.getvalue(), "一页.pdf": pdf("一页")}
    job = submit(files, place=json.dumps({"kind": "edge", "side": "left", "y_mm": 90})).json()["batch"]
    work(sqlite_office, job)
    shown = service.get(f"{JOBS}/{job}", headers=bearer["approvals"]).json()
    assert [each["code"] or each["state"] for each in shown["documents"]] == ["sealed", "placing_refused"]
    with pikepdf.open(
        io.BytesIO(service.get(f"{JOBS}/{job}/documents/0", headers=bearer["approvals"]).content)
    ) as done:
        (field,) = done.Root.AcroForm.Fields
        assert [float(kid.Rect[0]) for kid in field.Kids] == [0, 0]


@pytest.mark.parametrize(
    ("changed", "status"),
    [({"place": json.dumps({"kind": "moon"})}, 400), ({"place": json.dumps({"kind": "field"})}, 400),
     ({"level": "B-X"}, 400), ({"matter": "a b"}, 400),
     ({"seal": "nothing"}, 404)],
)  # fmt: skip
def test_what_is_malformed_is_refused_as_a_problem(submit, changed, status):
    reply = submit({"甲.pdf": pdf("错")}, **changed)
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")


def test_nobody_calls_without_a_token(service):
    assert service.get(f"{JOBS}/{'0' * 32}").status_code == 401
