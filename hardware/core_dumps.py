"""No core dumps from a process that handles PINs: a dump would hold them."""

from __future__ import annotations

import sys


def forbid_core_dumps() -> None:
    """Sets the core size limit to 0, for good. Does nothing on Windows."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
