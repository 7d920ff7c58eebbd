import threading
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from sqlalchemy import select

from signing_service.kernel.audit_log import AuditEntry, AuditLog
from signing_service.people import oauth
from signing_service.people.api_clients import AccessToken
from signing_service.people.assertion import check_assertion
from signing_service.people.errors import KeySetRefused, OAuthRefused, TokenRefused

AUDIENCE = "https://zhengyin.example/oauth2/token"


def form(assertion, **changes):
    fields = {
        "grant_type": "client_credentials",
        "client_assertion_type": oauth.ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    return {**fields, **changes}


def claims(clock, **changes):
    now = int(clock.now().timestamp())
    base = {"iss": "housing-1", "sub": "housing-1", "aud": AUDIENCE, "jti": "0123456789", "iat": now, "exp": now + 60}
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def signed(key, content, algorithm="ES256"):
    kid = oauth.public_jwks(key.public_key())["keys"][0]["kid"]
    return jwt.encode({"alg": algorithm, "kid": kid}, content, ECKey.import_key(key))


def check_refused(key, content, clock):
    with pytest.raises(OAuthRefused) as caught:
        check_assertion(signed(key, content), oauth.public_jwks(key.public_key()), AUDIENCE, clock.now())
    assert caught.value.oauth_error == "invalid_client"


def encode(algorithm, kid, content, key):
    return jwt.encode({"alg": algorithm, "kid": kid}, content, key, algorithms=[algorithm])


def refusal(endpoint, fields):
    with pytest.raises(OAuthRefused) as caught:
        endpoint.issue(fields)
    return caught.value.oauth_error


def test_a_client_gets_a_token_and_is_known_by_it(endpoint, client_key, clock):
    assertion = oauth.client_assertion("housing-1", AUDIENCE, client_key, at=clock.now())
    answer = endpoint.issue(form(assertion))
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 600
    caller = endpoint.authenticate(answer["access_token"])
    assert caller == oauth.Caller("housing-1", "approvals", "示例市行政审批局")


def test_the_database_holds_no_usable_token(endpoint, client_key, clock, database):
    answer = endpoint.issue(form(oauth.client_assertion("housing-1", AUDIENCE, client_key, at=clock.now())))
    with database.read() as session:
        digest = session.scalars(select(AccessToken.digest)).one()
    assert answer["access_token"] != digest
    with pytest.raises(TokenRefused):
        endpoint.authenticate(digest)


def test_an_assertion_works_once(endpoint, client_key, clock):
    assertion = oauth.client_assertion("housing-1", AUDIENCE, client_key, at=clock.now())
    endpoint.issue(form(assertion))
    assert refusal(endpoint, form(assertion)) == "invalid_client"


def test_an_assertion_works_once_even_for_many_at_a_time(endpoint, client_key, clock):
    assertion = oauth.client_assertion("housing-1", AUDIENCE, client_key, at=clock.now())
    given, refused, start = [], [], threading.Barrier(6)

    def ask():
        start.wait()
        try:
            given.append(endpoint.issue(form(assertion)))
        except OAuthRefused as error:
            refused.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert (len(given), len(refused)) == (1, 5)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://elsewhere.example/oauth2/token"},
        {"aud": [AUDIENCE, "https://elsewhere.example"]},
        {"aud": None},
        {"iss": "other"},
        {"jti": None},
        {"jti": "short"},
        {"jti": "x" * 65},
        {"exp": None},
        {"iat": None},
        {"exp": True},
        {"exp": "soon"},
        {"exp": float("nan")},
    ],
)
def test_claims_that_are_refused(client_key, clock, changes):
    check_refused(client_key, claims(clock, **changes), clock)


def test_claims_that_pass(client_key, clock):
    text = signed(client_key, claims(clock))
    checked = check_assertion(text, oauth.public_jwks(client_key.public_key()), AUDIENCE, clock.now())
    assert (checked.client_id, checked.jti) == ("housing-1", "0123456789")
    assert checked.expires_at == clock.now() + timedelta(seconds=60)


@pytest.mark.parametrize(("issued", "lifetime"), [(0, 61), (-61, 60), (30, 60), (0, 0), (0, -5)])
def test_times_that_are_refused(client_key, clock, issued, lifetime):
    at = int((clock.now() + timedelta(seconds=issued)).timestamp())
    check_refused(client_key, claims(clock, iat=at, exp=at + lifetime), clock)


def test_signatures_of_others_are_refused(endpoint, client_key, clock):
    stranger = ec.generate_private_key(ec.SECP256R1())
    kid = oauth.public_jwks(client_key.public_key())["keys"][0]["kid"]
    forged = jwt.encode({"alg": "ES256", "kid": kid}, claims(clock), ECKey.import_key(stranger))
    assert refusal(endpoint, form(forged)) == "invalid_client"


def test_algorithms_outside_the_list_are_refused(endpoint, client_key, clock):
    public = ECKey.import_key(client_key.public_key()).as_pem(private=False)
    confused = jwt.encode({"alg": "HS256"}, claims(clock), OctKey.import_key(public.hex()))
    none = "eyJhbGciOiJub25lIn0." + confused.split(".")[1] + "."
    for assertion in (confused, none):
        assert refusal(endpoint, form(assertion)) == "invalid_client"


def test_what_is_no_assertion_is_refused(endpoint):
    for text in ("", "x", "a.b.c", "é.é.é", "e30.e30.e30", "." * 9000):
        assert refusal(endpoint, form(text)) == "invalid_client"


def test_forms_that_are_refused(endpoint, client_key, clock):
    assertion = oauth.client_assertion("housing-1", AUDIENCE, client_key, at=clock.now())
    for changes, error in [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "invalid_request"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"client_assertion_type": "urn:other"}, "invalid_client"),
        ({"client_id": "somebody-else"}, "invalid_client"),
    ]:
        assert refusal(endpoint, form(assertion, **changes)) == error


def test_tokens_expire(endpoint, client_key, clock):
    answer = endpoint.issue(form(oauth.client_assertion("housing-1", AUDIENCE, client_key, at=clock.now())))
    clock.advance(seconds=600)
    with pytest.raises(TokenRefused):
        endpoint.authenticate(answer["access_token"])


def test_a_suspended_client_is_out_at_once(endpoint, client_key, clock, database):
    answer = endpoint.issue(form(oauth.client_assertion("housing-1", AUDIENCE, client_key, at=clock.now())))
    with database.write() as session:
        oauth.set_client_state(session, "housing-1", "suspended", "密钥丢失", clock, AuditLog(), actor="admin-1")
    with pytest.raises(TokenRefused):
        endpoint.authenticate(answer["access_token"])
    assertion = oauth.client_assertion("housing-1", AUDIENCE, client_key, at=clock.now())
    assert refusal(endpoint, form(assertion)) == "invalid_client"


def test_refusals_of_a_known_client_are_logged_and_of_nobody_are_not(endpoint, client_key, clock, database):
    refusal(endpoint, form(signed(client_key, claims(clock, aud="x"))))
    refusal(endpoint, form(signed(client_key, claims(clock, iss="nobody", sub="nobody"))))
    with database.read() as session:
        logged = session.scalars(select(AuditEntry.actor).where(AuditEntry.result == "refused")).all()
    assert logged == ["housing-1"]


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_rsa_clients(database, clock, endpoint, algorithm):
    key = rsa.generate_private_key(65537, 2048)
    jwks = oauth.public_jwks(key.public_key())
    with database.write() as session:
        oauth.add_client(session, oauth.NewClient("rsa", "approvals", "", jwks), clock, AuditLog())
    content = claims(clock, iss="rsa", sub="rsa")
    kid = jwks["keys"][0]["kid"]
    answer = endpoint.issue(form(encode(algorithm, kid, content, RSAKey.import_key(key))))
    assert endpoint.authenticate(answer["access_token"]).client_id == "rsa"


def test_key_sets_that_are_refused(database, clock, people, client_key):
    good = oauth.public_jwks(client_key.public_key())["keys"][0]
    private = {**ECKey.import_key(client_key).as_dict(private=True), "kid": "k"}
    weak = {**RSAKey.import_key(rsa.generate_private_key(65537, 1024)).as_dict(private=False), "kid": "k"}
    other = {**ECKey.import_key(ec.generate_private_key(ec.SECP384R1())).as_dict(private=False), "kid": "k"}
    sets = [{}, {"keys": []}, {"keys": [private]}, {"keys": [weak]}, {"keys": [other]}, {"keys": [good, good]},
            {"keys": [{**good, "kid": ""}]}, {"keys": [{"kty": "oct", "k": "AAAA", "kid": "k"}]},
            {"keys": [{**good, "x": "!"}]}]  # fmt: skip
    for jwks in sets:
        with pytest.raises(KeySetRefused), database.write() as session:
            oauth.add_client(session, oauth.NewClient("c", "approvals", "", jwks), clock, AuditLog())
