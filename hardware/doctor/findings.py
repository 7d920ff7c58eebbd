"""From facts to findings. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509

from hardware.discovery.key_table import KeyRow
from hardware.errors import Text, TokenError
from hardware.object_reading import certificate_key
from hardware.pairing import pairs, signing_pairs
from hardware.ports import PinState, TokenInfo
from hardware.public_keys import algorithm_name
from hardware.records import CertificateRecord, KeyRecord

Level = Literal["ok", "note", "warning", "error"]
EXPIRES_SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `subject` names the token, module or device; `code` is stable (snake_case)."""

    code: str
    level: Level
    subject: str
    what: Text
    advice: Text | None = None


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What could be read of one token without a PIN.

    `works`: signature mechanisms tried with success, None where none could be tried; `claims`: those it lists.
    """

    info: TokenInfo
    pin_is_set: bool
    keys: Sequence[KeyRecord]
    certificates: Sequence[CertificateRecord]
    works: Sequence[str] | None
    claims: Sequence[str] = ()


def token_findings(facts: TokenFacts, now: datetime) -> list[Finding]:
    """PIN state, mechanisms, pairs, validity, the signing pair, the clock; `now` is aware."""
    return [
        *_pin_findings(facts),
        *_mechanism_findings(facts),
        *_pair_findings(facts),
        *_validity_findings(facts, now),
        *_signing_pair_findings(facts),
        *_clock_findings(facts, now),
    ]


def _pin_findings(facts: TokenFacts) -> list[Finding]:
    name = facts.info.serial
    if not facts.pin_is_set:
        what = Text("还没有设置用户 PIN。", "No user PIN is set.")
        advice = Text("运行 zhengyin keys unblock。", "Run `zhengyin keys unblock`.")
        return [Finding("pin_not_set", "error", name, what, advice)]
    found = {
        PinState.LOCKED: ("pin_locked", "error", Text("PIN 已锁定。", "The PIN is locked.")),
        PinState.LAST: ("pin_last_try", "error", Text("PIN 只剩最后一次机会。", "One PIN try is left.")),
        PinState.LOW: ("pin_low", "warning", Text("此前输错过 PIN。", "A wrong PIN was given before.")),
    }.get(facts.info.user_pin)
    if found is None:
        return []
    code, level, what = found
    advice = Text(
        "用 SO PIN 解锁，或确认 PIN 后再用。", "Unblock with the SO PIN, or be sure of the PIN before using it."
    )
    return [Finding(code, level, name, what, advice)]  # type: ignore[arg-type]


def _mechanism_findings(facts: TokenFacts) -> list[Finding]:
    name = facts.info.serial
    if facts.works is None:
        what = Text("签名算法须登录后才能试用。", "Signature mechanisms can be tried only after a login.")
        return [Finding("mechanisms_untried", "note", name, what)]
    if not facts.works:
        what = Text("没有一种签名算法可用。", "No signature mechanism works.")
        advice = Text("请升级驱动。", "Update the driver.")
        return [Finding("no_mechanism_works", "error", name, what, advice)]
    tried = ", ".join(facts.works)
    found = [Finding("mechanisms_work", "ok", name, Text(f"实测可用：{tried}。", f"Tried and working: {tried}."))]
    if broken := sorted(set(facts.claims) - set(facts.works)):
        names = ", ".join(broken)
        what = Text(f"声称支持但实测不可用：{names}。", f"Claimed but not working: {names}.")
        advice = Text("不用这些算法即可；需要时请升级驱动。", "Do without them, or update the driver.")
        found.append(Finding("mechanism_claimed_broken", "warning", name, what, advice))
    return found


def _pair_findings(facts: TokenFacts) -> list[Finding]:
    name, found = facts.info.serial, []
    publics = {key.public for key in facts.keys if key.public}
    owners = {certificate_key(each.der) for each in facts.certificates}
    for key in facts.keys:
        label = key.label or key.id.hex()
        if algorithm_name(key.public) == "SM2":
            what = Text(f"密钥 {label} 是 SM2，暂不支持。", f"Key {label} is SM2, which is not yet supported.")
            advice = Text("请用设备上的其他密钥签名。", "Sign with another key of this token.")
            found.append(Finding("sm2_key", "warning", name, what, advice))
        if key.public not in owners:
            what = Text(f"密钥 {label} 没有证书。", f"Key {label} has no certificate.")
            advice = Text("导入其证书：zhengyin keys import。", "Import it: `zhengyin keys import`.")
            found.append(Finding("key_without_certificate", "warning", name, what, advice))
    for record in facts.certificates:
        if publics and not _is_authority(record.der) and certificate_key(record.der) not in publics:
            what = Text(f"证书 {record.label} 在此没有密钥。", f"Certificate {record.label} has no key here.")
            advice = Text(
                "核对证书是否属于此设备；不用的证书可删除：zhengyin keys delete。",
                "See whether it belongs to this token; one that is not used can go: `zhengyin keys delete`.",
            )
            found.append(Finding("certificate_without_key", "warning", name, what, advice))
    return found


def _validity_findings(facts: TokenFacts, now: datetime) -> list[Finding]:
    name, found = facts.info.serial, []
    for record in facts.certificates:
        certificate = _parsed(record.der)
        if certificate is None:
            what = Text(f"证书 {record.label} 无法解析。", f"Certificate {record.label} cannot be read.")
            advice = Text("请重新导入证书。", "Import it anew.")
            found.append(Finding("certificate_unreadable", "error", name, what, advice))
            continue
        ends = certificate.not_valid_after_utc
        day = ends.date().isoformat()
        renew = Text("请及时换发证书。", "Have it renewed.")
        if ends < now:
            what = Text(f"证书 {record.label} 已于 {day} 过期。", f"Certificate {record.label} expired on {day}.")
            found.append(Finding("certificate_expired", "error", name, what, renew))
        elif ends < now + EXPIRES_SOON:
            what = Text(f"证书 {record.label} 将于 {day} 过期。", f"Certificate {record.label} expires on {day}.")
            found.append(Finding("certificate_expires_soon", "warning", name, what, renew))
    return found


def _signing_pair_findings(facts: TokenFacts) -> list[Finding]:
    """Dual-certificate keys: by key usage, never by label."""
    name = facts.info.serial
    own = [pair for pair in pairs(facts.keys, facts.certificates) if pair.certificates]
    signing = signing_pairs(own)
    if own and not signing:
        what = Text("只有加密证书，没有签名证书。", "There is an encryption certificate only, none for signing.")
        advice = Text("请向发证机构申请签名证书。", "Ask the issuer for a signing certificate.")
        return [Finding("no_signing_pair", "error", name, what, advice)]
    if len(own) > 1 and signing:
        chosen = signing[0].certificates[0]
        label = chosen.label or chosen.id.hex()
        what = Text(f"双证书设备，签名用证书：{label}。", f"Dual-certificate key; it signs with: {label}.")
        return [Finding("signing_pair_chosen", "ok", name, what)]
    return []


def _clock_findings(facts: TokenFacts, now: datetime) -> list[Finding]:
    starts = [each.not_valid_before_utc for record in facts.certificates if (each := _parsed(record.der))]
    if not starts or max(starts) <= now:
        return []
    what = Text(
        f"本机时间 {now:%Y-%m-%d} 早于证书生效日期。",
        f"This machine's date, {now:%Y-%m-%d}, is before a certificate begins.",
    )
    advice = Text("请校准时钟（NTP）。", "Set the clock (NTP).")
    return [Finding("clock_behind", "error", facts.info.serial, what, advice)]


def _parsed(der: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        return None


def _is_authority(der: bytes) -> bool:
    certificate = _parsed(der)
    if certificate is None:
        return False
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def module_finding(module: str, problem: TokenError, *, needed: bool) -> Finding:
    """A module that does not answer: an error where a key that is plugged in needs it, else a note."""
    return Finding(problem.code, "error" if needed else "note", module, problem.what, problem.advice)


def bits_finding(module: str, theirs: int, ours: int) -> list[Finding]:
    """`theirs` and `ours` in bits; 0 where it could not be told."""
    if theirs in (0, ours):
        return []
    what = Text(
        f"驱动是 {theirs} 位，本程序是 {ours} 位。", f"The driver is for {theirs} bit, this program for {ours}."
    )
    advice = Text(f"请安装 {ours} 位驱动。", f"Install the {ours}-bit driver.")
    return [Finding("module_wrong_bits", "error", module, what, advice)]


def row_findings(rows: Iterable[KeyRow]) -> list[Finding]:
    """Keys that nothing serves: driver missing, or SKF only."""
    levels: dict[str, tuple[str, Level]] = {
        "driver_missing": ("driver_missing", "error"),
        "not_supported": ("key_speaks_only_skf", "error"),
        "faulty": ("driver_faulty", "error"),
        "unknown": ("key_unknown", "note"),
    }
    found = []
    for row in rows:
        if row.state in levels:
            code, level = levels[row.state]
            what = Text(f"{row.name}：不可用。", f"{row.name} cannot be used.")
            found.append(Finding(code, level, row.usb_id or row.reader, what, row.advice))
    return found


def pcsc_finding(reason: str, *, needed: bool) -> Finding:
    """No PC/SC service; an error where a CCID key is plugged in."""
    what = Text(f"智能卡服务未运行（{reason}）。", f"The smart card service does not run ({reason}).")
    advice = Text("安装并启动 pcscd：sudo apt-get install pcscd。", "Install and start it: sudo apt-get install pcscd.")
    return Finding("pcscd_missing", "error" if needed else "note", "pcscd", what, advice)


def usb_finding(reason: str) -> Finding:
    what = Text(f"无法扫描 USB（{reason}）。", f"USB cannot be scanned ({reason}).")
    advice = Text(
        "安装 libusb-1.0-0；PKCS#11 列表不受影响。", "Install libusb-1.0-0; the list of tokens works without it."
    )
    return Finding("usb_scan_unavailable", "note", "usb", what, advice)


def permission_finding(path: str) -> Finding:
    what = Text(f"当前账户无权访问 {path}。", f"This account may not use {path}.")
    advice = Text(
        "把账户加入相应的组，或修改文件权限。", "Add the account to the group that may, or change the permissions."
    )
    return Finding("permission_denied", "error", path, what, advice)


def usb_permission_finding(name: str, usb_id: str, node: str) -> Finding:
    vendor, _, product = usb_id.partition(":")
    rule = f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor}", ATTR{{idProduct}}=="{product}", TAG+="uaccess"'
    what = Text(f"{name}：当前账户无权读写 {node}。", f"{name}: this account may not read and write {node}.")
    advice = Text(
        f"在 /etc/udev/rules.d/70-zhengyin.rules 中加入一行：{rule}，然后重新插入。",
        f"Add this line to /etc/udev/rules.d/70-zhengyin.rules, then plug it in again: {rule}",
    )
    return Finding("usb_permission_denied", "error", usb_id, what, advice)
