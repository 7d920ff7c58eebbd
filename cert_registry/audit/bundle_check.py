"""Checking an evidence bundle offline: nothing but the bundle, and a checkpoint that the reader held before.

1. the checkpoint's signature by the log key; 2. the reader's own checkpoint by the same key (by an earlier one where
trust anchors are given), and that the log extends it; 3. each entry: its content against its commitment, its
commitment against the tree; 4. the timestamp and the log key's certificate, where trust anchors are given.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import IO

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from cert_registry.audit import bundle_format as form
from cert_registry.audit.findings import Finding, Outcome
from cert_registry.errors import Text
from signing_service.evidence import merkle
from signing_service.evidence.checkpoint import Checkpoint, CheckpointInvalid, LogKey, opened
from signing_service.kernel.audit_log import commitment
from signing_service.verification.apart import judge_timestamp, why_not_trusted
from signing_service.verification.policy import SIGNERS, Policy

MOST_LINE_BYTES = MOST_PART_BYTES = 4 * 1024 * 1024
_DAMAGED = (ValueError, RecursionError, KeyError, zipfile.BadZipFile, OSError, EOFError, NotImplementedError)


def check_bundle(path: Path, held: str | None = None, policy: Policy | None = None) -> Outcome:
    """`held`: a checkpoint's note that the reader kept. `policy`: anchors for the log key and the TSA; without them
    the key is only known by having signed `held` too."""
    try:
        with zipfile.ZipFile(path) as bundle:
            return _Check(bundle).run(held, policy)
    except _DAMAGED as failure:
        return Outcome((Finding("not_a_bundle", detail=f"{type(failure).__name__}: {failure}"),), 0, 0, 0)


@dataclass(slots=True)
class _Check:
    """One run. `growing` reads a whole log's leaves along with the entries."""

    bundle: zipfile.ZipFile
    findings: list[Finding] = field(default_factory=list)
    not_checked: list[Text] = field(default_factory=list)
    entries: int = 0
    erased: int = 0

    def run(self, held: str | None, policy: Policy | None) -> Outcome:
        manifest = form.Manifest.load(self._read(form.MANIFEST))
        keys = [_log_key(certificate) for certificate in self._certificates(form.LOG_CERTIFICATES)]
        note = self._read(form.CHECKPOINT).decode()
        try:
            checkpoint = opened(note, keys[0])
        except CheckpointInvalid as failure:
            return self._outcome(0, Finding("checkpoint_invalid", detail=failure.explain("en")))
        own = self._held(held, keys if policy else keys[:1], checkpoint)
        roots = self._whole_log(checkpoint, own) if manifest.whole else self._selected(checkpoint)
        if own is not None:
            self._extends(own, checkpoint, roots)
        self._attachments(manifest.attachments)
        self._trust(note, policy)
        return self._outcome(checkpoint.size)

    def _outcome(self, size: int, *more: Finding) -> Outcome:
        return Outcome((*self.findings, *more), size, self.entries, self.erased, tuple(self.not_checked))

    def _read(self, name: str) -> bytes:
        """A small part; one that unpacks to more than it may is damage."""
        with self.bundle.open(name) as part:
            content = part.read(MOST_PART_BYTES + 1)
        if len(content) > MOST_PART_BYTES:
            raise ValueError(f"{name} is too large")
        return content

    def _parts(self, prefix: str) -> list[bytes]:
        return [self._read(name) for name in sorted(self.bundle.namelist()) if name.startswith(prefix)]

    def _certificates(self, prefix: str) -> list[bytes]:
        found = [x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER) for pem in self._parts(prefix)]
        if not found and prefix == form.LOG_CERTIFICATES:
            raise ValueError("no certificate of the log key")
        return found

    def _held(self, held: str | None, keys: Sequence[LogKey], checkpoint: Checkpoint) -> Checkpoint | None:
        if held is None:
            self.not_checked.append(
                Text(
                    "没有提供事先持有的检查点:无法发现整本日志被改写或换成旧备份。",
                    "No checkpoint held before was given: a wholly rewritten log or an older backup cannot be seen.",
                )
            )
            return None
        try:
            own = opened(held, *keys)
        except CheckpointInvalid as failure:
            self.findings.append(Finding("other_log", detail=failure.explain("en")))
            return None
        if own.origin != checkpoint.origin:
            self.findings.append(Finding("other_log", detail=f"{checkpoint.origin} / {own.origin}"))
            return None
        if own.size > checkpoint.size:
            self.findings.append(Finding("older_backup", own.size))
            return None
        return own

    def _extends(self, own: Checkpoint, checkpoint: Checkpoint, roots: dict[int, bytes]) -> None:
        """Whole logs show the head of that size; selections bring a proof."""
        if own.size in roots:
            if roots[own.size] != own.root:
                self.findings.append(Finding("log_rewritten", own.size))
            return
        lines = (form.EarlierLine.load(line) for line in _lines(self.bundle.open(form.EARLIER)))
        for earlier in lines:
            if earlier.note.split("\n")[1] == str(own.size):
                if not merkle.is_consistent(own.size, checkpoint.size, own.root, checkpoint.root, earlier.proof):
                    self.findings.append(Finding("log_rewritten", own.size))
                return
        self.findings.append(Finding("held_checkpoint_unproven", own.size))

    def _whole_log(self, checkpoint: Checkpoint, own: Checkpoint | None) -> dict[int, bytes]:
        """Every entry against the leaf at its place, and the leaves against the checkpoint. Returns heads by size."""
        growing, roots, expected, leaf = merkle.GrowingTree(), {0: merkle.EMPTY_ROOT}, 0, b""
        with self.bundle.open(form.LEAVES) as leaves:
            for entry in self._lines_of_entries():
                self._gap(expected, min(entry.index, checkpoint.size))
                if entry.index < expected:
                    self.findings.append(Finding("entry_doubled", entry.index))
                    continue
                for _ in range(min(entry.index + 1, checkpoint.size) - expected):
                    leaf = _next_leaf(leaves, growing)
                    _remember(growing, own, roots)
                expected = entry.index + 1
                self._entry(entry, expected <= checkpoint.size and leaf == _hash_of(entry))
            self._gap(expected, checkpoint.size)
            while growing.size < checkpoint.size and _next_leaf(leaves, growing):
                _remember(growing, own, roots)
        roots[checkpoint.size] = checkpoint.root
        if (growing.size, growing.root()) != (checkpoint.size, checkpoint.root):
            self.findings.append(Finding("tree_altered", growing.size))
        return roots

    def _gap(self, expected: int, index: int) -> None:
        if index > expected:
            self.findings.append(Finding("entries_missing", expected, str(index - expected)))

    def _selected(self, checkpoint: Checkpoint) -> dict[int, bytes]:
        last = -1
        for entry in self._lines_of_entries():
            if entry.index <= last:
                self.findings.append(Finding("entry_doubled", entry.index))
            last = entry.index
            self._entry(entry, _is_included(entry, checkpoint))
        return {0: merkle.EMPTY_ROOT, checkpoint.size: checkpoint.root}

    def _lines_of_entries(self) -> Iterator[form.EntryLine]:
        for line in _lines(self.bundle.open(form.ENTRIES)):
            self.entries += 1
            yield form.EntryLine.load(line)

    def _entry(self, entry: form.EntryLine, included: bool) -> None:
        if not entry.salt:
            self.erased += 1
        elif commitment(entry.content, entry.salt) != entry.leaf:
            self.findings.append(Finding("entry_edited", entry.index))
            return
        if not included:
            self.findings.append(Finding("entry_not_in_log", entry.index))

    def _attachments(self, digests: Mapping[str, str]) -> None:
        for name, digest in digests.items():
            with self.bundle.open(form.ATTACHMENTS + name) as content:
                if hashlib.file_digest(content, "sha256").hexdigest() != digest:  # type: ignore[arg-type]
                    self.findings.append(Finding("attachment_changed", detail=name))

    def _trust(self, note: str, policy: Policy | None) -> None:
        if policy is None:
            self.not_checked.append(
                Text(
                    "没有提供信任锚:日志密钥的证书和检查点的时间戳没有核对。",
                    "No trust anchors were given: the log key's certificate and the timestamp were not judged.",
                )
            )
            return
        issuers, logs = self._certificates(form.ISSUERS), self._certificates(form.LOG_CERTIFICATES)
        policy = replace(policy, crls=[*policy.crls, *self._parts(form.REVOCATION)])
        proven = self._timestamp(note, issuers, policy)
        for certificate in logs:
            why = why_not_trusted(certificate, issuers, SIGNERS, policy, proven)
            if why is not None:
                self.findings.append(Finding("log_key_not_trusted", detail=why))

    def _timestamp(self, note: str, issuers: list[bytes], policy: Policy) -> datetime | None:
        """The time that it proves."""
        if form.TIMESTAMP not in self.bundle.namelist():
            self.not_checked.append(Text("检查点还没有时间戳。", "The checkpoint has no timestamp yet."))
            return None
        token = judge_timestamp(self._read(form.TIMESTAMP), note.encode(), policy, issuers)
        if token.state != "good":
            self.findings.append(Finding("timestamp_invalid", detail=token.detail))
            return None
        return token.time


def _log_key(certificate: bytes) -> LogKey:
    key = x509.load_der_x509_certificate(certificate).public_key()
    if not isinstance(key, EllipticCurvePublicKey | Ed25519PublicKey):
        raise ValueError("the log key is of no known kind")
    return key


def _hash_of(entry: form.EntryLine) -> bytes:
    return merkle.leaf_hash(bytes.fromhex(entry.leaf))


def _is_included(entry: form.EntryLine, checkpoint: Checkpoint) -> bool:
    try:
        root = merkle.root_of_inclusion(_hash_of(entry), entry.index, checkpoint.size, entry.proof)
    except ValueError:
        return False
    return root == checkpoint.root


def _next_leaf(leaves: IO[bytes], growing: merkle.GrowingTree) -> bytes:
    """The next hash, grown into the tree; empty at the end."""
    leaf = leaves.read(32)
    if len(leaf) == 32:
        growing.append(leaf)
    return leaf


def _remember(growing: merkle.GrowingTree, own: Checkpoint | None, roots: dict[int, bytes]) -> None:
    if own is not None and growing.size == own.size:
        roots[own.size] = growing.root()


def _lines(content: IO[bytes]) -> Iterator[bytes]:
    with content:
        while line := content.readline(MOST_LINE_BYTES):
            if not line.endswith(b"\n"):
                raise ValueError("a line is cut off or too long")
            yield line
