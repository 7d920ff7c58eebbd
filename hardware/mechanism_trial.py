"""Which signature mechanisms really work on a token: tried with a key pair that lives in one session only.

No PIN is needed and nothing stays on the token. Cards that make no session keys cannot be tried so.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from .cryptoki.attributes import Template
from .cryptoki.binding import Cryptoki, CryptokiError
from .cryptoki.codes import Attr, Ckm
from .errors import KeyTypeUnsupported
from .key_templates import key_pair
from .object_reading import key_record, read_public_attributes
from .ports import Mechanism
from .public_keys import load_public_key, public_key_info
from .signing_plans import attempts, finished, fits, verifies

_KINDS = ("rsa2048", "p256", "p384", "ed25519")
_DATA = b"zhengyin keys doctor"
# Mechanism names by what a token must list to claim them: the raw mechanism, or the combined one.
_CLAIMS = {mechanism: [Ckm(each.mechanism.number) for each in attempts(mechanism)] for mechanism in Mechanism}


def working_mechanisms(cryptoki: Cryptoki, session: int) -> list[str] | None:
    """Names of `ports.Mechanism` that gave a signature which verifies; None where the token makes no session keys."""
    works: set[str] = set()
    made_any = False
    for kind in _KINDS:
        try:
            public, private = _session_pair(cryptoki, session, kind)
        except CryptokiError:
            continue
        made_any = True
        with suppress(KeyTypeUnsupported):
            works |= _try_key(cryptoki, session, public, private)
        for handle in (public, private):
            cryptoki.destroy_object(session, handle)
    return sorted(works) if made_any else None


def _session_pair(cryptoki: Cryptoki, session: int, kind: str) -> tuple[int, int]:
    template = key_pair(kind, label="trial", id=b"trial")
    here: Template = {Attr.TOKEN: False, Attr.PRIVATE: False}
    public = {**template.public, **here}
    return cryptoki.generate_key_pair(session, template.mechanism, public, {**template.private, **here})


def _try_key(cryptoki: Cryptoki, session: int, public: int, private: int) -> set[str]:
    attributes = read_public_attributes(cryptoki, session, public)
    key = load_public_key(key_record(attributes, public_key_info(attributes)).public)
    works = set()
    for mechanism in (each for each in Mechanism if fits(each, key)):
        for attempt in attempts(mechanism):
            try:
                answer = cryptoki.sign(session, attempt.mechanism, private, attempt.prepare(_DATA))
                if verifies(mechanism, key, finished(mechanism, key, answer), _DATA):
                    works.add(str(mechanism))
                    break
            except (CryptokiError, ValueError):
                continue
    return works


def claimed_mechanisms(numbers: Iterable[int]) -> list[str]:
    """What the token's own list of mechanism numbers amounts to."""
    listed = set(numbers)
    return sorted(str(mechanism) for mechanism, needed in _CLAIMS.items() if listed & set(needed))
