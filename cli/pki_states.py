"""`zhengyin pki suspend|release|revoke|change-pin|unblock`: what happens to a certificate in use, and to its token."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.pki_home import actor_named, change_state, home_settings, moment, open_register, reason_named
from cli.pki_options import As, Which, WhyText

app = typer.Typer()


@app.command()
def suspend(ctx: typer.Context, which: Which, by: As, reason: WhyText) -> None:
    """Put a certificate on hold."""
    change_state(ctx, which, "suspend", by, reason)


@app.command()
def release(ctx: typer.Context, which: Which, by: As, reason: WhyText) -> None:
    """Lift a hold."""
    change_state(ctx, which, "release", by, reason)


@app.command()
def revoke(
    ctx: typer.Context,
    which: Which,
    by: As,
    reason: WhyText,
    code: Annotated[str, typer.Option(help="key_compromise, affiliation_changed, superseded, …")] = "unspecified",
    lost_at: Annotated[str, typer.Option(help="When the key is thought to have been lost, ISO 8601.")] = "",
    basis: Annotated[str, typer.Option(help="Legal basis.")] = "",
) -> None:
    """Revoke a certificate for good; OCSP and CRL say so at once."""
    change_state(ctx, which, "revoke", by, reason, code=reason_named(code), lost_at=moment(lost_at), basis=basis)


@app.command("change-pin")
def change_pin(
    ctx: typer.Context,
    which: Which,
    by: As,
    reason: WhyText = "例行更换 / routine",
    pin_file: Annotated[Path | None, typer.Option(help="Owner-only file with the present PIN; else asked for.")] = None,
    new_pin_file: Annotated[Path | None, typer.Option(help="Owner-only file with the new PIN; else asked for.")] = None,
) -> None:
    """Change the PIN of the token of a certificate: its holder, or an operator. Asked for without echo."""
    from hardware.care import change_pin as set_pin
    from hardware.pin_source import read_pin_file
    from signing_service.pki.token_care import logged_care

    with (
        open_register(ctx) as register,
        logged_care(register, which, "change_pin", actor_named(register, by), reason) as serial,
    ):
        old = read_pin_file(pin_file) if pin_file else typer.prompt("现 PIN / present PIN", hide_input=True, err=True)
        asked = "新 PIN / new PIN"
        new = (
            read_pin_file(new_pin_file)
            if new_pin_file
            else typer.prompt(asked, hide_input=True, confirmation_prompt=True, err=True)
        )
        set_pin(home_settings(ctx).token_module, serial=serial, old=old, new=new)


@app.command()
def unblock(
    ctx: typer.Context,
    which: Which,
    by: As,
    so_pin_file: Annotated[Path, typer.Option(help="Owner-only file with the SO PIN.", exists=True, dir_okay=False)],
    reason: WhyText,
) -> None:
    """Set a new PIN on the token of a certificate, with the security officer's PIN; asked for without echo."""
    from hardware.care import unblock as set_pin
    from hardware.pin_source import read_pin_file
    from signing_service.pki.token_care import logged_care

    with (
        open_register(ctx) as register,
        logged_care(register, which, "unblock", actor_named(register, by), reason) as (serial),
    ):
        new = typer.prompt("新 PIN / new PIN", hide_input=True, confirmation_prompt=True, err=True)
        module = home_settings(ctx).token_module
        set_pin(module, serial=serial, so_pin=read_pin_file(so_pin_file), new_pin=new)
