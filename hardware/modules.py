"""The modules of this process: each loaded or hosted once, under its canonical path."""

from __future__ import annotations

import os
import threading

from .errors import ModuleMissing
from .module import LoadedModule
from .module_paths import find_module, runs_in_process
from .module_port import SECONDS, ModulePort


class Modules:
    """A registry. `_lock` guards `_ports`; a module, once loaded, stays: unloading one crashes."""

    def __init__(self, *, call_seconds: float = SECONDS) -> None:
        self._call_seconds = call_seconds
        self._lock = threading.Lock()
        self._ports: dict[str, ModulePort] = {}

    def port(self, module: str) -> ModulePort:
        """The module at a path, or known by file name; ModuleMissing."""
        path = canonical(module)
        with self._lock:
            port = self._ports.get(path)
            if port is None:
                port = self._ports[path] = LoadedModule(path) if runs_in_process(path) else self.fresh(path)
            return port

    def fresh(self, path: str) -> ModulePort:
        """A new host process for the module, beside whatever is loaded."""
        from .module_host import host  # a token in this process needs no host

        return host(path, seconds=self._call_seconds)

    def loaded(self, module: str) -> ModulePort | None:
        """The module if this process has it already."""
        with self._lock:
            return self._ports.get(canonical(module))


def canonical(module: str) -> str:
    """One name per library: symbolic links resolved, since the same library by two paths is initialised twice."""
    found = find_module(module)
    if found is None:
        raise ModuleMissing(module=module)
    return os.path.realpath(found)
