"""OAuth 2 client credentials (RFC 6749 4.4): the token endpoint and its other half.

A client proves itself by private_key_jwt (RFC 7523) or by its TLS certificate, whose key is one of those registered
(RFC 8705, 2.2). A token got over a connection with a certificate works only with that certificate (RFC 8705, 3).

An assertion works once: its jti is kept until it expires. Access tokens are opaque, live ten minutes, and lie in the
database as hashes; a client's state is read at every call, so that suspending it works at once.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from signing_service.errors import Text
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.people.api_clients import ACTIVE, AccessToken, ApiClient, AssertionSeen
from signing_service.people.assertion import Assertion, check_assertion, claimed_client
from signing_service.people.client_keys import (
    certificate_hash,
    checked_jwks,
    client_assertion,
    public_jwks,
    require_certificate_key,
)
from signing_service.people.departments import Department
from signing_service.people.errors import AlreadyThere, KeyNotProven, OAuthRefused, TokenRefused, Unknown
from signing_service.people.register import SYSTEM

__all__ = ["Caller", "TokenEndpoint", "add_client", "client_assertion", "public_jwks", "set_client_state"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN_SECONDS = 600
CLIENT = Text("客户端", "client")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls the API."""

    client_id: str
    department_id: str
    department_name: str


@dataclass(frozen=True, slots=True)
class NewClient:
    """`jwks` are public keys, as of `public_jwks`."""

    id: str
    department: str
    name: str
    jwks: Mapping[str, Any]


def add_client(session: Session, client: NewClient, clock: Clock, audit: AuditLog, *, actor: str = SYSTEM) -> ApiClient:
    """Register a department's system. Raises AlreadyThere, Unknown, KeySetRefused."""
    if session.get(ApiClient, client.id) is not None:
        raise AlreadyThere(CLIENT, client.id)
    if session.get(Department, client.department) is None:
        raise Unknown(Text("部门", "department"), client.department)
    keys = checked_jwks(client.jwks)
    row = ApiClient(
        id=client.id, department_id=client.department, name=client.name, jwks=keys, state=ACTIVE,
        created_at=clock.now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    details = {"name": client.name, "kids": [key["kid"] for key in keys["keys"]]}
    act = Act("client.add", actor, f"client:{client.id}", department=client.department, details=details)
    audit.record(session, act, clock.now())
    return row


def set_client_state(
    session: Session, id: str, state: str, reason: str, clock: Clock, audit: AuditLog, *, actor: str
) -> None:
    """Suspend a client or let it work again; its tokens stop working at once."""
    row = session.get(ApiClient, id)
    if row is None:
        raise Unknown(CLIENT, id)
    row.state = state
    details = {"state": state, "reason": reason[:500]}
    act = Act("client.state", actor, f"client:{id}", department=row.department_id, details=details)
    audit.record(session, act, clock.now())


class TokenEndpoint:
    """`audience` is the token endpoint's own address, as clients must write it into `aud`."""

    def __init__(self, database: Database, clock: Clock, audience: str) -> None:
        self._database, self._clock, self.audience = database, clock, audience
        self._audit = AuditLog()

    def issue(self, form: Mapping[str, str], certificate: bytes = b"") -> dict[str, Any]:
        """The token response of RFC 6749 5.1 for a form's fields. Raises OAuthRefused; refusals of clients are logged.

        `certificate`: the caller's TLS certificate (DER), if the proxy told one. Requests that name no client of ours
        leave no entry: anybody could fill the log with them.
        """
        _check_form(form)
        by_certificate = bool(certificate) and "client_assertion" not in form
        text = "" if by_certificate else _assertion_of(form)
        client_id = form.get("client_id") or ("" if by_certificate else claimed_client(text))
        client = self._client(client_id)
        try:
            assertion = None
            if by_certificate:
                require_certificate_key(certificate, client.jwks)
            else:
                assertion = check_assertion(text, client.jwks, self.audience, self._clock.now())
                if assertion.client_id != client_id:
                    raise OAuthRefused(
                        "invalid_client", "client_id 与断言不符。", "client_id differs from the assertion."
                    )
            return self._give(client, assertion, certificate)
        except OAuthRefused as refusal:
            act = Act("oauth.token", client_id, f"client:{client_id}", department=client.department_id)
            self._audit.refuse(self._database, act, self._clock.now(), refusal.oauth_error)
            raise

    def authenticate(self, bearer: str, certificate: bytes = b"") -> Caller:
        """Whose token this is. Raises TokenRefused; also when client or department have ended since, and when the
        token is bound to another certificate than the one of this connection."""
        now = self._clock.now()
        query = (
            select(AccessToken.expires_at, AccessToken.certificate, ApiClient, Department)
            .join(ApiClient, ApiClient.id == AccessToken.client_id)
            .join(Department, Department.id == ApiClient.department_id)
            .where(AccessToken.digest == _digest(bearer))
        )
        with self._database.read() as session:
            found = session.execute(query).one_or_none()
        if found is None:
            raise TokenRefused
        expires_at, bound_to, client, department = found
        if bound_to and bound_to != certificate_hash(certificate):
            raise TokenRefused
        if expires_at <= now or client.state != ACTIVE or not department.exists_at(now):
            raise TokenRefused
        return Caller(client.id, department.id, department.name)

    def kids(self, session: Session, client_id: str) -> list[str]:
        """The ids of a client's registered keys. Raises Unknown."""
        return [str(key["kid"]) for key in _known(session, client_id).jwks["keys"]]

    def replace(self, session: Session, client_id: str, jwks: Mapping[str, Any], proof: str) -> list[str]:
        """From now on these are the client's keys, in the caller's transaction; gives their ids.

        `proof` is an assertion (RFC 7523) made with one of them, so that nobody locks himself out or registers a key
        that he does not have. Raises KeySetRefused, KeyNotProven, Unknown.
        """
        row, keys, now = _known(session, client_id), checked_jwks(jwks), self._clock.now()
        try:
            shown = check_assertion(proof, keys, self.audience, now)
        except OAuthRefused as refusal:
            raise KeyNotProven(refusal) from None
        if shown.client_id != client_id or session.get(AssertionSeen, (client_id, shown.jti)) is not None:
            raise KeyNotProven
        session.add(AssertionSeen(client_id=client_id, jti=shown.jti, expires_at=shown.expires_at))
        kids = [str(key["kid"]) for key in keys["keys"]]
        details = {"kids": kids, "before": [key["kid"] for key in row.jwks["keys"]]}
        row.jwks = keys
        act = Act("client.keys", f"client:{client_id}", f"client:{client_id}", row.department_id, details=details)
        self._audit.record(session, act, now)
        return kids

    def _client(self, client_id: str) -> ApiClient:
        with self._database.read() as session:
            row = session.get(ApiClient, client_id[:64])
        if row is None or row.state != ACTIVE:
            raise OAuthRefused("invalid_client", "客户端未登记或已停用。", "The client is unknown or suspended.")
        return row

    def _give(self, client: ApiClient, assertion: Assertion | None, certificate: bytes) -> dict[str, Any]:
        token, now = secrets.token_urlsafe(32), self._clock.now()
        try:
            with self._database.write() as session:
                _forget_expired(session, now)
                if assertion is not None:
                    seen = AssertionSeen(client_id=client.id, jti=assertion.jti, expires_at=assertion.expires_at)
                    session.add(seen)
                    session.flush()
                session.add(
                    AccessToken(
                        digest=_digest(token), client_id=client.id, issued_at=now,
                        expires_at=now + timedelta(seconds=TOKEN_SECONDS),
                        certificate=certificate_hash(certificate) if certificate else "",
                    )
                )  # fmt: skip
                act = Act("oauth.token", client.id, f"client:{client.id}", department=client.department_id)
                self._audit.record(session, act, now)
        except IntegrityError:
            raise OAuthRefused("invalid_client", "该断言已用过一次。", "The assertion was used before (jti).") from None
        return {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}


def _known(session: Session, client_id: str) -> ApiClient:
    row = session.get(ApiClient, client_id, with_for_update=True)
    if row is None:
        raise Unknown(CLIENT, client_id)
    return row


def _check_form(form: Mapping[str, str]) -> None:
    """RFC 6749 4.4.2: the fields of the form that do not prove who calls."""
    grant = form.get("grant_type")
    if not grant:
        raise OAuthRefused("invalid_request", "缺少 grant_type。", "grant_type is missing.")
    if grant != "client_credentials":
        raise OAuthRefused(
            "unsupported_grant_type", "只支持 client_credentials。", "Only client_credentials is offered."
        )
    if form.get("scope"):
        raise OAuthRefused("invalid_scope", "本接口不使用 scope。", "This API has no scopes; leave it out.")


def _assertion_of(form: Mapping[str, str]) -> str:
    """RFC 7521 4.2."""
    text = form.get("client_assertion", "")
    if form.get("client_assertion_type") != ASSERTION_TYPE or not text:
        raise OAuthRefused(
            "invalid_client", "须用 private_key_jwt 证明身份。", "Authenticate by private_key_jwt (RFC 7523)."
        )
    return text


def _forget_expired(session: Session, now: datetime) -> None:
    session.execute(delete(AssertionSeen).where(AssertionSeen.expires_at < now - timedelta(minutes=1)))
    session.execute(delete(AccessToken).where(AccessToken.expires_at < now - timedelta(days=1)))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
