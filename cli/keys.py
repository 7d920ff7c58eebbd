"""`zhengyin keys`: USB keys and other tokens. Data on stdout (`--json`: one document), messages on stderr.

PINs come by prompt, `--pin-file` or `--pin-fd`, never as an argument or in the environment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hardware import care
from hardware.driver import find_token, list_tokens, open_token
from hardware.errors import Language, NamedTokenError, Text, TokenError, TokenNotFound
from hardware.pairing import may_sign_documents
from hardware.pin_source import clean_pin, read_pin_descriptor, read_pin_file
from hardware.ports import TokenInfo
from hardware.public_keys import algorithm_name
from hardware.uri import TokenUri

app = typer.Typer(help="USB keys and other tokens.", no_args_is_help=True, add_completion=False, rich_markup_mode=None)

TokenArgument = Annotated[str, typer.Argument(metavar="TOKEN", help="A serial, or an RFC 7512 URI (pkcs11:…).")]
ModuleOption = Annotated[str | None, typer.Option("--module", help="PKCS#11 module: path or file name.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
PinFile = Annotated[Path | None, typer.Option("--pin-file", help="Owner-only file with the PIN.")]
PinFd = Annotated[int | None, typer.Option("--pin-fd", help="Open file descriptor with the PIN.")]
SoPinFile = Annotated[Path | None, typer.Option("--so-pin-file", help="Owner-only file with the SO PIN (PUK).")]
SoPinFd = Annotated[int | None, typer.Option("--so-pin-fd", help="Open file descriptor with the SO PIN.")]
NewSoPinFile = Annotated[Path | None, typer.Option(help="Owner-only file: changes a factory SO PIN to this one.")]
NewPinFile = Annotated[Path | None, typer.Option("--new-pin-file", help="Owner-only file with the new PIN.")]
NewPinFd = Annotated[int | None, typer.Option("--new-pin-fd", help="Open file descriptor with the new PIN.")]
Confirm = Annotated[str | None, typer.Option("--confirm-serial", help="The serial, instead of typing it when asked.")]
FinalTry = Annotated[bool, typer.Option("--final-try", help="Consent to using the last PIN try.")]


class SerialNotConfirmed(NamedTokenError):
    """What cannot be undone is done only after the serial was typed."""

    code = "serial_not_confirmed"
    WHAT = Text("序列号不符，未做任何更改。", "The serial does not match; nothing was changed.")
    ADVICE = Text("请核对设备后重试。", "See that it is the right token, then try again.")


# --- seeing ----------------------------------------------------------------------------------------------------


@app.command("list")
def list_keys(
    ctx: typer.Context,
    module: Annotated[list[str] | None, typer.Option("--module", help="Ask these modules only.")] = None,
    known_keys: Annotated[Path | None, typer.Option(help="Your own table of USB keys (CSV), matched first.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on: print the table again whenever it changes.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Which keys are plugged in, which module serves each, and which driver is missing."""
    from hardware.discovery.changes import Changes
    from hardware.discovery.survey import survey

    language = _language(ctx)
    changes = Changes() if watch else None
    seen = survey(modules=module or None, known=known_keys)
    if not seen.usb.available:
        _say(language, Text(f"无法扫描 USB：{seen.usb.reason}。", f"USB scan unavailable: {seen.usb.reason}."))
    rows = _rows(seen.rows, language)
    _print_table(rows, as_json)
    if changes is None:
        return
    for _ in changes:
        fresh = _rows(survey(modules=module or None, known=known_keys).rows, language)
        if fresh != rows:
            rows = fresh
            _print_table(rows, as_json)


def _rows(found: Sequence[Any], language: Language) -> list[dict[str, str]]:
    return [
        {
            "name": row.name,
            "state": row.state,
            "serial": row.serial,
            "label": row.label,
            "pin": row.pin or "",
            "module": row.module,
            "reader": row.reader,
            "usb_id": row.usb_id,
            "usb_serial": row.usb_serial,
            "advice": row.advice.in_(language) if row.advice else "",
        }
        for row in found
    ]


def _print_table(rows: list[dict[str, str]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"keys": rows}, ensure_ascii=False))
    for row in [] if as_json else rows:
        parts = [row["state"], row["serial"] or "-", row["label"] or "-", row["pin"] or "-", row["name"], row["module"]]
        typer.echo("\t".join(parts) + (f"\t{row['advice']}" if row["advice"] else ""))
    sys.stdout.flush()


@app.command()
def doctor(
    ctx: typer.Context,
    module: Annotated[list[str] | None, typer.Option("--module", help="Examine these modules only.")] = None,
    known_keys: Annotated[Path | None, typer.Option(help="Your own table of USB keys (CSV), matched first.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What is wrong with keys, drivers and services, without a PIN. Exit code 1 if something needs doing."""
    from hardware.doctor.examination import examine

    findings, language = examine(modules=module or None, known=known_keys), _language(ctx)
    if as_json:
        typer.echo(json.dumps({"findings": [asdict(finding) for finding in findings]}, ensure_ascii=False))
    for finding in [] if as_json else findings:
        advice = f" {finding.advice.in_(language)}" if finding.advice else ""
        typer.echo(f"{finding.level}\t{finding.code}\t{finding.subject}\t{finding.what.in_(language)}{advice}")
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


@app.command()
def show(
    token: TokenArgument, module: ModuleOption = None, pin_file: PinFile = None, pin_fd: PinFd = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Certificates and public keys of a token; with a PIN its private keys and their pairing."""
    info = _find(token, module)
    pin = _given_pin(pin_file, pin_fd)
    with open_token(info.module, serial=info.serial, pin=pin) as opened:
        keys = [
            {"id": key.id.hex(), "label": key.label, "type": algorithm_name(key.public_key_info), "uri": key.uri}
            for key in (opened.keys() if pin is not None else [])
        ]
        certificates = [_certificate(der) for der in opened.certificates()]
        facts = {"serial": info.serial, "label": info.label, "model": info.model, "pin": opened.info.user_pin.value}
    if as_json:
        typer.echo(json.dumps({**facts, "keys": keys, "certificates": certificates}, ensure_ascii=False))
        return
    typer.echo("\t".join(facts.values()))
    for kind, each in [*(("key", key) for key in keys), *(("certificate", found) for found in certificates)]:
        typer.echo("\t".join([kind, *map(str, each.values())]))


def _certificate(der: bytes) -> dict[str, Any]:
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(der)
    return {
        "subject": certificate.subject.rfc4514_string(),
        "serial_number": f"{certificate.serial_number:x}",
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "signs": may_sign_documents(der),
    }


# --- care ------------------------------------------------------------------------------------------------------


@app.command()
def init(
    ctx: typer.Context,
    label: Annotated[str, typer.Option(help="The token's label.")],
    module: Annotated[str, typer.Option("--module", help="PKCS#11 module: path or file name.")],
    serial: Annotated[str | None, typer.Option(help="Erase this token; else the first empty one is taken.")] = None,
    so_pin_file: SoPinFile = None, so_pin_fd: SoPinFd = None,
    new_pin_file: NewPinFile = None, new_pin_fd: NewPinFd = None,
    confirm_serial: Confirm = None,
    new_so_pin_file: NewSoPinFile = None,
) -> None:  # fmt: skip
    """Label a token and set its SO PIN and user PIN. With --serial everything on it is erased (factory reset)."""
    language = _language(ctx)
    if serial is not None:
        _confirm(serial, confirm_serial, language)
    so_pin = _pin(so_pin_file, so_pin_fd, Text("SO PIN", "SO PIN"), language)
    user_pin = _pin(new_pin_file, new_pin_fd, Text("新的用户 PIN", "New user PIN"), language, twice=True)
    new_so = read_pin_file(new_so_pin_file) if new_so_pin_file is not None else None
    made = care.initialise(module, label=label, so_pin=so_pin, user_pin=user_pin, serial=serial, new_so_pin=new_so)
    typer.echo(made.serial)


@app.command()
def reset(
    ctx: typer.Context, token: TokenArgument, module: ModuleOption = None, so_pin_file: SoPinFile = None,
    so_pin_fd: SoPinFd = None, new_pin_file: NewPinFile = None, new_pin_fd: NewPinFd = None,
    confirm_serial: Confirm = None,
) -> None:  # fmt: skip
    """Erase everything on a token and set it up anew under the same label."""
    info = _find(token, module)
    init(ctx, info.label, info.module, info.serial, so_pin_file, so_pin_fd, new_pin_file, new_pin_fd, confirm_serial)


@app.command()
def pin(
    ctx: typer.Context, token: TokenArgument, module: ModuleOption = None, pin_file: PinFile = None,
    pin_fd: PinFd = None, new_pin_file: NewPinFile = None, new_pin_fd: NewPinFd = None,
    officer: Annotated[bool, typer.Option("--officer", help="Change the SO PIN instead.")] = False,
    final_try: FinalTry = False,
    forget_refusals: Annotated[
        bool, typer.Option("--forget-refusals", help="Only forget which PINs were refused (changed elsewhere).")
    ] = False,
) -> None:  # fmt: skip
    """Change the PIN."""
    language, info = _language(ctx), _find(token, module)
    if forget_refusals:
        care.forget_refusals(info.serial)
    else:
        old = _pin(pin_file, pin_fd, Text("现在的 PIN", "Present PIN"), language)
        new = _pin(new_pin_file, new_pin_fd, Text("新 PIN", "New PIN"), language, twice=True)
        care.change_pin(info.module, serial=info.serial, old=old, new=new, officer=officer, final_try=final_try)
    _say(language, Text("已完成。", "Done."))


@app.command()
def unblock(
    ctx: typer.Context, token: TokenArgument, module: ModuleOption = None, so_pin_file: SoPinFile = None,
    so_pin_fd: SoPinFd = None, new_pin_file: NewPinFile = None, new_pin_fd: NewPinFd = None,
) -> None:  # fmt: skip
    """Set a new user PIN with the SO PIN, whether the old one is locked, forgotten or was never set."""
    language, info = _language(ctx), _find(token, module)
    so_pin = _pin(so_pin_file, so_pin_fd, Text("SO PIN", "SO PIN"), language)
    new = _pin(new_pin_file, new_pin_fd, Text("新 PIN", "New PIN"), language, twice=True)
    care.unblock(info.module, serial=info.serial, so_pin=so_pin, new_pin=new)
    _say(language, Text("已解锁。", "Unblocked."))


@app.command()
def generate(
    ctx: typer.Context, token: TokenArgument,
    kind: Annotated[str, typer.Option(help="rsa2048, rsa3072, rsa4096, p256, p384 or ed25519.")],
    id: Annotated[str, typer.Option(help="CKA_ID in hexadecimal.")],
    label: Annotated[str, typer.Option(help="The key's label.")] = "",
    module: ModuleOption = None, pin_file: PinFile = None, pin_fd: PinFd = None, so_pin_file: SoPinFile = None,
    so_pin_fd: SoPinFd = None,
) -> None:  # fmt: skip
    """Make a key pair on the token. PIV cards want the officer's PIN (--so-pin-file), others the user's."""
    info = _find(token, module)
    officer, user = _writer(ctx, so_pin_file, so_pin_fd, pin_file, pin_fd)
    with open_token(info.module, serial=info.serial, pin=user, write=True) as opened:
        key = opened.generate(kind, label=label, id=_id(id), so_pin=officer)
        typer.echo(key.uri)


@app.command("import")
def import_certificate(
    ctx: typer.Context, token: TokenArgument,
    certificate: Annotated[Path, typer.Argument(help="The certificate, PEM or DER.")],
    id: Annotated[str, typer.Option(help="CKA_ID in hexadecimal: that of its key.")],
    label: Annotated[str, typer.Option(help="The certificate's label.")] = "",
    module: ModuleOption = None, pin_file: PinFile = None, pin_fd: PinFd = None, so_pin_file: SoPinFile = None,
    so_pin_fd: SoPinFd = None,
) -> None:  # fmt: skip
    """Store a certificate beside its key."""
    info, der = _find(token, module), _der(certificate)
    officer, user = _writer(ctx, so_pin_file, so_pin_fd, pin_file, pin_fd)
    with open_token(info.module, serial=info.serial, pin=user, write=True) as opened:
        opened.store_certificate(der, label=label, id=_id(id), so_pin=officer)
    _say(_language(ctx), Text("已导入。", "Imported."))


@app.command()
def delete(
    ctx: typer.Context, token: TokenArgument,
    id: Annotated[str, typer.Option(help="CKA_ID in hexadecimal.")],
    module: ModuleOption = None, pin_file: PinFile = None, pin_fd: PinFd = None, so_pin_file: SoPinFile = None,
    so_pin_fd: SoPinFd = None, confirm_serial: Confirm = None,
) -> None:  # fmt: skip
    """Destroy the key and certificates with an id. Confirmed by typing the token's serial."""
    info, language = _find(token, module), _language(ctx)
    _confirm(info.serial, confirm_serial, language)
    officer, user = _writer(ctx, so_pin_file, so_pin_fd, pin_file, pin_fd)
    with open_token(info.module, serial=info.serial, pin=user, write=True) as opened:
        typer.echo(str(opened.delete(id=_id(id), so_pin=officer)))


# --- inside ----------------------------------------------------------------------------------------------------


def _language(ctx: typer.Context) -> Language:
    return ctx.obj.language if ctx.obj is not None else "zh"


def _say(language: Language, text: Text) -> None:
    typer.echo(text.in_(language), err=True)


def _find(token: str, module: str | None) -> TokenInfo:
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


def _given_pin(file: Path | None, descriptor: int | None) -> str | None:
    if file is not None:
        return read_pin_file(file)
    return read_pin_descriptor(descriptor) if descriptor is not None else None


def _pin(file: Path | None, descriptor: int | None, what: Text, language: Language, *, twice: bool = False) -> str:
    given = _given_pin(file, descriptor)
    if given is not None:
        return given
    return clean_pin(typer.prompt(what.in_(language), hide_input=True, confirmation_prompt=twice, err=True))


def _writer(
    ctx: typer.Context, so_file: Path | None, so_fd: int | None, file: Path | None, descriptor: int | None
) -> tuple[str | None, str | None]:
    """(officer's PIN, user's PIN): one of them."""
    officer = _given_pin(so_file, so_fd)
    if officer is not None:
        return officer, None
    return None, _pin(file, descriptor, Text("PIN", "PIN"), _language(ctx))


def _confirm(serial: str, given: str | None, language: Language) -> None:
    ask = Text(
        f"此操作不可恢复。请输入序列号 {serial} 确认", f"This cannot be undone. Type the serial {serial} to confirm"
    )
    typed = given if given is not None else typer.prompt(ask.in_(language), err=True)
    if typed.strip() != serial:
        raise SerialNotConfirmed


def _id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise typer.BadParameter(text) from error


def _der(path: Path) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    content = path.read_bytes()
    load: Callable[[bytes], x509.Certificate] = (
        x509.load_pem_x509_certificate if content.lstrip().startswith(b"-----") else x509.load_der_x509_certificate
    )
    try:
        return load(content).public_bytes(Encoding.DER)
    except ValueError as error:
        raise TokenError(
            Text(f"{path} 不是证书。", f"{path} is not a certificate."),
            advice=Text("请给出 PEM 或 DER 格式的证书。", "Give a certificate in PEM or DER."),
        ) from error
