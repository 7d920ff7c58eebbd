"""The C structures of PKCS#11 (pkcs11-base 2.40, chapter 3), as ctypes lays them out on this system.

On Windows Cryptoki structures are packed to one byte and CK_ULONG is 32 bits; elsewhere natural alignment and
the width of `long` hold. `ctypes.c_ulong` follows the platform, `_pack_` is set where it must be.
"""

from __future__ import annotations

import ctypes
import sys

ULONG = ctypes.c_ulong
PACK = 1 if sys.platform == "win32" else 0


class _Packed(ctypes.Structure):
    if PACK:
        _pack_ = PACK


class Version(_Packed):
    _fields_ = (("major", ctypes.c_ubyte), ("minor", ctypes.c_ubyte))


class InitializeArguments(_Packed):
    _fields_ = (
        ("create_mutex", ctypes.c_void_p),
        ("destroy_mutex", ctypes.c_void_p),
        ("lock_mutex", ctypes.c_void_p),
        ("unlock_mutex", ctypes.c_void_p),
        ("flags", ULONG),
        ("reserved", ctypes.c_void_p),
    )


class LibraryInfo(_Packed):
    _fields_ = (
        ("cryptoki_version", Version),
        ("manufacturer", ctypes.c_char * 32),
        ("flags", ULONG),
        ("description", ctypes.c_char * 32),
        ("library_version", Version),
    )


class SlotInfo(_Packed):
    _fields_ = (
        ("description", ctypes.c_char * 64),
        ("manufacturer", ctypes.c_char * 32),
        ("flags", ULONG),
        ("hardware_version", Version),
        ("firmware_version", Version),
    )


class TokenInfoStruct(_Packed):
    _fields_ = (
        ("label", ctypes.c_char * 32),
        ("manufacturer", ctypes.c_char * 32),
        ("model", ctypes.c_char * 16),
        ("serial", ctypes.c_char * 16),
        ("flags", ULONG),
        ("max_sessions", ULONG),
        ("sessions", ULONG),
        ("max_rw_sessions", ULONG),
        ("rw_sessions", ULONG),
        ("max_pin", ULONG),
        ("min_pin", ULONG),
        ("total_public", ULONG),
        ("free_public", ULONG),
        ("total_private", ULONG),
        ("free_private", ULONG),
        ("hardware_version", Version),
        ("firmware_version", Version),
        ("utc_time", ctypes.c_char * 16),
    )


class Attribute(_Packed):
    _fields_ = (("type", ULONG), ("value", ctypes.c_void_p), ("length", ULONG))


class MechanismStruct(_Packed):
    _fields_ = (("mechanism", ULONG), ("parameter", ctypes.c_void_p), ("length", ULONG))


class PssParameters(_Packed):
    _fields_ = (("hash", ULONG), ("mgf", ULONG), ("salt_length", ULONG))


class OaepParameters(_Packed):
    _fields_ = (
        ("hash", ULONG),
        ("mgf", ULONG),
        ("source", ULONG),
        ("source_data", ctypes.c_void_p),
        ("source_length", ULONG),
    )


# The order of CK_FUNCTION_LIST (pkcs11.h); each entry is one pointer after the two version bytes.
FUNCTIONS = (
    "C_Initialize",
    "C_Finalize",
    "C_GetInfo",
    "C_GetFunctionList",
    "C_GetSlotList",
    "C_GetSlotInfo",
    "C_GetTokenInfo",
    "C_GetMechanismList",
    "C_GetMechanismInfo",
    "C_InitToken",
    "C_InitPIN",
    "C_SetPIN",
    "C_OpenSession",
    "C_CloseSession",
    "C_CloseAllSessions",
    "C_GetSessionInfo",
    "C_GetOperationState",
    "C_SetOperationState",
    "C_Login",
    "C_Logout",
    "C_CreateObject",
    "C_CopyObject",
    "C_DestroyObject",
    "C_GetObjectSize",
    "C_GetAttributeValue",
    "C_SetAttributeValue",
    "C_FindObjectsInit",
    "C_FindObjects",
    "C_FindObjectsFinal",
    "C_EncryptInit",
    "C_Encrypt",
    "C_EncryptUpdate",
    "C_EncryptFinal",
    "C_DecryptInit",
    "C_Decrypt",
    "C_DecryptUpdate",
    "C_DecryptFinal",
    "C_DigestInit",
    "C_Digest",
    "C_DigestUpdate",
    "C_DigestKey",
    "C_DigestFinal",
    "C_SignInit",
    "C_Sign",
    "C_SignUpdate",
    "C_SignFinal",
    "C_SignRecoverInit",
    "C_SignRecover",
    "C_VerifyInit",
    "C_Verify",
    "C_VerifyUpdate",
    "C_VerifyFinal",
    "C_VerifyRecoverInit",
    "C_VerifyRecover",
    "C_DigestEncryptUpdate",
    "C_DecryptDigestUpdate",
    "C_SignEncryptUpdate",
    "C_DecryptVerifyUpdate",
    "C_GenerateKey",
    "C_GenerateKeyPair",
    "C_WrapKey",
    "C_UnwrapKey",
    "C_DeriveKey",
    "C_SeedRandom",
    "C_GenerateRandom",
    "C_GetFunctionStatus",
    "C_CancelFunction",
    "C_WaitForSlotEvent",
)


class FunctionList(_Packed):
    _fields_ = (("version", Version), *((name, ctypes.c_void_p) for name in FUNCTIONS))
