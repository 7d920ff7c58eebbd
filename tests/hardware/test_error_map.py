"""What each module answers for the same event, as it was observed, and the one error that we make of it.

The tables are those of docs/guide/keys.md; the return values were seen on the modules themselves.
"""

from __future__ import annotations

import pytest

from hardware.cryptoki.binding import CryptokiError
from hardware.cryptoki.codes import Rv
from hardware.error_map import Doing, named
from hardware.errors import (
    Busy,
    InitialisedElsewhere,
    KeyNotAllowed,
    MechanismUnsupported,
    ModuleFault,
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

LOGIN, USE, SEARCH, WRITE, CARE = (
    Doing.LOGGING_IN,
    Doing.USING_KEY,
    Doing.SEARCHING,
    Doing.WRITING,
    Doing.ADMINISTERING,
)
SOFTHSM, OCK, OPENSC = "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/libopencryptoki.so", "/usr/lib/opensc-pkcs11.so"
YKCS11, TPM2, P11KIT = "/usr/lib/libykcs11.so", "/usr/lib/libtpm2_pkcs11.so.1.9", "/usr/lib/pkcs11/p11-kit-client.so"
IN, OUT = True, False  # what a second look at the token shows

# (module, event, return value, while doing, still there, error)
OBSERVED = [
    (SOFTHSM, "wrong PIN", Rv.PIN_INCORRECT, LOGIN, IN, PinIncorrect),
    (SOFTHSM, "folder removed, then signed", Rv.OBJECT_HANDLE_INVALID, USE, OUT, TokenRemoved),
    (SOFTHSM, "folder removed, then a key is made", Rv.GENERAL_ERROR, WRITE, OUT, TokenRemoved),
    (SOFTHSM, "mechanism of another key type", Rv.GENERAL_ERROR, USE, IN, TokenFault),
    (SOFTHSM, "mechanism that it lacks", Rv.MECHANISM_INVALID, USE, IN, MechanismUnsupported),
    (SOFTHSM, "officer beside readers", Rv.SESSION_READ_ONLY_EXISTS, LOGIN, IN, Busy),
    (OCK, "wrong PIN", Rv.PIN_INCORRECT, LOGIN, IN, PinIncorrect),
    (OCK, "locked PIN", Rv.PIN_LOCKED, LOGIN, IN, PinLocked),
    (OCK, "factory PIN to be changed", Rv.PIN_EXPIRED, USE, IN, PinExpired),
    (OCK, "PIN of 3 or 9 characters", Rv.PIN_LEN_RANGE, CARE, IN, PinInvalid),
    (OCK, "the factory's PIN as a new one", Rv.PIN_INVALID, CARE, IN, PinInvalid),
    (OCK, "EC key", Rv.MECHANISM_INVALID, WRITE, IN, MechanismUnsupported),
    (OPENSC, "wrong PIN, PIV", Rv.PIN_INCORRECT, LOGIN, IN, PinIncorrect),
    (OPENSC, "wrong PIN, OpenPGP", Rv.USER_NOT_LOGGED_IN, LOGIN, IN, PinIncorrect),
    (OPENSC, "locked PIN", Rv.PIN_LOCKED, LOGIN, IN, PinLocked),
    (OPENSC, "OpenPGP unblock", Rv.FUNCTION_NOT_SUPPORTED, CARE, IN, OperationUnsupported),
    (OPENSC, "OpenPGP pulled", Rv.DEVICE_REMOVED, USE, OUT, TokenRemoved),
    (OPENSC, "OpenPGP put back", Rv.SESSION_HANDLE_INVALID, USE, IN, TokenRemoved),
    (OPENSC, "PIV, pcscd killed", Rv.GENERAL_ERROR, USE, OUT, TokenRemoved),
    (OPENSC, "reader without a card", Rv.TOKEN_NOT_PRESENT, SEARCH, OUT, TokenRemoved),
    (OPENSC, "unknown card", Rv.TOKEN_NOT_RECOGNIZED, LOGIN, IN, TokenNotInitialised),
    (YKCS11, "wrong PIN", Rv.PIN_INCORRECT, LOGIN, IN, PinIncorrect),
    (YKCS11, "wrong PIN, the last try", Rv.PIN_LOCKED, LOGIN, IN, PinLocked),
    (YKCS11, "pulled", Rv.DEVICE_ERROR, USE, OUT, TokenRemoved),
    (YKCS11, "second signature of a key with PIN per signature", Rv.USER_NOT_LOGGED_IN, USE, IN, PinRequired),
    (TPM2, "wrong PIN", Rv.PIN_INCORRECT, LOGIN, IN, PinIncorrect),
    (TPM2, "whole TPM locked", Rv.PIN_LOCKED, LOGIN, IN, TpmLocked),
    (TPM2, "TPM gone", Rv.GENERAL_ERROR, USE, OUT, TokenRemoved),
    (TPM2, "template it derives itself", Rv.ATTRIBUTE_VALUE_INVALID, WRITE, IN, TokenFault),
    (P11KIT, "wrong PIN", Rv.PIN_INCORRECT, LOGIN, IN, PinIncorrect),
    (P11KIT, "server killed", Rv.DEVICE_ERROR, USE, OUT, TokenRemoved),
    (P11KIT, "combined PSS, not on its list", Rv.MECHANISM_INVALID, USE, IN, MechanismUnsupported),
]


@pytest.mark.parametrize(("module", "event", "rv", "doing", "there", "kind"), OBSERVED)
def test_one_event_is_one_error_whatever_the_module_says(module, event, rv, doing, there, kind):
    error = named(CryptokiError(rv, "C_Call"), doing, token="0a1b", module=module, still_there=there)
    assert type(error) is kind, event
    assert f"CKR_{rv.name}" in error.explain("zh")
    assert error.advice is not None
    assert error.advice.zh != error.advice.en


def test_each_of_the_six_modules_is_in_the_table():
    assert {row[0] for row in OBSERVED} == {SOFTHSM, OCK, OPENSC, YKCS11, TPM2, P11KIT}


# What the standard says, whichever module says it.
STANDARD = [
    (Rv.USER_PIN_NOT_INITIALIZED, LOGIN, IN, PinNotSet),
    (Rv.USER_NOT_LOGGED_IN, SEARCH, IN, PinRequired),
    (Rv.SESSION_COUNT, SEARCH, IN, Busy),
    (Rv.OPERATION_ACTIVE, USE, IN, Busy),
    (Rv.DEVICE_MEMORY, WRITE, IN, TokenFull),
    (Rv.SESSION_READ_ONLY, WRITE, IN, TokenWriteProtected),
    (Rv.TOKEN_WRITE_PROTECTED, WRITE, IN, TokenWriteProtected),
    (Rv.KEY_FUNCTION_NOT_PERMITTED, USE, IN, KeyNotAllowed),
    (Rv.CRYPTOKI_ALREADY_INITIALIZED, CARE, IN, InitialisedElsewhere),
    (Rv.CURVE_NOT_SUPPORTED, WRITE, IN, MechanismUnsupported),
    (Rv.DATA_LEN_RANGE, USE, IN, MechanismUnsupported),
    (Rv.GENERAL_ERROR, USE, IN, TokenFault),
    (Rv.GENERAL_ERROR, LOGIN, OUT, TokenRemoved),
    (0x80001234, USE, IN, TokenFault),
]


@pytest.mark.parametrize(("rv", "doing", "there", "kind"), STANDARD)
def test_one_code_means_different_things_in_different_places(rv, doing, there, kind):
    assert type(named(CryptokiError(rv, "C_Call"), doing, token="t", still_there=there)) is kind


def test_a_module_that_fails_as_a_whole_is_named_itself():
    error = named(CryptokiError(Rv.DEVICE_ERROR, "C_GetSlotList"), SEARCH, module=YKCS11)
    assert type(error) is ModuleFault
    assert "libykcs11.so" in error.explain("en")
