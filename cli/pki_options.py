"""Options that several commands of `zhengyin pki` share."""

from __future__ import annotations

from typing import Annotated

import typer

Which = Annotated[str, typer.Argument(help="Reference or SHA-256 fingerprint of the certificate.")]
As = Annotated[str, typer.Option("--as", help="Officer in whose name it is done; needs the role.")]
WhyText = Annotated[str, typer.Option("--reason", help="A sentence for the record.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
