"""What a return value means depends on what was being done, and differs by module (see docs/guide/keys.md).

Pure: a `CryptokiError` and the context go in, a named error comes out.
"""

from __future__ import annotations

from enum import Enum, auto

from .cryptoki.binding import CryptokiError
from .cryptoki.codes import Rv, rv_name
from .errors import (
    Busy,
    InitialisedElsewhere,
    KeyNotAllowed,
    MechanismUnsupported,
    ModuleFault,
    NamedTokenError,
    OperationUnsupported,
    PinExpired,
    PinIncorrect,
    PinInvalid,
    PinLocked,
    PinNotSet,
    PinRequired,
    TokenFault,
    TokenFull,
    TokenNotInitialised,
    TokenRemoved,
    TokenWriteProtected,
    TpmLocked,
)

TPM_MODULE = "tpm2_pkcs11"


class Doing(Enum):
    """What was being done when the call failed."""

    LOGGING_IN = auto()
    USING_KEY = auto()
    SEARCHING = auto()
    WRITING = auto()
    ADMINISTERING = auto()


# "The token is gone", by the module that says it: OpenSC DEVICE_REMOVED and SESSION_HANDLE_INVALID, ykcs11 and
# p11-kit-client DEVICE_ERROR, SoftHSM OBJECT_HANDLE_INVALID, openCryptoki and others TOKEN_NOT_PRESENT.
GONE = frozenset(
    {
        Rv.DEVICE_REMOVED,
        Rv.DEVICE_ERROR,
        Rv.TOKEN_NOT_PRESENT,
        Rv.TOKEN_NOT_RECOGNIZED,
        Rv.SESSION_HANDLE_INVALID,
        Rv.SESSION_CLOSED,
        Rv.OBJECT_HANDLE_INVALID,
        Rv.KEY_HANDLE_INVALID,
        Rv.SLOT_ID_INVALID,
        Rv.CRYPTOKI_NOT_INITIALIZED,
    }
)
# These may mean anything; they mean "gone" only where a second look does not find the token.
VAGUE = frozenset({Rv.GENERAL_ERROR, Rv.FUNCTION_FAILED, Rv.ARGUMENTS_BAD})
TEMPLATE_REFUSED = VAGUE | {
    Rv.TEMPLATE_INCONSISTENT,
    Rv.TEMPLATE_INCOMPLETE,
    Rv.ATTRIBUTE_VALUE_INVALID,
    Rv.ATTRIBUTE_TYPE_INVALID,
    Rv.ATTRIBUTE_READ_ONLY,
}
MECHANISM_REFUSED = frozenset(
    {
        Rv.MECHANISM_INVALID,
        Rv.MECHANISM_PARAM_INVALID,
        Rv.KEY_TYPE_INCONSISTENT,
        Rv.KEY_SIZE_RANGE,
        Rv.DATA_LEN_RANGE,
        Rv.DATA_INVALID,
        Rv.FUNCTION_NOT_SUPPORTED,
    }
)

_PLAIN: dict[int, type[NamedTokenError]] = {
    Rv.PIN_INCORRECT: PinIncorrect,
    Rv.PIN_LOCKED: PinLocked,
    Rv.PIN_INVALID: PinInvalid,
    Rv.PIN_LEN_RANGE: PinInvalid,
    Rv.PIN_EXPIRED: PinExpired,
    Rv.USER_PIN_NOT_INITIALIZED: PinNotSet,
    Rv.USER_NOT_LOGGED_IN: PinRequired,
    Rv.SESSION_COUNT: Busy,
    Rv.SESSION_EXISTS: Busy,
    Rv.SESSION_READ_ONLY_EXISTS: Busy,
    Rv.SESSION_READ_WRITE_SO_EXISTS: Busy,
    Rv.USER_ANOTHER_ALREADY_LOGGED_IN: Busy,
    Rv.OPERATION_ACTIVE: Busy,
    Rv.DEVICE_MEMORY: TokenFull,
    Rv.SESSION_READ_ONLY: TokenWriteProtected,
    Rv.TOKEN_WRITE_PROTECTED: TokenWriteProtected,
    Rv.KEY_FUNCTION_NOT_PERMITTED: KeyNotAllowed,
    Rv.FUNCTION_NOT_SUPPORTED: OperationUnsupported,
    Rv.ACTION_PROHIBITED: OperationUnsupported,
    Rv.CRYPTOKI_ALREADY_INITIALIZED: InitialisedElsewhere,
    Rv.MECHANISM_INVALID: MechanismUnsupported,
    Rv.MECHANISM_PARAM_INVALID: MechanismUnsupported,
    Rv.KEY_TYPE_INCONSISTENT: MechanismUnsupported,
    Rv.CURVE_NOT_SUPPORTED: MechanismUnsupported,
    Rv.DOMAIN_PARAMS_INVALID: MechanismUnsupported,
}


def means_gone(error: CryptokiError, *, still_there: bool) -> bool:
    """Whether the token was removed; `still_there` is the answer of a second look at it."""
    return error.rv in GONE or (error.rv in VAGUE and not still_there)


def named(
    error: CryptokiError,
    doing: Doing,
    *,
    token: str = "",
    module: str = "",
    mechanism: str = "",
    key: str = "",
    still_there: bool = True,
) -> NamedTokenError:
    """The named error for what happened while `doing`."""
    detail = f"{error.call}: {rv_name(error.rv)}"
    kind = _PLAIN.get(error.rv)
    if doing is Doing.LOGGING_IN and error.rv == Rv.USER_NOT_LOGGED_IN:
        kind = PinIncorrect  # OpenPGP cards through OpenSC answer a wrong PIN so
    elif doing is Doing.LOGGING_IN and error.rv == Rv.TOKEN_NOT_RECOGNIZED:
        kind = TokenNotInitialised
    elif kind is PinLocked and TPM_MODULE in module:
        kind = TpmLocked
    elif means_gone(error, still_there=still_there):
        kind = TokenRemoved
    elif doing is Doing.USING_KEY and error.rv in MECHANISM_REFUSED:
        kind = MechanismUnsupported
    if not token and (kind or TokenFault) in (TokenFault, TokenRemoved):
        kind = ModuleFault  # the whole module was asked, not one of its tokens
    return (kind or TokenFault)(detail=detail, token=token, module=module, mechanism=mechanism, key=key)
