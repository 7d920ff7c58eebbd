"""What a token says of itself, from the C structure to `TokenInfo`. Pure."""

from __future__ import annotations

from .cryptoki.attributes import text_of
from .cryptoki.codes import TokenFlag
from .cryptoki.structures import TokenInfoStruct
from .ports import PinState, TokenInfo


def token_info(struct: TokenInfoStruct, module: str) -> TokenInfo:
    """`module` is the path that the token was found through."""
    flags = TokenFlag(struct.flags & _KNOWN)
    return TokenInfo(
        serial=text_of(struct.serial),
        label=text_of(struct.label),
        model=text_of(struct.model),
        manufacturer=text_of(struct.manufacturer),
        module=module,
        user_pin=_state(flags, TokenFlag.USER_PIN_LOCKED, TokenFlag.USER_PIN_FINAL_TRY, TokenFlag.USER_PIN_COUNT_LOW),
        so_pin=_state(flags, TokenFlag.SO_PIN_LOCKED, TokenFlag.SO_PIN_FINAL_TRY, TokenFlag.SO_PIN_COUNT_LOW),
        initialised=TokenFlag.TOKEN_INITIALIZED in flags,
    )


_KNOWN = sum(TokenFlag)


def _state(flags: TokenFlag, locked: TokenFlag, last: TokenFlag, low: TokenFlag) -> PinState:
    if locked in flags:
        return PinState.LOCKED
    if last in flags:
        return PinState.LAST
    return PinState.LOW if low in flags else PinState.NORMAL
