"""`zhengyin pki csr|trust|import`: certificates of outside (licensed) CAs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.pki_home import actor_named, open_register, open_usb_key
from cli.pki_options import As

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
) -> None:
    """Put an outside (licensed) CA on record, with its own revocation sources."""
    from signing_service.pki.outside import RevocationSources, add_outside_ca

    with open_register(ctx) as register:
        actor = actor_named(register, by)
        with register.database.write() as session:
            sources = RevocationSources(ocsp, crl_url)
            row = add_outside_ca(
                session, anchor.read_bytes(), actor, register.clock.now(), licence=licence, sources=sources
            )
            typer.echo(row.fingerprint)


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
    from signing_service.pki.csr import read_request
    from signing_service.pki.outside import record_outside
    from signing_service.pki.register import Holder

    asked = read_request(request_file.read_bytes())
    above = [path.read_bytes() for path in chain or ()]
    with open_register(ctx) as register:
        actor, holder = actor_named(register, by), Holder(owner, department)
        row = record_outside(register, profile, certificate.read_bytes(), above, asked, holder, actor)
        typer.echo(row.reference)
