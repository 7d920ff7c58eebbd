"""The examination: looks at everything, decides nothing."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from hardware.discovery.key_table import CCID
from hardware.discovery.known_keys import KnownKey, known_keys, recognise
from hardware.discovery.slots import ModuleScan
from hardware.discovery.survey import Survey, survey
from hardware.errors import ModuleMissing, TokenError
from hardware.module_host import host
from hardware.module_paths import find_module

from .findings import (
    Finding,
    TokenFacts,
    bits_finding,
    module_finding,
    pcsc_finding,
    permission_finding,
    row_findings,
    token_findings,
    usb_finding,
    usb_permission_finding,
)

OUR_BITS = struct.calcsize("P") * 8


def examine(
    *, modules: Sequence[str] | None = None, known: Path | None = None, now: datetime | None = None
) -> list[Finding]:
    """All findings, errors first. `modules` limits the examination; they are then all expected to work."""
    named = list(modules or [])
    missing = [name for name in named if find_module(name) is None]
    findings = [module_finding(name, ModuleMissing(module=name), needed=True) for name in missing]
    usable = None if modules is None else [name for name in named if name not in missing]
    seen = survey(modules=usable, known=known)
    findings += _system_findings(seen)
    findings += _usb_permission_findings(seen, known_keys(known))
    findings += row_findings(seen.rows)
    needed = {row.module for row in seen.rows if row.usb_id}
    for scan in seen.modules:
        findings += _module_findings(scan, needed=modules is not None or scan.module in needed)
        findings += _tokens_findings(scan, now or datetime.now(UTC))
    order = ("error", "warning", "note", "ok")
    return sorted(findings, key=lambda finding: order.index(finding.level))


def _system_findings(seen: Survey) -> list[Finding]:
    findings = []
    if not seen.readers.available:
        ccid = any(CCID in device.interfaces for device in seen.usb.devices)
        findings.append(pcsc_finding(seen.readers.reason, needed=ccid))
    if not seen.usb.available or seen.usb.reason:
        findings.append(usb_finding(seen.usb.reason))
    folder = softhsm_folder(os.environ.get("SOFTHSM2_CONF"))
    if folder is not None and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        findings.append(permission_finding(str(folder)))
    return findings


def _usb_permission_findings(seen: Survey, keys: Sequence[KnownKey]) -> list[Finding]:
    """Keys that their module opens by itself. A CCID key is opened by pcscd, which has its own right to do so."""
    findings = []
    for device in seen.usb.devices:
        key = recognise(keys, device.usb_id, device.interfaces)
        node = Path(f"/dev/bus/usb/{device.bus:03d}/{device.address:03d}")
        opened_by_module = key is not None and key.has_pkcs11 and CCID not in device.interfaces
        if key is not None and opened_by_module and node.exists() and not os.access(node, os.R_OK | os.W_OK):
            findings.append(usb_permission_finding(key.name, device.usb_id, str(node)))
    return findings


def softhsm_folder(configuration: str | None) -> Path | None:
    """Where SoftHSM's own configuration says that its tokens are; None where it says nothing."""
    if not configuration:
        return None
    try:
        text = Path(configuration).read_text("utf-8")
    except OSError:
        return Path(configuration)
    found = re.search(r"^\s*directories\.tokendir\s*=\s*(\S+)", text, re.MULTILINE)
    return Path(found.group(1)) if found else None


def _module_findings(scan: ModuleScan, *, needed: bool) -> list[Finding]:
    wrong = bits_finding(scan.module, module_bits(Path(scan.module)), OUR_BITS)
    if wrong or scan.problem is None:
        return wrong
    return [module_finding(scan.module, scan.problem, needed=needed)]


def module_bits(path: Path) -> int:
    """32 or 64 from the file's header (ELF, PE); 0 where it is neither or cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return 0
    if head[:4] == b"\x7fELF":
        return {1: 32, 2: 64}.get(head[4], 0)
    if head[:2] == b"MZ" and len(head) >= 64:
        (start,) = struct.unpack_from("<I", head, 60)
        machine = head[start + 4 : start + 6]
        return {b"\x4c\x01": 32, b"\x64\x86": 64, b"\x64\xaa": 64}.get(machine, 0)
    return 0


def _tokens_findings(scan: ModuleScan, now: datetime) -> list[Finding]:
    port = host(scan.module)
    findings: list[Finding] = []
    try:
        for info in scan.tokens:
            if not info.initialised:
                continue
            works = port.try_mechanisms(info.serial)
            facts = TokenFacts(
                info=info,
                pin_is_set=port.pin_is_set(info.serial),
                keys=port.public_keys(info.serial),
                certificates=port.certificates(info.serial),
                works=works,
                claims=port.claimed_mechanisms(info.serial),
            )
            findings += token_findings(facts, now)
    except TokenError as error:
        findings.append(module_finding(scan.module, error, needed=True))
    finally:
        port.close()
    return findings
