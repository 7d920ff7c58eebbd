"""`zhengyin verify --identifier|--code`: what the register says of a licence, what a paper code proves without it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from cert_registry.errors import ExplainedError
from cert_registry.licences.errors import LicenceNotFound
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.status_facts import standing_of
from cert_registry.verification.lookup import CodeFacts, find, identifier_of_code
from cli.given_code import code_text
from signing_service.errors import Text
from signing_service.kernel.database import Database
from signing_service.printing.paper_code import KeyList, PaperCode, read_code
from signing_service.verification.answer import Answer
from signing_service.verification.reasons import REASONS, Usable, Verdict
from signing_service.verification.report import Check

_FORGED = {"code_bad_signature", "code_key_not_in_force"}
_REFUSE = Text("请勿凭此办理。", "Do not rely on it.")
_ASK = Text("请向落款机构核实。", "Please check with the office named in the document.")
_USE = Text("可以使用。", "It can be used.")


def answer_identifier(database: Database | None, identifier: str, at: datetime) -> Answer:
    """The standing at `at` of the licence with this identifier. Without a register nobody knows: unknown."""
    try:
        parsed = LicenceIdentifier.parse(identifier)
        if database is None:
            return _without_register(identifier, at, str(parsed))
        return _standing(database, parsed, identifier, at, ())
    except ExplainedError as refusal:
        return _refused(identifier, at, refusal)


def answer_code(database: Database | None, code: str, keys: KeyList, prefix: str, at: datetime) -> Answer:
    """The code's signature first; then, where there is a register, today's standing of what it names."""
    try:
        found = read_code(code_text(code, prefix), keys, prefix, now=at)
        checks = [Check("1 paper code", "passed", json.dumps(_told(found), ensure_ascii=False))]
        if database is None:
            reason = REASONS["code_valid_offline"]
            told = (reason.verdict, reason.usable, "code_valid_offline", reason.sentence, reason.advice)
            return Answer(found.claims.subject, at, *told, checks=checks)
        with database.read() as session:
            facts = CodeFacts(found.claims.subject, {"kind": found.claims.kind.name.lower()})
            parsed = identifier_of_code(session, facts)
        return _standing(database, parsed, found.claims.subject, at, checks)
    except ExplainedError as refusal:
        return _refused(code[:200], at, refusal)


def read_key_list(path: Path) -> tuple[KeyList, str]:
    """A trust file of `print keys`: the keys, and the address prefix of our codes. Raises KeyListUnreadable."""
    content = path.read_bytes()
    keys = KeyList.from_json(content)
    return keys, str(json.loads(content).get("prefix", ""))


def trust_file(trust: Sequence[Path]) -> Path | None:
    """The one key list among `--trust`. Raises a usage error for several."""
    if len(trust) > 1:
        raise typer.BadParameter("--code takes one --trust file / --code 只用一个 --trust 文件")
    return trust[0] if trust else None


def _standing(
    database: Database, identifier: LicenceIdentifier, asked: str, at: datetime, checks: Sequence[Check]
) -> Answer:
    with database.read() as session:
        licence = find(session, identifier)
        if licence is None:
            raise LicenceNotFound
        stands = standing_of(licence, at, at)
    usable = Usable(stands.usable_now)
    advice = _USE if usable is Usable.YES else _REFUSE
    told = [*checks, Check("2 register", "passed" if usable is Usable.YES else "failed", stands.status)]
    return Answer(asked, at, Verdict.PASSED, usable, stands.reason, stands.sentence, advice, str(identifier), told)


def _without_register(asked: str, at: datetime, identifier: str) -> Answer:
    sentence = Text("现在查不到证照登记,无法确认。", "No register can be asked now; it cannot be confirmed.")
    advice = Text("请联网或用 --home 指明主目录后再查。", "Go online, or name a home with --home, and ask again.")
    return Answer(
        asked, at, Verdict.INDETERMINATE, Usable.UNKNOWN, "register_unavailable", sentence, advice, identifier
    )


def _refused(asked: str, at: datetime, refusal: ExplainedError) -> Answer:
    """A forged code has failed; all else that is refused is not known here."""
    if refusal.code in _FORGED:
        return Answer(asked, at, Verdict.FAILED, Usable.NO, refusal.code, refusal.what, _REFUSE)
    if refusal.code == "code_expired":
        return Answer(asked, at, Verdict.PASSED, Usable.NO, refusal.code, refusal.what, _REFUSE)
    advice = refusal.advice or _ASK
    return Answer(asked, at, Verdict.INDETERMINATE, Usable.UNKNOWN, refusal.code, refusal.what, advice)


def _told(code: PaperCode) -> Mapping[str, Any]:
    claims = code.claims
    return {
        "kind": claims.kind.name.lower(), "type": claims.document_type, "dated": claims.dated.isoformat(),
        "digest": claims.digest.hex(), "copy_serial": claims.copy_serial, "short_code": code.short_code,
    }  # fmt: skip


def home_keys(home: Path) -> tuple[KeyList, str]:
    """The public keys of this home's paper codes, from custody. Raises SettingsUnreadable without a home."""
    from cli.opened_home import open_home
    from cli.paper_codes import PaperCodes
    from cli.stage import open_stage

    stage = open_stage(open_home(home))
    try:
        codes = PaperCodes(stage.settings, stage.custody, stage.clock, stage.database)
        return codes.key_list(), codes.prefix
    finally:
        stage.close()
