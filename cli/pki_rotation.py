"""`zhengyin pki rotate …`: service keys, PINs of service tokens, and what the overlap is (docs/guide/rotation.md).

It works on custody's own folder, so it is run under custody's account on custody's machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import data_key_rotation
from cli.pki_home import actor_named, home_settings, open_register
from cli.pki_options import As, Json
from signing_service.errors import Text

if TYPE_CHECKING:
    from signing_service.pki.rules import Actor

OVERLAP_DAYS = 7.0
app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Rotate keys and PINs, each with an overlap; see `status`."
)
app.add_typer(data_key_rotation.app)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would happen; change nothing.")]
Overlap = Annotated[float, typer.Option("--overlap-days", help="How long the old key goes on signing, in days.")]
KeyKind = Annotated[str, typer.Option("--key", help="Kind of the new key.")]


def _rotation(name: str) -> Callable[..., None]:
    def rotate(
        ctx: typer.Context, by: As, overlap_days: Overlap = OVERLAP_DAYS, key: KeyKind = "p256",
        dry_run: DryRun = False, json_output: Json = False,
    ) -> None:  # fmt: skip
        from cli import service_rotation
        from signing_service.pki.rotation import checked_overlap

        settings = home_settings(ctx)
        with open_register(ctx) as register:
            actor, now = actor_named(register, by), register.clock.now()
        chosen = service_rotation.plan(settings, name, key, checked_overlap(overlap_days), now)
        if dry_run:
            tell(ctx, chosen.steps(), json_output)
        else:
            _say_done(ctx, service_rotation.rotate(settings, chosen, actor), json_output)

    return rotate


_KINDS = {
    "tsa": "A new timestamp key; timestamps made before stay valid.",
    "ocsp": "A new key for the OCSP responder, without an interruption.",
    "simulation-ocsp": "A new key for the simulation CA's OCSP responder.",
    "evidence": "A new key for evidence answers (JWS).",
    "paper-code": "A new key for paper codes; codes on paper stay valid.",
    "log": "A new key for the audit log's checkpoints.",
}
for _name, _help in _KINDS.items():
    app.command(_name, help=_help)(_rotation(_name))


@app.command()
def status(ctx: typer.Context, json_output: Json = False) -> None:
    """Each service key and those that it replaced, with the end of their overlap."""
    from cli.service_rotation import status as look
    from signing_service.kernel.clock import SystemClock

    found = look(home_settings(ctx), SystemClock().now())
    if json_output:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for entry in found:
        typer.echo(f"{entry['name']}  {entry['token']}  {entry['certificate'][:16]}  {entry['not_after'][:10]}")
        for key in entry["earlier"]:
            words = Text("仍可签名,直到", "signs until") if key["signs"] else Text("已停止签名,自", "signed until")
            typer.echo(f"    {key['certificate'][:16]}  {words.in_(ctx.obj.language)} {key['until'][:16]}")


@app.command()
def finish(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="tsa, ocsp, simulation-ocsp, evidence, paper-code, log or wrapping-key.")],
    by: As,
    destroy: Annotated[bool, typer.Option(help="Destroy the old private keys too; asks first.")] = False,
    json_output: Json = False,
) -> None:
    """End the overlap now: from this moment the old keys sign nothing. Their certificates stay."""
    from cli import service_rotation
    from signing_service.pki.rotation import RotationRefused

    if name not in service_rotation.ENDED:
        listed = ", ".join(service_rotation.ENDED)
        raise RotationRefused(
            f"没有“{name}”这种服务。",
            f'There is no service "{name}".',
            Text(f"可用:{listed}。", f"Use one of: {listed}."),
        )
    if destroy:
        ask = Text(f"旧私钥销毁后不能恢复。请输入 {name} 确认", f"It cannot be undone. Type {name} to confirm")
        if typer.prompt(ask.in_(ctx.obj.language), err=True).strip() != name:
            raise RotationRefused("确认的名称不符。", "What was typed is another name.")
    settings = home_settings(ctx)
    with open_register(ctx) as register:
        actor = actor_named(register, by)
        done = service_rotation.finish(settings, register, name, actor, destroy=destroy)
    _say_done(ctx, done, json_output)


@app.command()
def pin(
    ctx: typer.Context,
    token: Annotated[str, typer.Argument(help="A service token by its name in custody's policy, such as services.")],
    by: As,
    officer: Annotated[bool, typer.Option("--officer", help="Change the SO PIN instead.")] = False,
    so_pin_file: Annotated[Path | None, typer.Option(help="Owner-only file with the present SO PIN.")] = None,
    new_so_pin_file: Annotated[Path | None, typer.Option(help="Owner-only file with the new SO PIN.")] = None,
    dry_run: DryRun = False,
    json_output: Json = False,
) -> None:
    """A new PIN for a service token, made here and kept in custody's own file; nobody need know it."""
    from signing_service.custody.pin_change import place_of
    from signing_service.custody.policy import load_policy

    settings = home_settings(ctx)
    place = place_of(load_policy(settings.custody), token)
    if dry_run:
        which = Text("SO PIN", "SO PIN") if officer else Text("PIN 和保管文件", "PIN and custody's file with it")
        tell(
            ctx,
            [Text(f"更换设备 {place.serial} 的 {which.zh}", f"change the {which.en} of token {place.serial}")],
            json_output,
        )
        return
    with open_register(ctx) as register:
        actor = actor_named(register, by)
    done = _officers(ctx, place, actor, so_pin_file, new_so_pin_file) if officer else _users(ctx, place, actor)
    _say_done(ctx, done, json_output)


def _users(ctx: typer.Context, place: Any, actor: Actor) -> dict[str, Any]:
    from cli.home import new_pin
    from signing_service.custody.pin_change import change_service_pin
    from signing_service.pki.rotation import logged_rotation

    with open_register(ctx) as register, logged_rotation(register, f"token:{place.serial}", actor) as record:
        change_service_pin(home_settings(ctx).custody, place, new_pin())
        record.details |= {"token": place.serial, "pin": "user"}
    return record.details


def _officers(
    ctx: typer.Context, place: Any, actor: Actor, present: Path | None, following: Path | None
) -> dict[str, Any]:
    from hardware.care import change_pin
    from hardware.pin_source import read_pin_file
    from signing_service.pki.rotation import logged_rotation

    with open_register(ctx) as register, logged_rotation(register, f"token:{place.serial}", actor) as record:
        old = read_pin_file(present) if present else typer.prompt("SO PIN", hide_input=True, err=True)
        ask = Text("新 SO PIN", "New SO PIN").in_(ctx.obj.language)
        new = (
            read_pin_file(following)
            if following
            else typer.prompt(ask, hide_input=True, confirmation_prompt=True, err=True)
        )
        change_pin(place.module, serial=place.serial, old=old, new=new, officer=True)
        record.details |= {"token": place.serial, "pin": "so"}
    return record.details


def tell(ctx: typer.Context, steps: list[Text], json_output: bool) -> None:
    """What a dry run found."""
    if json_output:
        typer.echo(json.dumps({"would": [step.in_(ctx.obj.language) for step in steps]}, ensure_ascii=False, indent=2))
        return
    for number, step in enumerate(steps, start=1):
        typer.echo(f"{number}. {step.in_(ctx.obj.language)}")


def _say_done(ctx: typer.Context, done: dict[str, Any], json_output: bool) -> None:
    if json_output:
        typer.echo(json.dumps(done, ensure_ascii=False, indent=2))
    else:
        typer.echo(Text("已轮换。", "Rotated.").in_(ctx.obj.language), err=True)
        for name, value in done.items():
            typer.echo(f"{name}\t{value}")
