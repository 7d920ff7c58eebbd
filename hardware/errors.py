"""The error tree of tokens, and the base that every error of the project shares.

An error says what happened, why, and what to do next, in Chinese and in English. Only the edges (web, CLI)
turn one into a status code or an exit code.

    TokenError
    ├── PinError: PinIncorrect (PinRefusedBefore), PinLocked, PinFinalTry, PinRequired, PinInvalid, PinNotSet,
    │             PinExpired, PinFileUnsafe, PinFileMissing
    ├── TokenGone: TokenRemoved, TokenNotFound
    ├── AmbiguousToken, TokenNotInitialised, TokenFault, TokenFull, TokenWriteProtected, OperationUnsupported, Busy
    ├── KeyProblem: KeyNotFound, AmbiguousKey, CertificateMissing, KeyTypeUnsupported, KeyNotAllowed, KeyExists
    ├── MechanismUnsupported
    ├── ModuleProblem: ModuleMissing, ModuleUnusable, ModuleFault, ModuleCrashed, ModuleTimeout,
    │                  GarbledAnswer, InitialisedElsewhere, ForkedProcess, SoftHsmMissing
    └── UriInvalid
"""

from __future__ import annotations

from .explained import ExplainedError, Language, NamedTokenError, Text, TokenError, all_kinds, rebuild
from .pin_errors import (
    PinError,
    PinExpired,
    PinFileMissing,
    PinFileUnsafe,
    PinFinalTry,
    PinIncorrect,
    PinInvalid,
    PinLocked,
    PinNotSet,
    PinRefusedBefore,
    PinRequired,
)
from .token_errors import (
    AmbiguousKey,
    AmbiguousToken,
    Busy,
    CertificateMissing,
    ForkedProcess,
    GarbledAnswer,
    InitialisedElsewhere,
    KeyExists,
    KeyNotAllowed,
    KeyNotFound,
    KeyProblem,
    KeyTypeUnsupported,
    MechanismUnsupported,
    ModuleCrashed,
    ModuleFault,
    ModuleMissing,
    ModuleProblem,
    ModuleTimeout,
    ModuleUnusable,
    OperationUnsupported,
    SoftHsmMissing,
    TokenFault,
    TokenFull,
    TokenGone,
    TokenNotFound,
    TokenNotInitialised,
    TokenRemoved,
    TokenWriteProtected,
    UriInvalid,
)

__all__ = [
    "AmbiguousKey",
    "AmbiguousToken",
    "Busy",
    "CertificateMissing",
    "ExplainedError",
    "ForkedProcess",
    "GarbledAnswer",
    "InitialisedElsewhere",
    "KeyExists",
    "KeyNotAllowed",
    "KeyNotFound",
    "KeyProblem",
    "KeyTypeUnsupported",
    "Language",
    "MechanismUnsupported",
    "ModuleCrashed",
    "ModuleFault",
    "ModuleMissing",
    "ModuleProblem",
    "ModuleTimeout",
    "ModuleUnusable",
    "NamedTokenError",
    "OperationUnsupported",
    "PinError",
    "PinExpired",
    "PinFileMissing",
    "PinFileUnsafe",
    "PinFinalTry",
    "PinIncorrect",
    "PinInvalid",
    "PinLocked",
    "PinNotSet",
    "PinRefusedBefore",
    "PinRequired",
    "SoftHsmMissing",
    "Text",
    "TokenError",
    "TokenFault",
    "TokenFull",
    "TokenGone",
    "TokenNotFound",
    "TokenNotInitialised",
    "TokenRemoved",
    "TokenWriteProtected",
    "UriInvalid",
    "all_kinds",
    "rebuild",
]
