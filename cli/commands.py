"""The commands of `zhengyin` as Typer reads them: global options, and groups that are loaded when first named."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperGroup

from cli.invocation import DEFAULT_HOME, HOME_VARIABLE, Invocation, language_of_terminal

# name: (module, attribute, one line of help). Modules load only when named, so that `sign` and `keys` start quickly.
COMMANDS = {
    "init": ("cli.init", "init", "Make a home: settings, database, tokens, certificates, a seal."),
    "demo": ("cli.demo", "demo", "The whole main job, from a case to a verified print."),
    "serve": ("cli.serve", "serve", "Start custody, the web server and the worker of a home."),
    "worker": ("cli.serve", "worker", "Start the worker of a home."),
    "custody": ("cli.serve", "custody", "Start the process that owns the service tokens."),
    "agent": ("cli.agent", "app", "The reviewer's PC: show, recompute, sign."),
    "doctor": ("cli.doctor", "doctor", "Look for what is wrong with a home."),
    "backup": ("cli.backup", "backup", "Write a home to one file, also while it is in use."),
    "restore": ("cli.backup", "restore", "Make a home from a backup, and check it."),
    "upgrade": ("cli.upgrade", "upgrade", "Bring a home of an earlier version to this one."),
    "keys": ("cli.keys", "app", "USB keys and other tokens."),
    "pki": ("cli.pki", "app", "Certificates, revocation, ceremonies."),
    "seals": ("cli.seals", "app", "Electronic seals."),
    "sign": ("cli.sign_command", "sign", "Sign or seal a PDF."),
    "verify": ("cli.verify", "verify", "Judge a PDF's signatures and seals."),
    "approvals": ("cli.approvals", "app", "Cases and their course."),
    "licences": ("cli.licences", "app", "Electronic licences."),
    "print": ("cli.print_copies", "app", "Print copies and paper codes."),
    "audit": ("cli.audit", "app", "The audit log: checkpoints, evidence, checking it."),
}


class LazyCommands(TyperGroup):
    """Imports the module of a command only when that command is named."""

    table: ClassVar[Mapping[str, tuple[str, str, str]]] = COMMANDS

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.table:
            return None
        module, attribute, summary = self.table[cmd_name]
        found = getattr(importlib.import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            found = _alone(found)
        command = typer.main.get_command(found)
        command.name, command.short_help = cmd_name, summary
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in self.table.items()])


# Rich tracebacks print local variables, among them PINs: off everywhere.
PLAIN: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None, "pretty_exceptions_enable": False}


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zhengyin {version('zhengyin')}")
        raise typer.Exit


def zhengyin(
    ctx: typer.Context,
    home: Annotated[Path, typer.Option(envvar=HOME_VARIABLE, help="The home folder.")] = Path(DEFAULT_HOME),
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version and end.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Zhengyin (政印): digital signatures, electronic seals and electronic licences for a city government."""
    ctx.obj = Invocation(home=home.resolve(), language=language_of_terminal())


def program(commands: type[LazyCommands]) -> typer.Typer:
    """The program with these command groups."""
    made = typer.Typer(cls=commands, no_args_is_help=True, **PLAIN)
    made.callback()(zhengyin)
    return made


app = program(LazyCommands)


def _alone(function: Any) -> typer.Typer:
    single = typer.Typer(**PLAIN)
    single.command()(function)
    return single
