"""The certificates and tokens in use, by custody's policy and the register: are they whole, in force and at hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from sqlalchemy import func, select

from hardware.driver import list_tokens
from hardware.errors import TokenError
from signing_service.custody.errors import CustodyError
from signing_service.custody.policy import CustodyPolicy, load_policy
from signing_service.errors import Text
from signing_service.kernel.database import Database
from signing_service.pki.address_health import addresses_of
from signing_service.pki.certificate_chain import ChainIncomplete, build_chain
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.health import CA_PROFILES, Finding, Level
from signing_service.pki.outside import outside_anchors
from signing_service.pki.register import fingerprint
from signing_service.pki.rules import State
from signing_service.settings import Settings


def certificates_in_use(settings: Settings, database: Database) -> list[Finding]:
    """What is wrong with the certificates that custody signs with: their state in the register, their chains."""
    try:
        policy = load_policy(settings.custody)
    except CustodyError as failure:
        advice = failure.advice or Text("请以托管进程的账户运行。", "Run it as custody's account.")
        return [Finding(Level.FAIL, failure.code, str(settings.custody), failure.what, advice)]
    roots = [root for root in issuers_known(settings, database).values() if _is_root(root)]
    found = _missing_tokens(policy)
    for name, certificate, chain in _named(policy):
        found += _state(database, name, certificate)
        found += _chain(name, certificate, (*chain, *roots))
    return found


def issuers_known(settings: Settings, database: Database) -> dict[str, bytes]:
    """Certificates of CAs by fingerprint: our own, outside anchors, and those above custody's certificates."""
    with database.read() as session:
        cas = session.scalars(select(CertificateRow.der).where(CertificateRow.profile.in_(CA_PROFILES)))
        known = [*cas, *outside_anchors(session)]
    with suppress(CustodyError):  # told by `certificates_in_use`
        known += [above for _, _, chain in _named(load_policy(settings.custody)) for above in chain]
    return {fingerprint(certificate): certificate for certificate in known}


def sample_certificates(database: Database, without: str | None) -> list[tuple[bytes, str]]:
    """The newest active certificate of each issuer and CRL partition, with its issuer's fingerprint; none that names an
    address beginning with `without`."""
    row = CertificateRow
    newest = select(func.max(row.id)).where(row.state == State.ACTIVE, row.issuer != row.fingerprint)
    newest = newest.group_by(row.issuer, row.crl_partition)
    with database.read() as session:
        rows = session.execute(select(row.der, row.issuer).where(row.id.in_(newest)).order_by(row.id)).all()
    return [
        (certificate, issuer)
        for certificate, issuer in rows
        if issuer is not None and not (without and any(url.startswith(without) for url in addresses_of(certificate)))
    ]


def service_tokens(database: Database) -> set[str]:
    """Serials of tokens that hold keys of CAs, services and seals, not of officers."""
    row = CertificateRow
    with database.read() as session:
        return set(session.scalars(select(row.token_serial).where(row.profile.not_like("officer-%")).distinct()))


def _missing_tokens(policy: CustodyPolicy) -> list[Finding]:
    there: dict[str, set[str]] = {}
    for module in {place.module for place in policy.tokens.values()}:
        with suppress(TokenError):  # the module itself is told of by the keys doctor
            there[module] = {info.serial for info in list_tokens(module)}
    found = []
    for name, place in policy.tokens.items():
        if place.module in there and place.serial not in there[place.module]:
            words = Text(
                f"密码设备“{name}”({place.serial})不在。", f'The token "{name}" ({place.serial}) is not there.'
            )
            advice = Text("请接好该设备,或更新托管策略。", "Plug it in, or renew custody's policy.")
            found.append(Finding(Level.FAIL, "token_missing", place.serial, words, advice))
    return found


def _named(policy: CustodyPolicy) -> Iterator[tuple[str, bytes, tuple[bytes, ...]]]:
    for name, seal in policy.seals.items():
        yield f"seal:{name}", seal.certificate, seal.chain
    for kind, service in policy.services.items():
        if service.certificate:
            yield kind, service.certificate, service.chain


def _state(database: Database, name: str, certificate: bytes) -> Iterator[Finding]:
    query = select(CertificateRow.state).where(CertificateRow.fingerprint == fingerprint(certificate))
    with database.read() as session:
        state = session.scalar(query)
    if state != State.ACTIVE:
        words = state or Text("未登记", "not on record").en
        yield Finding(
            Level.FAIL, "certificate_in_use_not_active", name,
            Text(f"“{name}”使用的证书状态为 {words}。", f'The certificate that "{name}" signs with is {words}.'),
            Text("请换用有效证书,再更新托管策略。", "Give it an active certificate, then renew custody's policy."),
        )  # fmt: skip


def _chain(name: str, certificate: bytes, others: tuple[bytes, ...]) -> Iterator[Finding]:
    try:
        build_chain(certificate, others)
    except ChainIncomplete as failure:
        yield Finding(
            Level.FAIL, "intermediate_missing", name,
            Text(f"“{name}”的证书链不完整。", f'The chain of "{name}" is incomplete.'), failure.advice or failure.what,
        )  # fmt: skip


def _is_root(certificate: bytes) -> bool:
    try:
        return build_chain(certificate, ()) == [certificate]
    except ChainIncomplete:
        return False
