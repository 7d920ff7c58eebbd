"""Whether the register objects to a certificate, read without the database library: a cold `sign` asks nothing else.

Loading that library takes longer than signing. Only a home on SQLite can be asked so; `certificates` has the table.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing

_SQLITE = "sqlite:///"
_QUERY = "SELECT origin, revoked_at FROM pki_certificate WHERE fingerprint = ?"
_PATIENCE_SECONDS = 30
_OUTSIDE = "outside"


def surely_usable(database_url: str, certificate: bytes) -> bool:
    """Whether the register says that the certificate (DER) is neither revoked or on hold nor from an outside CA.
    False: ask the register itself."""
    if not database_url.startswith(_SQLITE) or "?" in database_url:
        return False
    path = database_url.removeprefix(_SQLITE)
    if not os.path.isfile(path):  # connecting would make it
        return False
    try:
        with closing(sqlite3.connect(path, timeout=_PATIENCE_SECONDS)) as connection:
            connection.execute("PRAGMA query_only = ON")
            row = connection.execute(_QUERY, (hashlib.sha256(certificate).hexdigest(),)).fetchone()
    except sqlite3.Error:
        return False
    return row is None or (row[0] != _OUTSIDE and row[1] is None)
