"""`zhengyin pki csr|trust|outside|take|import`: certificates of outside (licensed) CAs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.pki_home import actor_named, home_settings, open_register, open_usb_key, print_rows
from cli.pki_options import As, Json, Which

app = typer.Typer()


@app.command()
def csr(
    ctx: typer.Context,
    subject: Annotated[str, typer.Option(help="Common name.")],
    organization: Annotated[str, typer.Option(help="Organisation.")],
    token: Annotated[str, typer.Option(help="The token, as an RFC 7512 URI (pkcs11:serial=…).")],
    pin_file: Annotated[Path, typer.Option(help="Owner-only file with its PIN.", exists=True, dir_okay=False)],
    label: Annotated[str, typer.Option(help="Label of the key; made if there is none.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the request (DER) goes.")],
    key: Annotated[str, typer.Option(help="Kind of a new key.")] = "rsa2048",
) -> None:
    """A certificate request for a licensed CA, by a key on a token (an HSM's seal key, say)."""
    from signing_service.kernel.blobs import write_atomically
    from signing_service.pki.csr import build_request
    from signing_service.pki.names import subject_name

    with open_usb_key(ctx, token, pin_file) as opened:
        known = [entry for entry in opened.keys() if entry.label == label]  # noqa: SIM118  # a token is no mapping
        chosen = known[0] if len(known) == 1 else opened.generate(key, label=label, id=label.encode())
        name = subject_name(subject, organization=organization)
        write_atomically(output, build_request(chosen, chosen.public_key, name), mode=0o644)


@app.command()
def trust(
    ctx: typer.Context,
    anchor: Annotated[Path, typer.Argument(help="The outside CA's root, PEM or DER.", exists=True, dir_okay=False)],
    by: As,
    licence: Annotated[str, typer.Option(help="Number of its licence.")] = "",
    ocsp: Annotated[str, typer.Option(help="Its OCSP address, where its certificates do not say.")] = "",
    crl_url: Annotated[str, typer.Option("--crl", help="Its CRL address, where its certificates do not say.")] = "",
    purpose: Annotated[
        list[str] | None,
        typer.Option("--for", help="signers (officers, seals) or timestamps; may be given twice. Default: signers."),
    ] = None,
) -> None:
    """Put an outside (licensed) CA or timestamp authority on record, with its own revocation sources."""
    from signing_service.pki.outside import SIGNERS, add_outside_ca
    from signing_service.pki.outside_sources import Addresses

    purposes = purpose or [SIGNERS]
    with open_register(ctx) as register:
        actor = actor_named(register, by)
        with register.refusals_logged("trust", anchor.name, actor), register.database.write() as session:
            row = add_outside_ca(
                session, anchor.read_bytes(), actor, register.clock.now(), licence=licence,
                sources=Addresses(ocsp, crl_url), purposes=purposes,
            )  # fmt: skip
        typer.echo(row.fingerprint)


@app.command()
def outside(ctx: typer.Context, json_output: Json = False) -> None:
    """The outside CAs on record, what each is trusted for, and where it is asked."""
    from sqlalchemy import select

    from signing_service.pki.outside import OutsideCa

    with open_register(ctx) as register, register.database.read() as session:
        rows = [
            {"fingerprint": ca.fingerprint, "name": ca.name, "licence": ca.licence, "for": ca.purposes,
             "ocsp": ca.ocsp_url, "crl": ca.crl_url, "added_at": ca.added_at.isoformat()}
            for ca in session.scalars(select(OutsideCa).order_by(OutsideCa.added_at))
        ]  # fmt: skip
    print_rows(rows, json_output)


@app.command()
def take(
    ctx: typer.Context,
    which: Which,
    by: As,
    token: Annotated[str, typer.Option(help="The officer's USB key, as an RFC 7512 URI (pkcs11:serial=…).")],
    pin_file: Annotated[Path, typer.Option(help="Owner-only file with its PIN.", exists=True, dir_okay=False)],
    certificate: Annotated[Path, typer.Option(help="The certificate, PEM or DER.", exists=True, dir_okay=False)],
    chain: Annotated[list[Path] | None, typer.Option(help="A certificate above it.", exists=True)] = None,
) -> None:
    """Take an officer's existing certificate of an outside CA into an approved request; its key proves possession.

    Its CA is asked whether it is revoked. Then the officer activates it, like one of ours.
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    from cli.outside_parts import outside_status
    from signing_service.pki.certificate_chain import load_certificate
    from signing_service.pki.enrolment import activation_statement
    from signing_service.pki.outside import take_outside
    from signing_service.pki.register import fingerprint
    from signing_service.pki.signature_algorithms import algorithm_for

    der = load_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)
    above = [path.read_bytes() for path in chain or ()]
    with open_register(ctx) as register, open_usb_key(ctx, token, pin_file) as usb_key:
        key = usb_key.key(certificate=der)
        proof = key.sign(activation_statement(which, der), algorithm_for(key.public_key).mechanism)
        status = outside_status(home_settings(ctx), register.database, register.clock)
        actor = actor_named(register, by)
        taken = take_outside(register, which, der, [*above, *usb_key.certificates()], proof, actor, status)
        if taken not in usb_key.certificates():
            usb_key.store_certificate(taken, label=key.label, id=key.id)
        with register.database.write() as session:
            register.find(session, which).token_serial = usb_key.info.serial
    typer.echo(fingerprint(taken))


@app.command("import")
def import_(
    ctx: typer.Context,
    certificate: Annotated[Path, typer.Argument(help="The CA's answer, PEM or DER.", exists=True, dir_okay=False)],
    request_file: Annotated[Path, typer.Option("--csr", help="The request that was sent.", exists=True)],
    profile: Annotated[str, typer.Option(help="seal, tsa, …")],
    owner: Annotated[str, typer.Option(help="Such as seal:default.")],
    by: As,
    chain: Annotated[list[Path] | None, typer.Option(help="A certificate above it.", exists=True)] = None,
    department: Annotated[str, typer.Option(help="Department id.")] = "",
) -> None:
    """Take the certificate that an outside CA issued for a token's key."""
    from cli.outside_parts import outside_status
    from signing_service.pki.csr import read_request
    from signing_service.pki.outside import record_outside
    from signing_service.pki.register import Holder

    asked = read_request(request_file.read_bytes())
    above = [path.read_bytes() for path in chain or ()]
    with open_register(ctx) as register:
        actor, holder = actor_named(register, by), Holder(owner, department)
        status = outside_status(home_settings(ctx), register.database, register.clock)
        row = record_outside(register, profile, certificate.read_bytes(), above, asked, holder, actor, status)
        typer.echo(row.reference)
