"""`zhengyin pki rotate data-key|re-encrypt|lookup-key|re-hash|wrapping-key`: the keys under which holders' codes lie in
the database."""

from __future__ import annotations

import json
import secrets
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.pki_home import actor_named, home_settings, open_register
from cli.pki_options import As, Json
from signing_service.errors import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from cert_registry.licences.holder_vault import HolderVault
    from cert_registry.licences.re_encryption import Outcome
    from signing_service.custody.policy import CustodyPolicy
    from signing_service.kernel.database import Database
    from signing_service.settings import Settings

app = typer.Typer()
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would happen; change nothing.")]
WRAPPING_OVERLAP = timedelta(days=400)
"""An old wrapping key goes on unwrapping: a rotation that was cut off before the ring was rewritten is taken up."""


@app.command("data-key")
def data_key(ctx: typer.Context, by: As, dry_run: DryRun = False, json_output: Json = False) -> None:
    """A new data key for what is written from now on; what lies under the old ones stays readable."""
    from cert_registry.licences.holder_vault import KEY_BYTES
    from cli.data_keys import change_ring, load_ring
    from cli.opened_home import open_custody
    from signing_service.custody.structures import DATA
    from signing_service.pki.rotation import logged_rotation

    settings = home_settings(ctx)
    if dry_run:
        number = max(key.number for key in load_ring(settings).keys) + 1
        _say(ctx, {"would": Text(f"新建数据密钥 {number},此后写入用它", f"make data key {number} for new writes").in_(
            ctx.obj.language)}, json_output)  # fmt: skip
        return
    wrapping = open_custody(settings).service_keys(DATA)[0].public_key
    with open_register(ctx) as register, logged_rotation(register, "data-key", actor_named(register, by)) as record:
        fresh, now = secrets.token_bytes(KEY_BYTES), register.clock.now()
        ring = change_ring(settings, lambda before: before.with_new(fresh, wrapping, now))
        record.details |= {"present": ring.present, "keys": len(ring.keys)}
    _say(ctx, record.details, json_output)


@app.command("lookup-key")
def lookup_key(ctx: typer.Context, by: As, dry_run: DryRun = False, json_output: Json = False) -> None:
    """A new key for the hashes that find holders; those made under the old one are found as before."""
    from cert_registry.licences.holder_vault import KEY_BYTES
    from cli.data_keys import change_ring, load_ring
    from cli.opened_home import open_custody
    from signing_service.custody.structures import DATA
    from signing_service.pki.rotation import logged_rotation

    settings = home_settings(ctx)
    if dry_run:
        number = max(key.number for key in load_ring(settings).keys) + 1
        _say(ctx, {"would": Text(f"新建检索密钥 {number};此后写入用它,检索时新旧都查",
                                 f"make look-up key {number} for new writes; searches ask under old ones too").in_(
            ctx.obj.language)}, json_output)  # fmt: skip
        return
    wrapping = open_custody(settings).service_keys(DATA)[0].public_key
    with open_register(ctx) as register, logged_rotation(register, "lookup-key", actor_named(register, by)) as record:
        fresh, now = secrets.token_bytes(KEY_BYTES), register.clock.now()
        ring = change_ring(settings, lambda before: before.with_new_lookup(fresh, wrapping, now))
        record.details |= {"lookup": ring.lookup, "earlier": list(ring.earlier)}
    _say(ctx, record.details, json_output)


@app.command("re-hash")
def re_hash_(ctx: typer.Context, by: As, dry_run: DryRun = False, json_output: Json = False) -> None:
    """Hash what lies under earlier look-up keys anew. May be stopped and run again: it goes on where it was."""
    from cert_registry.licences.re_hashing import pending, re_hash

    _anew(ctx, by, pending, re_hash, ("lookup-key", "re_hashed"), dry_run, json_output)


@app.command("re-encrypt")
def re_encrypt_(ctx: typer.Context, by: As, dry_run: DryRun = False, json_output: Json = False) -> None:
    """Seal what lies under earlier data keys anew. May be stopped and run again: it goes on where it was."""
    from cert_registry.licences.re_encryption import pending, re_encrypt

    _anew(ctx, by, pending, re_encrypt, ("data-key", "re_encrypted"), dry_run, json_output)


def _anew(
    ctx: typer.Context,
    by: str,
    pending: Callable[[Database, HolderVault], int],
    run: Callable[[Database, HolderVault, Callable[[int], None]], Outcome],
    names: tuple[str, str],
    dry_run: bool,
    json_output: bool,
) -> None:
    """A job over every row, logged. `names`: the key's kind, and what was done in the record."""
    from cli.data_keys import HomeVault
    from cli.opened_home import open_custody
    from signing_service.pki.rotation import logged_rotation

    settings = home_settings(ctx)
    vault = HomeVault(settings, open_custody(settings))
    with open_register(ctx) as register:
        total = pending(register.database, vault)
        if dry_run:
            _say(ctx, {"pending": total}, json_output)
            return

        def tell(done: int) -> None:
            print(f"{done}/{total}", file=sys.stderr, flush=True)

        with logged_rotation(register, names[0], actor_named(register, by)) as record:
            outcome = run(register.database, vault, tell)
            record.details |= {names[1]: outcome.done, "unreadable": outcome.unreadable}
    _say(ctx, record.details, json_output)


@app.command("wrapping-key")
def wrapping_key(
    ctx: typer.Context,
    by: As,
    key: Annotated[str, typer.Option("--key", help="rsa3072 or rsa4096.")] = "rsa3072",
    dry_run: DryRun = False,
    json_output: Json = False,
) -> None:
    """A new token key that wraps the data keys, which are wrapped anew. Run again after an interruption: it only
    finishes what was begun."""
    from cli.data_keys import change_ring, load_ring, unwrap
    from cli.opened_home import open_custody
    from signing_service.custody.structures import DATA
    from signing_service.pki.rotation import logged_rotation

    settings = home_settings(ctx)
    custody, ring = open_custody(settings), load_ring(settings)
    present = custody.service_keys(DATA)[0].public_key
    begun = any(each.wrapped_by != present for each in ring.keys)
    if dry_run:
        words = Text("完成上次中断的重新包装", "finish the re-wrapping that was interrupted") if begun else Text(
            f"生成 {key} 包装密钥,重新包装 {len(ring.keys)} 个数据密钥",
            f"generate a {key} wrapping key and wrap {len(ring.keys)} data keys anew")  # fmt: skip
        _say(ctx, {"would": words.in_(ctx.obj.language)}, json_output)
        return
    with open_register(ctx) as register, logged_rotation(register, "wrapping-key", actor_named(register, by)) as record:
        if not begun:
            present = _new_wrapping_key(settings, key, present, register.clock.now() + WRAPPING_OVERLAP)
        change_ring(settings, lambda before: before.rewrapped(lambda each: unwrap(custody, each), present))
        record.details |= {"rewrapped": len(ring.keys), "new_key": not begun}
    _say(ctx, record.details, json_output)


def _new_wrapping_key(settings: Settings, kind: str, old: bytes, until: Any) -> bytes:
    """Made on the same token and put into custody's policy; its DER public key. Raises RotationRefused, TokenError."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from hardware.driver import open_token
    from hardware.pin_source import read_pin_file
    from signing_service.custody.policy import ServiceEntry, change_policy, load_policy
    from signing_service.custody.structures import DATA
    from signing_service.pki.rotation import RotationRefused

    if kind not in ("rsa3072", "rsa4096"):
        raise RotationRefused("包装密钥须为 rsa3072 或 rsa4096。", "A wrapping key is rsa3072 or rsa4096.")
    policy = load_policy(settings.custody)
    entry = policy.service(DATA)
    place = policy.tokens[entry.token]
    pin, key_id = settings.custody / place.pin_file, secrets.token_bytes(8)
    with open_token(place.module, serial=place.serial, pin=lambda: read_pin_file(pin), write=True) as token:
        made = token.generate(kind, label=f"data-{key_id.hex()}", id=key_id, decrypt=True)
        public = made.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def switched(now: CustodyPolicy) -> CustodyPolicy:
        if now.service(DATA).key_id != entry.key_id:
            raise RotationRefused("包装密钥正在另行轮换。", "The wrapping key was rotated meanwhile.")
        return now.with_service(DATA, now.service(DATA).succeeded_by(ServiceEntry(entry.token, key_id), old, until))

    change_policy(settings.custody, switched)
    return public


def _say(ctx: typer.Context, facts: dict[str, Any], json_output: bool) -> None:
    if json_output:
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for name, value in facts.items():
        typer.echo(f"{name}\t{value}")
