"""Real SoftHSM tokens, one store per test; PIN markers in the test's own folder."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

from hardware.driver import process_driver
from hardware.softhsm import SoftHsmStore

USER_PIN, SO_PIN = "246810", "13579135"


def load_sibling(name: str):
    """A helper that lies beside the tests: with --import-mode=importlib they cannot import each other."""
    spec = importlib.util.spec_from_file_location(f"tests_hardware_{name}", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def sibling():
    return load_sibling


@pytest.fixture(autouse=True)
def state_folder(tmp_path, monkeypatch):
    """No test leaves a PIN marker in the account's own folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def store(tmp_path):
    store = SoftHsmStore(tmp_path / "softhsm")
    store.activate()
    return store


@pytest.fixture
def token(store):
    """TokenInfo of a fresh SoftHSM token 示例市."""
    return store.create("示例市测试", user_pin=USER_PIN, so_pin=SO_PIN)


@pytest.fixture(scope="session")
def faulty_library(tmp_path_factory):
    """The fault-injecting module, built with the system's C compiler."""
    built = tmp_path_factory.mktemp("faulty") / "faulty.so"
    source = Path(__file__).with_name("faulty_module.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", built, source, "-ldl"], check=True)
    return built


class Faulty:
    """The module and its faults; each test has a copy of its own, so that no host of another test serves it."""

    def __init__(self, module: Path, control: Path) -> None:
        self.module, self._control = str(module), control
        self.faults()

    def faults(self, **settings: int) -> None:
        """These faults and no others, from the next call on."""
        fresh = self._control.with_suffix(".new")
        fresh.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        fresh.rename(self._control)

    def seen(self, name: str) -> int:
        """How often the module saw `logins` or `signs`, over all processes."""
        path = Path(f"{self._control}.{name}")
        return int(path.read_text()) if path.exists() else 0


@pytest.fixture
def hosts_of():
    """The processes that this one has started to serve a module."""

    def found(module: str) -> list[int]:
        name = os.fsencode(os.path.realpath(module))
        return [
            int(folder.name)
            for folder in Path("/proc").glob("[0-9]*")
            if name in (arguments := _read(folder / "cmdline").split(b"\0"))
            and b"hardware.host_child" in arguments
            and _read(folder / "stat").rpartition(b")")[2].split()[1] == b"%d" % os.getpid()
        ]

    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b") ? 0"


@pytest.fixture
def faulty(faulty_library, store, token, tmp_path, monkeypatch):
    control, module, backend = tmp_path / "control", tmp_path / "vendor.so", tmp_path / "backend.so"
    module.write_bytes(faulty_library.read_bytes())
    # A copy has statics of its own: it stands beside the SoftHSM that this process has loaded.
    backend.write_bytes(Path(store.module).read_bytes())
    monkeypatch.setenv("FAULTY_BACKEND", str(backend))
    monkeypatch.setenv("FAULTY_CONTROL", str(control))
    yield Faulty(module, control)
    port = process_driver().modules.loaded(str(module))
    if port is not None:
        port.close()


# --- backends that are one a machine ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def opencryptoki():
    return load_sibling("opencryptoki_daemon").opencryptoki


@pytest.fixture(scope="module")
def ock(opencryptoki, tmp_path_factory):
    """openCryptoki's module, its daemon running on a token that was never initialised."""
    with opencryptoki(tmp_path_factory.mktemp("aside")) as module:
        yield module


@pytest.fixture(scope="session")
def piv_card():
    return load_sibling("piv_card")


@pytest.fixture(scope="session")
def pcsc():
    return load_sibling("pcsc_service")


@pytest.fixture
def pcscd(pcsc, tmp_path):
    """The port of a PC/SC service's one virtual reader."""
    with pcsc.pc_sc_service(tmp_path / "pcscd") as port:
        yield port
