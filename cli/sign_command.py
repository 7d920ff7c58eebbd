"""`zhengyin sign` as Typer reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.sign import DEFAULT_LEVEL, DEFAULT_PLACE, make_signature


def sign(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="IN.pdf", help="The PDF to sign; it is left as it is.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.pdf", help="Where the signed file goes.")],
    seal: Annotated[str | None, typer.Option(help="A seal of this home, such as: default.")] = None,
    key: Annotated[str | None, typer.Option(help="A key on a token, as an RFC 7512 URI (pkcs11:…).")] = None,
    level: Annotated[str, typer.Option(help="B-B, B-T, B-LT or B-LTA.")] = DEFAULT_LEVEL,
    place: Annotated[
        str, typer.Option(help="page=-1,right=20,bottom=20 (mm), keyword=盖章处, free, field=NAME, or edge (骑缝章).")
    ] = DEFAULT_PLACE,
    reason: Annotated[str, typer.Option(help="A reason to write into the signature.")] = "",
) -> None:
    """Sign or seal a PDF. The output begins with exactly the input's bytes and appears whole or not at all."""
    make_signature(ctx.obj.home, source, output, seal=seal, key=key, level=level, place=place, reason=reason)
