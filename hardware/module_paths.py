"""Where PKCS#11 modules live on this system, by file name."""

from __future__ import annotations

import os
import sys

_LINUX = (
    "/usr/lib/softhsm",
    "/usr/lib/x86_64-linux-gnu/softhsm",
    "/usr/lib/aarch64-linux-gnu/softhsm",
    "/usr/lib/x86_64-linux-gnu/pkcs11",
    "/usr/lib/aarch64-linux-gnu/pkcs11",
    "/usr/lib/loongarch64-linux-gnu/pkcs11",
    "/usr/lib64/pkcs11",
    "/usr/lib/pkcs11",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/loongarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib/softhsm",
    "/usr/local/lib",
)
_MACOS = ("/usr/local/lib", "/opt/homebrew/lib", "/opt/homebrew/lib/softhsm", "/Library/OpenSC/lib")
_WINDOWS = (r"C:\Windows\System32", r"C:\Program Files\OpenSC Project\OpenSC\pkcs11")


def module_folders() -> tuple[str, ...]:
    """The folders that are searched, in order, on this system."""
    if sys.platform == "win32":
        return _WINDOWS
    return _MACOS if sys.platform == "darwin" else _LINUX


def find_module(name: str) -> str | None:
    """Full path of the module `name` (a file name, or a path that is taken as it is); None if it is not there.

    In strings, not `pathlib`, which interns every part of every path: asked at each opening of a token, that makes
    Python build its table of interned strings anew again and again, each time in the memory of another thread.
    """
    if "/" in name or "\\" in name:
        return name if os.path.exists(name) else None
    for folder in module_folders():
        candidate = os.path.join(folder, name)
        if os.path.exists(candidate):
            return candidate
    return None


def runs_in_process(path: str) -> bool:
    """SoftHSM-class modules are loaded here; everything else gets a host process of its own."""
    return os.path.basename(os.path.realpath(path)) in {"libsofthsm2.so", "libsofthsm2.dylib", "softhsm2-x64.dll"}
