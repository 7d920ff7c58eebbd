"""`zhengyin agent`: the reviewer's PC. Pair once, then log in and sign; the agent dials out and never listens."""

from __future__ import annotations

import os
import tempfile
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from hardware.errors import ExplainedError, Language
from hardware.pin_source import read_pin_descriptor, read_pin_file
from signing_service.errors import Text

app = typer.Typer(
    help="The reviewer's PC: show, recompute, sign.", add_completion=False, rich_markup_mode=None,
    invoke_without_command=True,
)  # fmt: skip

ServerOption = Annotated[str, typer.Option("--server", help="Address of the server.")]
ModuleOption = Annotated[list[str] | None, typer.Option("--module", help="Driver (PKCS#11 module) of the USB key.")]
SerialOption = Annotated[str | None, typer.Option("--serial", help="Which USB key, where several are plugged in.")]
CaOption = Annotated[Path | None, typer.Option("--ca-file", help="Root certificates (PEM) of a private CA.")]
PinFile = Annotated[Path | None, typer.Option("--pin-file", help="Owner-only file with the PIN.")]
PinFd = Annotated[int | None, typer.Option("--pin-fd", help="Open file descriptor with the PIN.")]
StateOption = Annotated[Path | None, typer.Option("--state", help="Folder for pairings (default: the account's own).")]


@app.callback(invoke_without_command=True)
def agent(
    ctx: typer.Context,
    server: Annotated[str | None, typer.Option("--server", help="Address of the paired server.")] = None,
    module: ModuleOption = None,
    serial: SerialOption = None,
    ca_file: CaOption = None,
    pin_file: PinFile = None,
    pin_fd: PinFd = None,
    state: StateOption = None,
    terminal: Annotated[bool, typer.Option("--terminal", help="Work in the terminal, without a window.")] = False,
    consent: Annotated[bool, typer.Option("--yes", help="Terminal: consent to every list (for tests).")] = False,
    once: Annotated[bool, typer.Option("--once", help="Sign what waits now, then end.")] = False,
) -> None:
    """Wait for documents to sign, show them, and sign them with the USB key."""
    if ctx.invoked_subcommand is not None:
        return
    if server is None:
        raise typer.BadParameter("name the server with --server")
    from signing_service.agent.pairing import connect
    from signing_service.agent.work import WorkTable

    servers, key = _servers(state), _key(module, serial)
    paired = servers.find(server)
    read_pin = _pin_reader(pin_file, pin_fd)

    def run(surface: Any) -> None:
        table = WorkTable(connect(paired, ca_file=ca_file, language=_language(ctx)), key, surface, servers, paired.name)
        _loop(table, surface, once=once)

    if terminal or once or not _has_display():
        run(_terminal(_language(ctx), read_pin, consent=consent))
    else:
        from signing_service.agent.login import log_in
        from signing_service.agent.window import run_window

        def enter(surface: Any) -> None:
            log_in(connect(paired, ca_file=ca_file, language=_language(ctx)), key, surface, webbrowser.open)

        run_window(_language(ctx), run, enter)


@app.command("pair")
def pair_with_server(
    ctx: typer.Context,
    server: ServerOption,
    module: ModuleOption = None,
    serial: SerialOption = None,
    server_key: Annotated[str | None, typer.Option(help="The server key's fingerprint, from your sheet.")] = None,
    ca_file: CaOption = None,
    pin_file: PinFile = None,
    pin_fd: PinFd = None,
    state: StateOption = None,
) -> None:
    """Pair this PC with a server, proving your log-in certificate once."""
    from signing_service.agent.pairing import pair

    surface = _terminal(_language(ctx), _pin_reader(pin_file, pin_fd))
    made = pair(server, _key(module, serial), surface, _servers(state), server_key=server_key, ca_file=ca_file)
    surface.tell(Text(f"已与 {made.name} 配对。", f"Paired with {made.name}."))


@app.command("login")
def log_into_desk(
    ctx: typer.Context,
    server: ServerOption,
    module: ModuleOption = None,
    serial: SerialOption = None,
    ca_file: CaOption = None,
    pin_file: PinFile = None,
    pin_fd: PinFd = None,
    state: StateOption = None,
    print_address: Annotated[bool, typer.Option(help="Print the page's address instead of opening it.")] = False,
) -> None:
    """Open the desk in the browser and log in there with the USB key."""
    from signing_service.agent.login import log_in
    from signing_service.agent.pairing import connect

    paired = _servers(state).find(server)
    surface = _terminal(_language(ctx), _pin_reader(pin_file, pin_fd))
    show: Callable[[str], object] = (lambda address: print(address, flush=True)) if print_address else webbrowser.open
    log_in(connect(paired, ca_file=ca_file, language=_language(ctx)), _key(module, serial), surface, show)


def _loop(table: Any, surface: Any, *, once: bool) -> None:
    """Wait, sign, wait again. A named error is told and the agent goes on; only --once ends."""
    while True:
        try:
            found = table.next_list(wait=0) if once else table.next_list()
            if found is not None:
                count = table.sign_list(found)
                surface.tell(Text(f"已签 {count} 份。", f"{count} signed."))
        except ExplainedError as error:
            if once:
                raise
            surface.tell(Text(error.explain("zh"), error.explain("en")))
            surface.wait()
        if once:
            return


def _servers(state: Path | None) -> Any:
    from signing_service.agent.paired_servers import PairedServers, default_folder

    return PairedServers(state or default_folder())


def _key(modules: list[str] | None, serial: str | None) -> Any:
    """The modules named, else every driver that is installed for a known USB key."""
    from hardware.discovery.known_keys import known_keys
    from hardware.discovery.slots import installed_modules
    from signing_service.agent.officer_key import OfficerKey

    return OfficerKey(tuple(modules or installed_modules(known_keys())), serial)


def _terminal(language: Language, read_pin: Callable[[], str] | None, *, consent: bool = False) -> Any:
    from signing_service.agent.terminal import Terminal

    return Terminal(language, Path(tempfile.mkdtemp(prefix="zhengyin-pages-")), read_pin=read_pin, consent=consent)


def _pin_reader(file: Path | None, descriptor: int | None) -> Callable[[], str] | None:
    if file is not None:
        return lambda: read_pin_file(file)
    if descriptor is not None:
        pin = read_pin_descriptor(descriptor)
        return lambda: pin
    return None


def _has_display() -> bool:
    return os.name == "nt" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _language(ctx: typer.Context) -> Language:
    language: Language = ctx.obj.language
    return language
