"""The tables of the departments' API clients: their public keys, the assertions seen, the access tokens given."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from signing_service.kernel.database import Base, UtcDateTime

ACTIVE, SUSPENDED = "active", "suspended"


class ApiClient(Base):
    """A department's system. `jwks` holds public keys only; `state` is active or suspended, read at every call."""

    __tablename__ = "people_api_client"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    department_id: Mapped[str] = mapped_column(ForeignKey("people_department.id"), index=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    jwks: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16), default=ACTIVE)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AssertionSeen(Base):
    """A client assertion that was used; kept until it expires, so that it cannot be used twice."""

    __tablename__ = "people_assertion_seen"

    client_id: Mapped[str] = mapped_column(ForeignKey("people_api_client.id"), primary_key=True)
    jti: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class AccessToken(Base):
    """An access token by its SHA-256; the token itself is known to its client alone.

    `certificate`: x5t#S256 of the TLS certificate that it is bound to (RFC 8705, 3); empty when it is bound to none.
    """

    __tablename__ = "people_access_token"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("people_api_client.id"), index=True)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    certificate: Mapped[str] = mapped_column(String(64), default="", server_default="")
