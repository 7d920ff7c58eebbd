"""No core dumps from a process that handles PINs: a dump would hold them."""

from __future__ import annotations

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """Sets the core size limit to 0, for good. On Linux the process is also marked as one that is not dumped: the limit
    alone does not hold where the kernel gives dumps to a program (core(5)). Does nothing on Windows."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
