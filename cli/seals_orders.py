"""`zhengyin seals order`: a holder's standing orders and emergency orders of two persons — drafted, signed, withdrawn.

`sign` needs no home: the person runs it on the PC that the USB key is plugged into, reads what is to be signed, and
gives the file back (here with `add`, or on the page).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.pki_home import home_settings, print_rows
from cli.seals_parts import As, Json, Reason, Seal, actor_named, open_register, print_document, read_bytes
from signing_service.errors import Text

if TYPE_CHECKING:
    from cli.emergency_sealing import EmergencySealing
    from signing_service.pki.ports import SigningKey
    from signing_service.seals.authorisation import Authorisation
    from signing_service.seals.seal_tables import SealOrder

Order = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="Where the file is written.")]


def add_orders(app: typer.Typer) -> None:
    """Register the commands of this module."""
    words = "Standing orders of holders, and emergency orders of two persons."
    sub = typer.Typer(help=words, no_args_is_help=True, rich_markup_mode=None)
    for name, command in (
        ("draft", draft), ("emergency", emergency), ("export", export), ("sign", sign), ("add", add), ("apply", apply),
        ("withdraw", withdraw), ("list", orders),
    ):  # fmt: skip
        sub.command(name)(command)
    app.add_typer(sub, name="order")


def draft(
    ctx: typer.Context,
    seal: Seal,
    document_type: Annotated[str, typer.Option("--type", help="The type of document that may be sealed.")],
    count: Annotated[int, typer.Option(help="How many documents.")],
    by: As,
    days: Annotated[int, typer.Option(help="For how many days, at most 366.")] = 365,
    as_json: Json = False,
) -> None:
    """Draft a standing order, as the seal's holder, who then signs it."""
    from signing_service.seals.authorisation import standing_order
    from signing_service.seals.order_book import OrderBook

    with open_register(ctx) as register:
        begin = register.clock.now().replace(microsecond=0)
        what = standing_order(seal, document_type, count, not_before=begin, until=begin + timedelta(days=days))
        order = OrderBook(register).draft(what, actor_named(register, by))
    print_document(_json(order), as_json)


def emergency(
    ctx: typer.Context,
    seal: Seal,
    source: Annotated[Path, typer.Argument(metavar="IN.pdf", help="The one document to be sealed.")],
    document_type: Annotated[str, typer.Option("--type", help="Its type, for the conditions of use.")],
    by: As,
    reason: Reason = "",
    hours: Annotated[int, typer.Option(help="For how many hours, at most 24.")] = 4,
    place: Annotated[str, typer.Option(help="As for zhengyin sign.")] = "page=-1,right=20,bottom=20",
    as_json: Json = False,
) -> None:
    """Draft an emergency order for one document while the holder is absent; two appointed persons sign it."""
    from cli.sign import parse_place

    pdf, placing = read_bytes(source), parse_place(place)
    with _emergencies(ctx) as desk:
        actor = actor_named(desk.register, by)
        print_document(_json(desk.draft(seal, pdf, placing, document_type, reason, hours, actor)), as_json)


def export(ctx: typer.Context, order: Order, output: Output, as_json: Json = False) -> None:
    """Write an order to a file, to be signed with `seals order sign` on the PC with the USB key."""
    from signing_service.kernel.blobs import write_atomically
    from signing_service.seals.order_book import OrderBook

    with open_register(ctx) as register:
        write_atomically(output, OrderBook(register).find(order).encoded, mode=0o644)
    print_document({"order": order, "file": str(output)}, as_json)


def sign(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The order, as exported or downloaded.")],
    output: Output,
    key: Annotated[str, typer.Option(help="RFC 7512 URI of the signing key on the USB key.")],
    module: Annotated[str, typer.Option(help="Driver (PKCS#11 module) of the USB key; default: the home's.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Consent to what is shown (for scripts).")] = False,
    as_json: Json = False,
) -> None:
    """Read an order, consent to it, and sign it with the USB key. Needs no home where --module is given."""
    from cli.sign import token_key
    from signing_service.kernel.blobs import write_atomically
    from signing_service.seals.authorisation import Authorisation
    from signing_service.seals.holder_signature import SignedAuthorisation

    order = SignedAuthorisation.decode(read_bytes(file))
    what = Authorisation.from_statement(order.statement)
    typer.echo(_in_words(what).in_(ctx.obj.language), err=True)
    if not yes:
        typer.confirm(Text("同意并签署?", "Consent and sign?").in_(ctx.obj.language), abort=True, err=True)
    signed = _signed(order, token_key(module or home_settings(ctx).token_module, key))
    write_atomically(output, signed.encode(), mode=0o644)
    print_document({"order": what.id, "file": str(output), "signatures": len(signed.signatures)}, as_json)


def add(
    ctx: typer.Context,
    order: Order,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The signed order.")],
    by: As,
    as_json: Json = False,
) -> None:
    """Take in a signed order; it is in force when all signatures that it needs are there."""
    from cli.opened_home import open_custody
    from signing_service.seals.order_book import OrderBook

    signed = read_bytes(file)
    with open_register(ctx) as register:
        book = OrderBook(register)
        pinned = open_custody(home_settings(ctx)).pinned(book.find(order).seal_id)
        kept = book.add_signature(order, signed, pinned, actor_named(register, by))
    print_document(_json(kept), as_json)


def apply(ctx: typer.Context, order: Order, output: Output, by: As, as_json: Json = False) -> None:
    """Seal the document of an emergency order that both persons signed."""
    from signing_service.kernel.blobs import write_atomically

    with _emergencies(ctx) as desk:
        sealed = desk.carry_out(order, actor_named(desk.register, by))
        write_atomically(output, sealed, mode=0o644)
    print_document({"order": order, "file": str(output)}, as_json)


def withdraw(ctx: typer.Context, order: Order, by: As, reason: Reason = "", as_json: Json = False) -> None:
    """Withdraw an order, as holder or administrator: custody seals nothing more under it. Cannot be undone."""
    from cli.opened_home import open_custody
    from signing_service.seals.order_book import OrderBook

    with open_register(ctx) as register:
        book = OrderBook(register)
        book.withdraw(order, reason, actor_named(register, by), tell=open_custody(home_settings(ctx)).withdraw)
        print_document(_json(book.find(order)), as_json)


def orders(ctx: typer.Context, seal: Seal, as_json: Json = False) -> None:
    """Every order of a seal, the newest first, with how often it was used."""
    from signing_service.seals.order_book import OrderBook
    from signing_service.seals.use_book import UseBook

    with open_register(ctx) as register:
        uses = UseBook(register)
        rows = [_json(each) | {"used": uses.used_under(each.id)} for each in OrderBook(register).of_seals([seal])]
    print_rows(rows, as_json)


@contextmanager
def _emergencies(ctx: typer.Context) -> Iterator[EmergencySealing]:
    """Emergency sealing with the settings' timestamp authorities, our own in this process."""
    from cli.emergency_sealing import EmergencySealing
    from cli.outside_parts import timestamper_in_order
    from cli.own_services import OwnTimestamper
    from cli.sealing import sealing_desk
    from cli.stage import open_stage

    stage = open_stage(home_settings(ctx))
    orders_book = stage.order_book()
    timestamper = timestamper_in_order(stage.settings, lambda: OwnTimestamper(stage.pki.tsa), stage.clock)
    desk = sealing_desk(stage, timestamper)
    try:
        yield EmergencySealing(stage.seal_register(), orders_book, desk, stage.blobs, stage.clock)
    finally:
        stage.close()


def _signed(order: Any, key: SigningKey) -> Any:
    """The order with one signature more."""
    from dataclasses import replace

    from cryptography import x509

    from signing_service.pki.signature_algorithms import algorithm_for
    from signing_service.seals.holder_signature import HolderSignature

    mechanism = algorithm_for(x509.load_der_x509_certificate(key.certificate).public_key()).mechanism
    made = HolderSignature(key.certificate, mechanism, key.sign(order.statement, mechanism))
    return replace(order, signatures=(*order.signatures, made))


def _in_words(what: Authorisation) -> Text:
    """What the person is about to sign, in plain words."""
    from signing_service.kernel.clock import in_words

    until = in_words(what.until)
    if what.kind == "standing":
        return Text(
            f"长期授权:印章 {what.seal_id} 可用于“{what.document_type}”{what.count} 份,有效至 {until}。",
            f"Standing order: the seal {what.seal_id} may seal {what.count} documents of type “{what.document_type}”"
            f" until {until}.",
        )
    digests = "、".join(sorted(what.digests)[:3])
    kind = Text("应急用印", "Emergency use") if what.kind == "emergency" else Text("用印授权", "Order")
    return Text(
        f"{kind.zh}:印章 {what.seal_id},{len(what.digests)} 份文件(摘要 {digests}),有效至 {until}。{what.reason}",
        f"{kind.en}: the seal {what.seal_id} on {len(what.digests)} documents (digest {digests}) until {until}."
        f" {what.reason}",
    )


def _json(order: SealOrder) -> dict[str, Any]:
    from signing_service.seals.order_book import signatures_of

    return {
        "order": order.id, "seal": order.seal_id, "kind": order.kind, "state": order.state,
        "type": order.document_type, "count": order.count, "until": order.until.isoformat(),
        "signatures": signatures_of(order), "reason": order.reason, "because": order.ended_because,
    }  # fmt: skip
