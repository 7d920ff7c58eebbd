"""What the register itself shows to be wrong with certificates and CRLs, now or soon: a part of `zhengyin doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.errors import Text
from signing_service.pki.certificates import OWN, CertificateRow, CrlRow
from signing_service.pki.crl_partitions import WHOLE
from signing_service.pki.expiry import EndingSoon, ending_soon
from signing_service.pki.rules import State
from signing_service.pki.timestamp_register import TOLERANCE, TimestampRow

CA_PROFILES = ("root", "issuing-ca", "simulation-ca")
SEAL_MAKER = "seal-maker"


class Level(StrEnum):
    """`fail` stops work or deceives; `warn` will do so soon."""

    FAIL = "fail"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `subject` is a certificate's reference, an address or an issuer, `advice` what to do."""

    level: Level
    code: str
    subject: str
    text: Text
    advice: Text


def register_findings(session: Session, now: datetime, *, production: bool) -> list[Finding]:
    """What the register itself shows: endings, stale CRLs, missing issuers, formal seals under our own CA."""
    active = list(session.scalars(select(CertificateRow).where(CertificateRow.state == State.ACTIVE)))
    known = set(session.scalars(select(CertificateRow.fingerprint).where(CertificateRow.profile.in_(CA_PROFILES))))
    found = [_ending(entry) for entry in ending_soon(session, now)]
    found += [finding for row in active if row.profile in CA_PROFILES for finding in _crl(session, row, now)]
    found += [_incomplete(row) for row in active if row.origin == OWN and row.issuer not in known]
    if production:
        found += [_unlicensed(row) for row in active if _seals_formally(row) and row.origin == OWN]
    return found


def _seals_formally(row: CertificateRow) -> bool:
    """A seal's own certificate; that of the seal maker signs structures of seals, no document."""
    return row.profile == "seal" and row.owner != SEAL_MAKER


def clock_findings(session: Session, now: datetime) -> list[Finding]:
    """Whether this machine's clock is behind what the TSA has stamped already: it would give no timestamp."""
    last = session.scalar(select(TimestampRow.at).order_by(TimestampRow.id.desc()).limit(1))
    if last is None or last - now <= TOLERANCE:
        return []
    seconds = round((last - now).total_seconds())
    return [
        Finding(
            Level.FAIL, "clock_behind", "clock",
            Text(f"本机时钟比上一个时间戳早 {seconds} 秒。", f"This clock is {seconds} s behind our last timestamp."),
            SET_CLOCK,
        )
    ]  # fmt: skip


def _ending(entry: EndingSoon) -> Finding:
    day, whose = f"{entry.not_after:%Y-%m-%d}", f"{entry.profile},{entry.owner}"
    if entry.step == 0:
        text = Text(f"证书已过期({whose},{day})。", f"{entry.profile} of {entry.owner} ended {day}.")
    else:
        text = Text(f"证书将于 {day} 到期({whose})。", f"{entry.profile} of {entry.owner} ends {day}.")
    level = Level.FAIL if entry.step <= 1 else Level.WARN
    return Finding(level, "certificate_ending", entry.reference, text, RENEW)


def _crl(session: Session, ca: CertificateRow, now: datetime) -> Iterator[Finding]:
    query = select(CrlRow.next_update).where(CrlRow.issuer == ca.fingerprint, CrlRow.der != b"")
    query = query.where(CrlRow.partition == WHOLE, CrlRow.base_number.is_(None))
    until = session.scalar(query.order_by(CrlRow.number.desc()).limit(1))
    if until is None or until <= now:
        yield Finding(
            Level.FAIL, "crl_stale", ca.owner,
            Text(f"“{ca.owner}”的 CRL 缺失或已过期。", f'The CRL of "{ca.owner}" is missing or stale.'),
            Text(
                "根 CA 的 CRL 在密钥仪式中续发;其他请启动服务,或运行 zhengyin pki crl。",
                "The root's is renewed at a ceremony; for others start the service, or run zhengyin pki crl.",
            ),
        )  # fmt: skip
    elif ca.profile == "root" and until - now < timedelta(days=30):
        yield Finding(
            Level.WARN, "crl_ceremony_due", ca.owner,
            Text(f"根 CRL 将于 {until:%Y-%m-%d} 到期。", f"The root's CRL ends {until:%Y-%m-%d}."),
            Text("请安排密钥仪式续发。", "Plan a ceremony that renews it."),
        )  # fmt: skip


def _incomplete(row: CertificateRow) -> Finding:
    return Finding(
        Level.FAIL, "issuer_missing", row.reference,
        Text(f"缺少 {row.subject} 的签发者证书。", f"The issuer's certificate of {row.subject} is missing."),
        Text("请补登签发者证书。", "Put the issuer's certificate on record."),
    )  # fmt: skip


def _unlicensed(row: CertificateRow) -> Finding:
    return Finding(
        Level.FAIL, "seal_not_licensed", row.reference,
        Text(
            f"正式印章 {row.owner} 使用内部 CA 证书;须换为依法许可的电子认证服务机构证书(国办发〔2025〕33号第十二条)。",
            f"The formal seal {row.owner} has a certificate of our internal CA; a licensed CA's is required.",
        ),
        Text(
            "请用 zhengyin pki csr 生成请求,取得证书后 zhengyin pki import。",
            "Make a request with zhengyin pki csr; when the licensed CA answers, zhengyin pki import.",
        ),
    )  # fmt: skip


RENEW = Text(
    "请续办:人员用 zhengyin pki request --replaces,服务和 CA 进行密钥仪式。",
    "Renew it: zhengyin pki request --replaces for an officer, a ceremony for services and CAs.",
)
SET_CLOCK = Text("请校准系统时间(NTP)。", "Set the machine's time (NTP).")
