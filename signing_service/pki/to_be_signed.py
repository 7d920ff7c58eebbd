"""Telling a CRL from everything else by its outer shape, quickly however long it is: for who holds the CA's key."""

from __future__ import annotations

from signing_service.pki import der
from signing_service.pki.errors import MalformedDer

_TIMES = (der.UTC_TIME, der.GENERALIZED_TIME)


def certificate_list_issuer(content: bytes) -> bytes | None:
    """The issuer's name (DER) where `content` is a version 2 TBSCertList (RFC 5280 5.1.2); None for anything else.

    The entries are not looked at one by one: 200,000 of them would take minutes with a general decoder. No other
    structure that a CA's key signs begins with an INTEGER inside a SEQUENCE.
    """
    try:
        fields = der.read(content, der.SEQUENCE).children()
        if len(fields) < 5 or fields[0].as_integer() != 1:
            return None
        algorithm, issuer, this_update, next_update, *rest = fields[1:]
        shaped = algorithm.tag == issuer.tag == der.SEQUENCE and this_update.tag in _TIMES and next_update.tag in _TIMES
    except (MalformedDer, ValueError):
        return None
    allowed = ([der.SEQUENCE, 0xA0], [0xA0])
    return issuer.encoded if shaped and [field.tag for field in rest] in allowed else None
