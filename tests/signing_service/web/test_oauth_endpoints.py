import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import APIRouter, Request

from signing_service.kernel.audit_log import AuditLog
from signing_service.people import oauth
from signing_service.people.register import PeopleRegister
from signing_service.web import oauth_endpoints

AUDIENCE = "http://testserver/oauth2/token"


@pytest.fixture
def key():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def client(client_of, sqlite, clock, key):
    people = PeopleRegister(sqlite, clock, AuditLog())
    with sqlite.write() as session:
        people.add_department(session, "housing", "示例市住房和城乡建设局", "11990000MB9900021N")
        jwks = oauth.public_jwks(key.public_key())
        oauth.add_client(session, oauth.NewClient("housing-1", "housing", "", jwks), clock, AuditLog())
    tokens = oauth.TokenEndpoint(sqlite, clock, AUDIENCE)
    routes = APIRouter()

    @routes.get("/api/v1/whoami")
    def whoami(request: Request):
        return oauth_endpoints.caller_of(request, tokens).department_name

    return client_of(oauth_endpoints.router(tokens), routes)


def fields(key, clock):
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": oauth.ASSERTION_TYPE,
        "client_assertion": oauth.client_assertion("housing-1", AUDIENCE, key, at=clock.now()),
    }


def test_a_client_gets_a_token_and_calls_with_it(client, key, clock):
    reply = client.post("/oauth2/token", data=fields(key, clock))
    assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
    bearer = {"authorization": f"Bearer {reply.json()['access_token']}"}
    assert client.get("/api/v1/whoami", headers=bearer).json() == "示例市住房和城乡建设局"


def test_refusals_are_those_of_the_standard(client, key, clock):
    good = fields(key, clock)
    assert client.post("/oauth2/token", data={**good, "grant_type": "password"}).json()["error"] == (
        "unsupported_grant_type"
    )
    stranger = client.post("/oauth2/token", data=fields(ec.generate_private_key(ec.SECP256R1()), clock))
    assert (stranger.status_code, stranger.json()["error"]) == (401, "invalid_client")
    assert "access_token" not in stranger.json()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}", "application/json"),
        (b"grant_type=client_credentials&grant_type=x", oauth_endpoints.FORM),
        (b"grant_type=\xff\xfe", oauth_endpoints.FORM),
        (b"a=" + b"x" * 17_000, oauth_endpoints.FORM),
        (b"&".join(b"a%d=1" % n for n in range(30)), oauth_endpoints.FORM),
    ],
)
def test_malformed_requests(client, body, content_type):
    reply = client.post("/oauth2/token", content=body, headers={"content-type": content_type})
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x", "Basic abc", "Bearer \u00e9"])
def test_without_a_good_token_there_is_no_answer(client, header):
    headers = {} if header is None else {"authorization": header.encode()}
    reply = client.get("/api/v1/whoami", headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (401, "invalid_token")
    assert reply.headers["www-authenticate"].startswith("Bearer")
