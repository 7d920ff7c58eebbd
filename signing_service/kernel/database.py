"""One database for the deployment: SQLite embedded, PostgreSQL for more than one machine.

SQLite runs with WAL, BEGIN IMMEDIATE for writers (a deferred transaction that has read is refused at once when
another writer commits), synchronous=FULL and foreign keys. Times are stored in UTC and come back aware.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import DateTime, MetaData, create_engine, event
from sqlalchemy.engine import URL, Connection, Dialect, Engine, make_url
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

BUSY_TIMEOUT_SECONDS = 30
KEPT_OPEN, MOST_MORE = 10, 30
"""Connections: a web process serves forty requests at once (Starlette's threads), each with one at a time."""
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Base(DeclarativeBase):
    """Root of the signing service's tables."""

    metadata = MetaData(naming_convention=NAMING)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Naive values are refused, since SQLite would silently drop their meaning."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """Sessions by intent: `read()` sees, `write()` changes and commits on leaving. Errors never repeat a row's values:
    they end up in logs."""

    def __init__(self, url: str | URL) -> None:
        self.url = make_url(url)
        self.engine = _sqlite_engine(self.url) if self.is_sqlite else _server_engine(self.url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session whose changes are dropped; what was loaded stays readable after it."""
        with self._sessions() as session:
            session.connection(execution_options={"zhengyin_read": True})
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits on leaving, or rolls back on any error. No token, TSA or network inside."""
        with self._sessions.begin() as session:
            yield session

    def close(self) -> None:
        self.engine.dispose()


def _server_engine(url: URL) -> Engine:
    return create_engine(url, pool_pre_ping=True, pool_size=KEPT_OPEN, max_overflow=MOST_MORE, hide_parameters=True)


def _sqlite_engine(url: URL) -> Engine:
    arguments = {"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
    engine = create_engine(
        url, connect_args=arguments, pool_size=KEPT_OPEN, max_overflow=MOST_MORE, hide_parameters=True
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: object, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]  # transactions are begun by _begin_sqlite
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("zhengyin_read", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
