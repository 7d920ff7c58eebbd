"""`zhengyin sign`: one PDF, sealed with a seal of the home or signed with a key on a token."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from signing_service.errors import SigningServiceError, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from signing_service.pades.placing import AnyPlacing
    from signing_service.pades.ports import RevocationSource, SigningKey, Timestamper
    from signing_service.pades.request import SignatureRequest
    from signing_service.settings import Settings

DEFAULT_LEVEL = "B-T"
DEFAULT_PLACE = "page=-1,right=20,bottom=20"


class SignUsage(SigningServiceError):
    """The options cannot be followed as given."""

    code = "sign_usage"

    def __init__(self, what: Text, advice: Text) -> None:
        super().__init__(what, advice=advice)


def make_signature(
    home: Path,
    source: Path,
    output: Path,
    *,
    seal: str | None = None,
    key: str | None = None,
    level: str = DEFAULT_LEVEL,
    place: str = DEFAULT_PLACE,
    reason: str = "",
) -> None:
    """Signs `source` into `output` and prints its name; the options are those of the command."""
    from cli.opened_home import open_home
    from signing_service.kernel.blobs import write_atomically
    from signing_service.pades.sign import sign as pades_sign

    if (seal is None) == (key is None):
        raise SignUsage(
            Text("请指明 --seal 或 --key 之一。", "Give either --seal or --key."),
            Text("例如:--seal default。", "For example: --seal default."),
        )
    content = _read(source, output)
    settings = open_home(home)
    request, signing_key = _request(settings, seal, key, level, place, reason)
    _require_not_revoked(settings, signing_key.certificate)
    timestamper, revocation = _services(settings, level)
    signed = pades_sign(content, request, signing_key, timestamper=timestamper, revocation=revocation)
    write_atomically(output, signed, mode=0o644)
    print(output)


def parse_place(text: str) -> AnyPlacing:
    """`page=-1,right=20,bottom=20` (also left, top, width, height; mm), `keyword=TEXT`, `free`, `field=NAME`, or
    `edge` with first, last, side, bottom (骑缝章). Raises SignUsage."""
    from signing_service.pades.placing import AnchorPlacing, FieldPlacing, FreeSpotPlacing, Placing

    if text == "free":
        return FreeSpotPlacing()
    if text.startswith("keyword="):
        return AnchorPlacing(text.removeprefix("keyword="))
    if text.startswith("field=") and text != "field=":
        return FieldPlacing(text.removeprefix("field="))
    pairs = dict(part.partition("=")[::2] for part in text.split(","))
    if "edge" in pairs:
        return _edge(text, pairs)
    known = {"page", "left", "right", "top", "bottom", "width", "height"}
    if set(pairs) - known or not all(map(_is_number, pairs.values())):
        raise _not_understood(text)
    across, up = ("left" if "left" in pairs else "right"), ("top" if "top" in pairs else "bottom")
    corner = {
        "leftbottom": "lower-left",
        "rightbottom": "lower-right",
        "lefttop": "upper-left",
        "righttop": "upper-right",
    }
    return Placing(
        page=int(float(pairs.get("page", "-1"))),
        x_mm=float(pairs.get(across, "20")),
        y_mm=float(pairs.get(up, "20")),
        corner=corner[across + up],  # type: ignore[arg-type]
        width_mm=float(pairs["width"]) if "width" in pairs else None,
        height_mm=float(pairs["height"]) if "height" in pairs else None,
    )


def _edge(text: str, pairs: dict[str, str]) -> AnyPlacing:
    """骑缝章: `edge` or `edge,first=0,last=-1,side=right,bottom=128`."""
    from signing_service.pades.placing import SeamPlacing

    numbers = {name: pairs[name] for name in ("first", "last", "bottom") if name in pairs}
    side = pairs.get("side", "right")
    is_known = not set(pairs) - {"edge", "first", "last", "bottom", "side"} and side in ("left", "right")
    if pairs["edge"] or not is_known or not all(map(_is_number, numbers.values())):
        raise _not_understood(text)
    first, last = int(float(numbers.get("first", "0"))), int(float(numbers.get("last", "-1")))
    return SeamPlacing(first, last, float(numbers.get("bottom", "128")), side)  # type: ignore[arg-type]


def _not_understood(text: str) -> SignUsage:
    ways = f"{DEFAULT_PLACE}; keyword=盖章处; free; field=NAME; edge,side=right,bottom=128"
    return SignUsage(
        Text(f"看不懂位置“{text}”。", f'The place "{text}" is not understood.'),
        Text(f"可写:{ways}。", f"Use one of: {ways}."),
    )


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def _read(source: Path, output: Path) -> bytes:
    if output.resolve() == source.resolve():
        raise SignUsage(
            Text("输出不能覆盖输入文件。", "The output may not replace the input."),
            Text("请用 -o 另指一个文件名。", "Name another file with -o."),
        )
    try:
        return source.read_bytes()
    except OSError as failure:
        raise SignUsage(
            Text(f"无法读取 {source}:{failure.strerror}。", f"{source} cannot be read: {failure.strerror}."),
            Text("请检查文件名和权限。", "Check the name and your rights."),
        ) from failure


def _request(
    settings: Settings, seal: str | None, key: str | None, level: str, place: str, reason: str
) -> tuple[SignatureRequest, SigningKey]:
    from signing_service.pades.request import Level, SignatureRequest

    if level not in list(Level):
        raise SignUsage(
            Text(f"没有级别“{level}”。", f'There is no level "{level}".'),
            Text("可用:B-B、B-T、B-LT、B-LTA。", "Use B-B, B-T, B-LT or B-LTA."),
        )
    now = datetime.now(UTC).astimezone()
    if seal is not None:
        from cli.opened_home import load_picture, open_custody
        from signing_service.custody.keys import SealKey
        from signing_service.pades.appearance import SealAppearance

        appearance = SealAppearance(load_picture(settings, seal))
        signing_key: SigningKey = SealKey.of(open_custody(settings), seal, b"")
        field = f"Seal-{os.urandom(4).hex()}"
        return SignatureRequest(
            field=field,
            signed_at=now,
            appearance=appearance,
            placing=parse_place(place),
            reason=reason,
            level=Level(level),
        ), signing_key
    field = f"Signature-{os.urandom(4).hex()}"
    return SignatureRequest(field=field, signed_at=now, reason=reason, level=Level(level)), token_key(
        settings.token_module, key or ""
    )


def token_key(module: str, uri: str) -> SigningKey:
    """The key that the URI names, its PIN from the URI's pin-source or asked for here."""
    from hardware.driver import open_uri
    from hardware.uri import TokenUri
    from signing_service.pki.ports import CertifiedKey

    parsed = TokenUri.parse(uri)
    pin = None
    if not parsed.pin_source:
        with open_uri(parsed, module=module) as seen:
            _require_one_usable(seen.certificates())
        pin = _asked_pin()
    token = open_uri(parsed, module=module, pin=pin)
    found = token.key(label=parsed.object or None, id=parsed.id or None)
    certificate = token.certificate_for(found)
    others = tuple(other for other in token.certificates() if other != certificate)
    return CertifiedKey(found, certificate, others)


def _require_one_usable(certificates: Sequence[bytes]) -> None:
    """B16: where none of a token's certificates may sign now, no PIN is asked for. Raises CertificateRefused."""
    from signing_service.pades.errors import CertificateRefused
    from signing_service.pades.signer_certificate import read_certificate

    refusals: list[tuple[bool, CertificateRefused]] = []
    for der in certificates:
        may_sign = False
        try:
            signer = read_certificate(der)
            may_sign = signer.may_sign
            signer.check_usable(datetime.now(UTC))
        except CertificateRefused as refusal:
            refusals.append((may_sign, refusal))
        else:
            return
    if refusals:
        raise max(refusals, key=lambda each: each[0])[1]


def _asked_pin() -> str:
    import typer  # takes longer to load than a signature takes to make

    return str(typer.prompt("PIN", hide_input=True, err=True))


def _services(settings: Settings, level: str) -> tuple[Timestamper | None, RevocationSource | None]:
    """The settings' timestamp authorities, ours through custody, and revocation evidence; nothing for B-B."""
    if level == "B-B":
        return None, None
    from cli.outside_parts import outside_check, timestamper_in_order
    from cli.own_services import OwnRevocation, OwnTimestamper, own_pki

    services = own_pki(settings)
    register = services.authorities["issuing"].register
    outside = outside_check(settings, register.database, register.clock)
    revocation = OwnRevocation(services.evidence, outside) if level in ("B-LT", "B-LTA") else None
    return timestamper_in_order(settings, lambda: OwnTimestamper(services.tsa), register.clock), revocation


def _require_not_revoked(settings: Settings, certificate: bytes) -> None:
    """By our register, and for an outside CA's by that CA. Raises CertificateRevoked, OutsideRevoked,
    OutsideStatusUnknown."""
    from signing_service.pki.origin_lookup import surely_usable

    if surely_usable(settings.database_url, certificate):
        return
    from cli.outside_parts import outside_check
    from signing_service.kernel.clock import SystemClock
    from signing_service.kernel.database import Database

    database = Database(settings.database_url)
    try:
        outside_check(settings, database, SystemClock()).require_usable(certificate)
    finally:
        database.close()
