"""What the commands of `zhengyin keys` have in common: options, finding the token, PINs, the typed serial."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from hardware.driver import find_token, list_tokens
from hardware.errors import Language, NamedTokenError, Text, TokenError, TokenNotFound
from hardware.pin_source import clean_pin, read_pin_descriptor, read_pin_file
from hardware.ports import TokenInfo
from hardware.uri import TokenUri

TokenArgument = Annotated[str, typer.Argument(metavar="TOKEN", help="A serial, or an RFC 7512 URI (pkcs11:…).")]
ModuleOption = Annotated[str | None, typer.Option("--module", help="PKCS#11 module: path or file name.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
PinFile = Annotated[Path | None, typer.Option("--pin-file", help="Owner-only file with the PIN.")]
PinFd = Annotated[int | None, typer.Option("--pin-fd", help="Open file descriptor with the PIN.")]
SoPinFile = Annotated[Path | None, typer.Option("--so-pin-file", help="Owner-only file with the SO PIN (PUK).")]
SoPinFd = Annotated[int | None, typer.Option("--so-pin-fd", help="Open file descriptor with the SO PIN.")]
NewSoPinFile = Annotated[
    Path | None, typer.Option("--new-so-pin-file", help="Owner-only file: changes a factory SO PIN (PUK) to this one.")
]
NewPinFile = Annotated[Path | None, typer.Option("--new-pin-file", help="Owner-only file with the new PIN.")]
NewPinFd = Annotated[int | None, typer.Option("--new-pin-fd", help="Open file descriptor with the new PIN.")]
Confirm = Annotated[str | None, typer.Option("--confirm-serial", help="The serial, instead of typing it when asked.")]
ManagementKeyFile = Annotated[
    Path | None, typer.Option("--management-key-file", help="Owner-only file with a PIV card's management key (hex).")
]
NewManagementKeyFile = Annotated[
    Path | None,
    typer.Option("--new-management-key-file", help="Owner-only file: a PIV card's new management key (hex)."),
]
FinalTry = Annotated[bool, typer.Option("--final-try", help="Consent to using the last PIN try.")]


class SerialNotConfirmed(NamedTokenError):
    """What cannot be undone is done only after the serial was typed."""

    code = "serial_not_confirmed"
    WHAT = Text("序列号不符，未做任何更改。", "The serial does not match; nothing was changed.")
    ADVICE = Text("请核对设备后重试。", "See that it is the right token, then try again.")


def language_of(ctx: typer.Context) -> Language:
    return ctx.obj.language if ctx.obj is not None else "zh"


def say(language: Language, text: Text) -> None:
    typer.echo(text.in_(language), err=True)


def the_token(token: str, module: str | None) -> TokenInfo:
    """The one token that is meant; every installed module is asked where none is named."""
    uri = TokenUri.parse(token) if token.lower().startswith("pkcs11:") else TokenUri(serial=token)
    named = module or uri.module_path or uri.module_name
    if named is not None:
        return find_token(uri, list_tokens(named))
    from hardware.discovery.survey import survey

    found = [info for scan in survey().modules for info in scan.tokens if info.initialised and uri.matches(info)]
    if not found:
        raise TokenNotFound(token=token)
    return find_token(uri, [found[0], *(info for info in found[1:] if info.serial != found[0].serial)])


def given_pin(file: Path | None, descriptor: int | None) -> str | None:
    if file is not None:
        return read_pin_file(file)
    return read_pin_descriptor(descriptor) if descriptor is not None else None


def asked_pin(file: Path | None, descriptor: int | None, what: Text, language: Language, *, twice: bool = False) -> str:
    given = given_pin(file, descriptor)
    if given is not None:
        return given
    return clean_pin(typer.prompt(what.in_(language), hide_input=True, confirmation_prompt=twice, err=True))


def confirm(serial: str, given: str | None, language: Language) -> None:
    ask = Text(
        f"此操作不可恢复。请输入序列号 {serial} 确认", f"This cannot be undone. Type the serial {serial} to confirm"
    )
    if given is None:
        typer.echo(f"{ask.in_(language)}: ", err=True, nl=False)
        # Without a text of its own: the last character of one would go to standard output.
        given = str(typer.prompt("", prompt_suffix="", err=True))
    if given.strip() != serial:
        raise SerialNotConfirmed


def key_id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise typer.BadParameter(text) from error


def certificate_der(path: Path) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    content = path.read_bytes()
    load: Callable[[bytes], x509.Certificate] = (
        x509.load_pem_x509_certificate if content.lstrip().startswith(b"-----") else x509.load_der_x509_certificate
    )
    try:
        return load(content).public_bytes(Encoding.DER)
    except (ValueError, x509.InvalidVersion) as error:
        raise TokenError(
            Text(f"{path} 不是证书。", f"{path} is not a certificate."),
            advice=Text("请给出 PEM 或 DER 格式的证书。", "Give a certificate in PEM or DER."),
        ) from error
