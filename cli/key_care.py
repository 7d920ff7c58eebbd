"""The commands of `zhengyin keys` that change a token: its PINs, its keys and certificates, or all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hardware import care
from hardware.care_port import Care, Secret
from hardware.errors import Language, ManagementKeyIncorrect, Text
from hardware.pin_source import read_pin_file
from hardware.piv.places import FACTORY_PUK
from hardware.public_keys import algorithm_name, pem
from hardware.uri import TokenUri

from .key_options import (
    Confirm,
    FinalTry,
    ManagementKeyFile,
    ModuleOption,
    NewManagementKeyFile,
    NewPinFd,
    NewPinFile,
    NewSoPinFile,
    PinFd,
    PinFile,
    SoPinFd,
    SoPinFile,
    TokenArgument,
    asked_pin,
    certificate_der,
    confirm,
    given_pin,
    key_id,
    language_of,
    say,
    the_token,
)

_SO_PIN = Text("SO PIN（PUK）", "SO PIN (PUK)")
_NEW_SO_PIN = Text("新的 SO PIN（PUK）", "New SO PIN (PUK)")
_NEW_PIN = Text("新的用户 PIN", "New user PIN")
_DONE = Text("已完成。", "Done.")


def init(
    ctx: typer.Context,
    label: Annotated[str, typer.Option(help="The token's label.")],
    module: Annotated[str, typer.Option("--module", help="PKCS#11 module: path or file name.")],
    serial: Annotated[str | None, typer.Option(help="Erase this token; else the first empty one is taken.")] = None,
    so_pin_file: SoPinFile = None, so_pin_fd: SoPinFd = None,
    new_pin_file: NewPinFile = None, new_pin_fd: NewPinFd = None,
    confirm_serial: Confirm = None,
    new_so_pin_file: NewSoPinFile = None,
    new_management_key_file: NewManagementKeyFile = None,
) -> None:  # fmt: skip
    """Label a token and set its SO PIN and user PIN. With --serial everything on it is erased (factory reset)."""
    language = language_of(ctx)
    needs_so_pin = True
    if serial is not None:
        confirm(serial, confirm_serial, language)
        needs_so_pin = care.care_of(module, serial=serial).erasing_needs_so_pin
    so_pin = asked_pin(so_pin_file, so_pin_fd, _SO_PIN, language) if needs_so_pin else ""
    user_pin = asked_pin(new_pin_file, new_pin_fd, _NEW_PIN, language, twice=True)
    new_so_pin = read_pin_file(new_so_pin_file) if new_so_pin_file is not None else None
    if new_so_pin is None and not needs_so_pin:
        new_so_pin = asked_pin(None, None, _NEW_SO_PIN, language, twice=True)
    management = _management_key(new_management_key_file)
    made = care.initialise(
        module, label=label, so_pin=so_pin, user_pin=user_pin, serial=serial, new_so_pin=new_so_pin,
        management_key=management,
    )  # fmt: skip
    typer.echo(made.serial)
    if not needs_so_pin:
        _say_factory_secrets(language, new_so_pin, management)


def _management_key(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        return bytes.fromhex(read_pin_file(file))
    except ValueError as error:
        raise ManagementKeyIncorrect(detail="not hexadecimal") from error


def _say_factory_secrets(language: Language, so_pin: str | None, management: bytes | None) -> None:
    if management is None:
        say(
            language,
            Text(
                "管理密钥仍是出厂值，任何拿到此卡的人都能改写其证书；可用 --new-management-key-file 更换。",
                "The management key is still the factory's: whoever holds the card can write to it. Change it with "
                "--new-management-key-file.",
            ),
        )
    if so_pin == FACTORY_PUK:
        say(language, Text("PUK 仍是出厂值。", "The PUK is still the factory's."))


def reset(
    ctx: typer.Context, token: TokenArgument, module: ModuleOption = None, so_pin_file: SoPinFile = None,
    so_pin_fd: SoPinFd = None, new_pin_file: NewPinFile = None, new_pin_fd: NewPinFd = None,
    confirm_serial: Confirm = None, new_so_pin_file: NewSoPinFile = None,
    new_management_key_file: NewManagementKeyFile = None,
) -> None:  # fmt: skip
    """Erase everything on a token and set it up anew under the same label. PIV cards need no SO PIN for it."""
    info = the_token(token, module)
    init(
        ctx, info.label, info.module, info.serial, so_pin_file, so_pin_fd, new_pin_file, new_pin_fd, confirm_serial,
        new_so_pin_file, new_management_key_file,
    )  # fmt: skip


def pin(
    ctx: typer.Context, token: TokenArgument, module: ModuleOption = None, pin_file: PinFile = None,
    pin_fd: PinFd = None, new_pin_file: NewPinFile = None, new_pin_fd: NewPinFd = None,
    officer: Annotated[bool, typer.Option("--officer", help="Change the SO PIN (PUK) instead.")] = False,
    final_try: FinalTry = False,
    forget_refusals: Annotated[
        bool, typer.Option("--forget-refusals", help="Only forget which PINs were refused (changed elsewhere).")
    ] = False,
) -> None:  # fmt: skip
    """Change the PIN."""
    language, info = language_of(ctx), the_token(token, module)
    if forget_refusals:
        care.forget_refusals(info.serial)
    else:
        present = Text("现在的 PIN", "Present PIN") if not officer else _SO_PIN
        old = asked_pin(pin_file, pin_fd, present, language)
        new = asked_pin(new_pin_file, new_pin_fd, _NEW_SO_PIN if officer else _NEW_PIN, language, twice=True)
        care.change_pin(info.module, serial=info.serial, old=old, new=new, officer=officer, final_try=final_try)
    say(language, _DONE)


def unblock(
    ctx: typer.Context, token: TokenArgument, module: ModuleOption = None, so_pin_file: SoPinFile = None,
    so_pin_fd: SoPinFd = None, new_pin_file: NewPinFile = None, new_pin_fd: NewPinFd = None,
    final_try: FinalTry = False,
) -> None:  # fmt: skip
    """Set a new user PIN with the SO PIN (PUK), whether the old one is locked, forgotten or was never set."""
    language, info = language_of(ctx), the_token(token, module)
    so_pin = asked_pin(so_pin_file, so_pin_fd, _SO_PIN, language)
    new = asked_pin(new_pin_file, new_pin_fd, _NEW_PIN, language, twice=True)
    care.unblock(info.module, serial=info.serial, so_pin=so_pin, new_pin=new, final_try=final_try)
    say(language, Text("已解锁。", "Unblocked."))


def generate(
    ctx: typer.Context, token: TokenArgument,
    kind: Annotated[str, typer.Option(help="rsa2048, rsa3072, rsa4096, p256, p384 or ed25519.")],
    id: Annotated[str, typer.Option(help="CKA_ID in hexadecimal; PIV cards: 01 (9A) to 18 (95).")],
    label: Annotated[str, typer.Option(help="The key's label; PIV cards keep none.")] = "",
    public_key: Annotated[Path | None, typer.Option(help="Write the public key here (PEM).", dir_okay=False)] = None,
    module: ModuleOption = None, pin_file: PinFile = None, pin_fd: PinFd = None,
    management_key_file: ManagementKeyFile = None, final_try: FinalTry = False,
) -> None:  # fmt: skip
    """Make a key pair on the token. PIV cards want the management key, others the user's PIN."""
    info, language = the_token(token, module), language_of(ctx)
    way = care.care_of(info.module, serial=info.serial, final_try=final_try)
    secret = _secret(way, pin_file, pin_fd, management_key_file, language)
    made = way.generate(secret, kind, label=label, id=key_id(id))
    if public_key is not None:
        public_key.write_text(pem(made.public), "ascii")
    typer.echo(str(TokenUri.of(info, label=made.label, id=made.id)))
    say(language, Text(f"已生成 {algorithm_name(made.public)}。", f"Made: {algorithm_name(made.public)}."))


def import_certificate(
    ctx: typer.Context, token: TokenArgument,
    certificate: Annotated[Path, typer.Argument(help="The certificate, PEM or DER.", exists=True, dir_okay=False)],
    id: Annotated[str, typer.Option(help="CKA_ID in hexadecimal: that of its key.")],
    label: Annotated[str, typer.Option(help="The certificate's label; PIV cards keep none.")] = "",
    module: ModuleOption = None, pin_file: PinFile = None, pin_fd: PinFd = None,
    management_key_file: ManagementKeyFile = None, final_try: FinalTry = False,
) -> None:  # fmt: skip
    """Store a certificate beside its key."""
    info, der, language = the_token(token, module), certificate_der(certificate), language_of(ctx)
    way = care.care_of(info.module, serial=info.serial, final_try=final_try)
    secret = _secret(way, pin_file, pin_fd, management_key_file, language)
    way.import_certificate(secret, der, label=label, id=key_id(id))
    say(language, Text("已导入。", "Imported."))


def delete(
    ctx: typer.Context, token: TokenArgument,
    id: Annotated[str, typer.Option(help="CKA_ID in hexadecimal.")],
    module: ModuleOption = None, pin_file: PinFile = None, pin_fd: PinFd = None,
    management_key_file: ManagementKeyFile = None, confirm_serial: Confirm = None, final_try: FinalTry = False,
) -> None:  # fmt: skip
    """Destroy the key and certificates with an id. Confirmed by typing the token's serial."""
    info, language = the_token(token, module), language_of(ctx)
    confirm(info.serial, confirm_serial, language)
    way = care.care_of(info.module, serial=info.serial, final_try=final_try)
    gone = way.delete(_secret(way, pin_file, pin_fd, management_key_file, language), key_id(id))
    typer.echo(str(gone.objects))
    if gone.replaced:
        say(
            language,
            Text(
                "此卡没有删除密钥的命令：原密钥已被一个无人使用的新密钥覆盖，不可恢复。",
                "This card has no command to delete a key: a new one that nobody uses replaced it for good.",
            ),
        )


def _secret(
    way: Care, pin_file: Path | None, pin_fd: int | None, management_key_file: Path | None, language: Language
) -> str:
    """What this token asks of whoever writes to it."""
    if way.writes_with is Secret.USER_PIN:
        return asked_pin(pin_file, pin_fd, Text("PIN", "PIN"), language)
    given = given_pin(management_key_file, None)
    what = Text("管理密钥（十六进制）", "Management key (hexadecimal)")
    return given if given is not None else asked_pin(None, None, what, language)


def register(app: typer.Typer) -> None:
    """Adds the commands to `zhengyin keys`."""
    for command in (init, reset, pin, unblock, generate):
        app.command()(command)
    app.command("import")(import_certificate)
    app.command()(delete)
