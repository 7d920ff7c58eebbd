"""`zhengyin verify`: reads a file and the home's trust, asks the engine, prints the judgement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from signing_service.verification.policy import Policy
    from signing_service.verification.report import Report

_MARKS = {"passed": "✔", "indeterminate": "!", "failed": "✖"}
_BEGIN, _END = b"-----BEGIN ", b"-----END "


def verify(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="The PDF to judge.", exists=True, dir_okay=False, readable=True)],
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing.")] = False,
    trust: Annotated[
        list[Path] | None,
        typer.Option("--trust", help="PEM file with trust anchors instead of the home's.", exists=True),
    ] = None,
    crl: Annotated[list[Path] | None, typer.Option("--crl", help="CRL to use besides the home's.", exists=True)] = None,
    at: Annotated[str | None, typer.Option("--at", help="Validation time, ISO 8601 (default: now).")] = None,
    as_of_sealing: Annotated[
        bool, typer.Option("--as-of-sealing", help="Exit code by the verdict at sealing alone.")
    ] = False,
) -> None:
    """Judge a PDF's signatures and seals, at sealing and now. Exit codes: 0 passed, 3 cannot be confirmed, 4 failed
    or not usable now."""
    from signing_service.verification.worker import verify_in_worker

    policy = build_policy(ctx.obj.home, trust or [], crl or [], _moment(at))
    report = verify_in_worker(file.read_bytes(), policy, file_name=str(file))
    if json_output:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
    else:
        _print(report, getattr(ctx.obj, "language", "zh"))
    raise typer.Exit(report.exit_code(as_of_sealing))


def build_policy(home: Path, trust: Sequence[Path], crls: Sequence[Path], at: datetime) -> Policy:
    """Anchors from the named files for every purpose, else from HOME/trust/{purpose}/*.pem; CRLs from
    HOME/trust/crls."""
    from signing_service.verification.policy import Policy, Purpose

    if trust:
        named = [der for path in trust for der in read_certificates(path)]
        anchors: dict[Purpose, list[bytes]] = dict.fromkeys(list(Purpose), named)
        anchors.pop(Purpose.SIMULATED)
    else:
        anchors = {purpose: _folder(home / "trust" / purpose.value) for purpose in Purpose}
    found = [*crls, *sorted((home / "trust" / "crls").glob("*.crl"))]
    return Policy(
        anchors,
        at,
        crls=[_der(path.read_bytes()) for path in found],
        certificates=_folder(home / "trust" / "intermediates"),
    )


def _folder(folder: Path) -> list[bytes]:
    return [der for path in sorted(folder.glob("*.pem")) for der in read_certificates(path)]


def read_certificates(path: Path) -> list[bytes]:
    """Every certificate in a PEM file, or the one in a DER file. Raises a usage error when there is none."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    raw = path.read_bytes()
    try:
        loaded = x509.load_pem_x509_certificates(raw) if _BEGIN in raw else [x509.load_der_x509_certificate(raw)]
    except ValueError as error:
        raise typer.BadParameter(f"{path}: no certificate in it / 其中没有证书") from error
    return [certificate.public_bytes(Encoding.DER) for certificate in loaded]


def _der(raw: bytes) -> bytes:
    if _BEGIN not in raw:
        return raw
    import base64

    body = raw[raw.index(b"\n", raw.index(_BEGIN)) : raw.index(_END)]
    return base64.b64decode(body)


def _moment(text: str | None) -> datetime:
    if text is None:
        from signing_service.kernel.clock import SystemClock

        return SystemClock().now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"--at {text}: not an ISO 8601 time / 不是 ISO 8601 时间") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _print(report: Report, language: Any) -> None:
    """The answer first: mark, sentence, what to do; then each signature; problems with their checks."""
    typer.echo(f"{_MARKS[report.verdict]} {report.summary.in_(language)}")
    typer.echo(f"  {report.advice.in_(language)}")
    typer.echo(f"  verdict={report.verdict} usable_now={report.usable_now} reason={report.reason}")
    for signature in report.signatures:
        when = signature.signed_at.isoformat() if signature.signed_at else "-"
        typer.echo(
            f"- {signature.field} [{signature.kind}] {signature.signer} {when} ({signature.time_source}) "
            f"{signature.level or ''}"
        )
        for check in signature.checks:
            typer.echo(f"    {check.name}: {check.result}{f' - {check.detail}' if check.detail else ''}")
    for check in report.checks:
        typer.echo(f"  {check.name}: {check.result} {check.detail}")
