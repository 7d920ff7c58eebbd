"""Making a key pair on a token, in the words that its module accepts."""

from __future__ import annotations

from .cryptoki.binding import Cryptoki, CryptokiError
from .error_map import TEMPLATE_REFUSED
from .key_templates import KeyPairTemplate, without_usage


def make_pair(cryptoki: Cryptoki, session: int, template: KeyPairTemplate) -> tuple[int, int]:
    """Handles of (public, private). A module that refuses the usage flags is asked again without them."""
    try:
        return cryptoki.generate_key_pair(session, template.mechanism, template.public, template.private)
    except CryptokiError as error:
        if error.rv not in TEMPLATE_REFUSED:
            raise
    lean = without_usage(template)
    return cryptoki.generate_key_pair(session, lean.mechanism, lean.public, lean.private)
