"""A restored home looked over: its log against a checkpoint, its documents against their digests and signatures, and
what the witnesses outside say to it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cert_registry.audit.bundle_check import check_bundle
from cert_registry.audit.export import Enclosed, NoCheckpointYet, Wanted, export
from cert_registry.audit.findings import Outcome
from cli.evidence_log import key_of, known_log_certificates, witnesses
from cli.named_documents import named_documents
from cli.stage import Stage
from cli.trust_store import current_crls, home_policy
from signing_service.errors import SigningServiceError, Text
from signing_service.evidence import merkle
from signing_service.evidence.checkpoint import parsed
from signing_service.evidence.log_checkpoints import newest
from signing_service.evidence.log_tree import LogTree
from signing_service.evidence.witness import Witness, WitnessRefused
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.blobs import BlobMissing
from signing_service.verification.policy import Policy, Purpose

SIGNED = b"/ByteRange"
BROKEN = "broken"
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Documents:
    """Digests: `missing` are named by a row and not there, `damaged` differ from their digest, `broken` have a
    signature that does not fit any more. `verdicts`: how many signed documents got which verdict now."""

    checked: int
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)

    @property
    def sound(self) -> bool:
        return not (self.missing or self.damaged or self.broken)

    def as_json(self) -> dict[str, Any]:
        return {
            "checked": self.checked, "missing": self.missing, "damaged": self.damaged, "broken": self.broken,
            "verdicts": dict(sorted(self.verdicts.items())),
        }  # fmt: skip

    def lines(self) -> list[Text]:
        told = ", ".join(f"{verdict} {count}" for verdict, count in sorted(self.verdicts.items()))
        head = Text(
            f"核对了 {self.checked} 份文件;签名核验:{told or '未做'}。",
            f"{self.checked} documents compared; signatures judged: {told or 'no'}.",
        )
        mark = "✔" if self.sound else "✖"
        found = [Text(f"{mark} {head.zh}", f"{mark} {head.en}")]
        for digests, zh, en in (
            (self.missing, "缺失", "missing"), (self.damaged, "已损坏", "damaged"),
            (self.broken, "签名与内容不符", "signature does not fit the content"),
        ):  # fmt: skip
            found += [Text(f"✖ {digest} {zh}", f"✖ {digest} {en}") for digest in digests]
        return found


@dataclass(frozen=True, slots=True)
class WitnessWord:
    """What one witness says to the restored log. `refused`: it holds more, or something else."""

    name: str
    said: Text
    refused: bool = False
    mark: str = "✔"


def check_log(stage: Stage, held: str | None) -> Outcome | None:
    """What `zhengyin audit verify` says of the whole log, with this home's own anchors. None: no checkpoint yet."""
    logs, issuers = known_log_certificates(stage)
    enclosed, now = Enclosed(logs, issuers, current_crls(stage.pki.crls)), stage.clock.now()
    with tempfile.TemporaryDirectory() as folder, stage.database.read() as session:
        bundle = Path(folder) / "log.zip"
        try:
            export(session, bundle, Wanted(), enclosed, now, lambda _done, _total: None)
        except NoCheckpointYet:
            return None
        return check_bundle(bundle, held, _log_policy(stage, now, enclosed.crls))


def _log_policy(stage: Stage, now: datetime, crls: Sequence[bytes]) -> Policy:
    """The log key seals nothing: for it, as in `zhengyin audit verify`, every own root is an anchor."""
    policy = home_policy(stage.settings, now, crls)
    roots = [*policy.anchors[Purpose.SEALS], *policy.anchors[Purpose.TIMESTAMPS]]
    return replace(policy, anchors={purpose: roots for purpose in Purpose if purpose is not Purpose.SIMULATED})


def check_documents(stage: Stage, told: Told | None) -> Documents:
    """Every document of the store and every one that a row names; `told` None: signatures are not judged."""
    with stage.database.read() as session:
        named = set(named_documents(session))
    digests = sorted(named | set(stage.blobs.digests()))
    found = Documents(len(digests))
    for number, digest in enumerate(digests, 1):
        try:
            content = stage.blobs.get(digest)
        except BlobMissing:
            found.missing.append(digest)
            continue
        except SigningServiceError:
            found.damaged.append(digest)
            continue
        if told is not None and SIGNED in content:
            _judge(stage, digest, content, found)
            told(number, len(digests))
    return found


def witness_words(stage: Stage) -> list[WitnessWord]:
    """Shows the newest checkpoint to every witness; one that holds more refuses it."""
    keys = [key_of(certificate) for certificate in known_log_certificates(stage)[0]]
    with stage.database.read() as session:
        last = newest(session)
    if last is None:
        return []
    return [_word(stage, witness, last.note) for witness in witnesses(stage.settings, keys)]


def note_restoring(stage: Stage, made_at: str, words: Sequence[WitnessWord]) -> None:
    """The log itself says that it goes on from a backup."""
    details = {"made_at": made_at, "older_than": [word.name for word in words if word.refused]}
    with stage.database.write() as session:
        AuditLog().record(session, Act("home.restored", "operator", "home", details=details), stage.clock.now())


def _judge(stage: Stage, digest: str, content: bytes, found: Documents) -> None:
    report = stage.judge(content).as_json()
    found.verdicts[report["verdict"]] += 1
    if any(signature["integrity"] == BROKEN for signature in report["signatures"]):
        found.broken.append(digest)


def _word(stage: Stage, witness: Witness, note: str) -> WitnessWord:
    size = parsed(note)[0].size

    def proof_from(old: int) -> Sequence[bytes]:
        with stage.database.read() as session:
            return merkle.consistency_proof(old, size, LogTree(session).nodes)

    try:
        witness.keep(note, proof_from)
    except WitnessRefused as refusal:
        zh = f"恢复的是旧备份:{refusal.explain('zh')}"
        return WitnessWord(witness.name, Text(zh, f"An older backup: {refusal.explain('en')}"), True, "✖")
    except SigningServiceError as failure:
        return WitnessWord(witness.name, Text(failure.explain("zh"), failure.explain("en")), mark="?")
    words = Text(f"见证处 {witness.name} 没有更新的检查点。", f"The witness {witness.name} holds nothing newer.")
    return WitnessWord(witness.name, words)
