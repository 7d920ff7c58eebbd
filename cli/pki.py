"""`zhengyin pki`: certificates, their approval and revocation, CRLs, ceremonies, and what a lost key touched.

`--as` names the officer in whose name a change is recorded; the roles are those of the people register. Whoever may
run this on the server's own machine is trusted to name himself (docs/guide/pki.md).
"""

from __future__ import annotations

import typer

from cli import pki_authority, pki_enrolment, pki_impact, pki_listing, pki_outside, pki_rotation, pki_states

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
for group in (pki_listing, pki_enrolment, pki_states, pki_outside, pki_authority, pki_impact):
    app.add_typer(group.app)
app.add_typer(pki_rotation.app, name="rotate")
