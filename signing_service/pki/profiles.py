"""Certificate kinds as data: who may hold which key, for how long, for which use (RFC 5280 4.2).

Policies hang below one arc made from a random UUID (ADR 0050), so that nobody's registered arc is borrowed. Object
identifiers are in dotted form, validity in days.
"""

from __future__ import annotations

from dataclasses import dataclass

from signing_service.errors import Text
from signing_service.pki.errors import PkiError

ARC = "1.2.840.113556.1.8000.2554.5781.12010.55074.23852.45066.1214261.10345099"
INTERNAL_POLICY = f"{ARC}.1.1"
SIMULATION_POLICY = f"{ARC}.1.2"
TIMESTAMP_POLICY = f"{ARC}.2.1"

SERVER_AUTH, CLIENT_AUTH = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"
TIME_STAMPING, OCSP_SIGNING, DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9", "1.3.6.1.5.5.7.3.36"

CA_KEYS = ("rsa3072", "rsa4096", "p256", "p384")
END_KEYS = ("rsa2048", *CA_KEYS)


@dataclass(frozen=True, slots=True)
class Profile:
    """One certificate kind. `key_usage` names are those of RFC 5280 4.2.1.3; `path_length` is for CAs alone."""

    name: str
    title: Text
    days: int
    key_usage: tuple[str, ...]
    extended_key_usage: tuple[str, ...] = ()
    extended_key_usage_critical: bool = False
    policy: str = INTERNAL_POLICY
    keys: tuple[str, ...] = END_KEYS
    is_ca: bool = False
    path_length: int | None = None
    self_signed: bool = False
    revocable: bool = True
    needs_host: bool = False


class UnknownProfile(PkiError):
    """No certificate kind has this name."""

    code = "unknown_profile"

    def __init__(self, name: str) -> None:
        super().__init__(
            Text(f"没有名为“{name}”的证书类型。", f'There is no certificate profile named "{name}".'),
            advice=Text(f"可用:{', '.join(PROFILES)}。", f"Use one of: {', '.join(PROFILES)}."),
        )


CERT_SIGN, CRL_SIGN = "key_cert_sign", "crl_sign"
SIGNATURE, COMMITMENT = "digital_signature", "content_commitment"

_ALL = (
    Profile(
        "root", Text("根 CA", "Root CA"), 7305, (CERT_SIGN, CRL_SIGN), policy="", keys=CA_KEYS,
        is_ca=True, path_length=1, self_signed=True, revocable=False,
    ),
    Profile(
        "issuing-ca", Text("签发 CA", "Issuing CA"), 3653, (CERT_SIGN, CRL_SIGN), keys=CA_KEYS,
        is_ca=True, path_length=0,
    ),
    Profile(
        "simulation-ca", Text("模拟审批 CA", "Simulation CA"), 3653, (CERT_SIGN, CRL_SIGN), policy="", keys=CA_KEYS,
        is_ca=True, path_length=0, self_signed=True, revocable=False,
    ),
    Profile("ocsp", Text("OCSP 响应", "OCSP responder"), 397, (SIGNATURE,), (OCSP_SIGNING,), revocable=False),
    Profile("tsa", Text("时间戳", "Timestamp authority"), 1826, (SIGNATURE,), (TIME_STAMPING,), True),
    Profile("seal", Text("电子印章", "Electronic seal"), 1096, (SIGNATURE, COMMITMENT), (DOCUMENT_SIGNING,)),
    Profile(
        "simulation-seal", Text("模拟审批印章", "Simulation seal"), 1096, (SIGNATURE, COMMITMENT),
        (DOCUMENT_SIGNING,), policy=SIMULATION_POLICY,
    ),
    Profile(
        "simulation-ocsp", Text("模拟审批 OCSP 响应", "Simulation OCSP responder"), 397, (SIGNATURE,),
        (OCSP_SIGNING,), policy=SIMULATION_POLICY, revocable=False,
    ),
    Profile(
        "officer-signing", Text("人员签名", "Officer, signing"), 1096, (COMMITMENT,), (DOCUMENT_SIGNING,),
    ),
    Profile(
        "officer-authentication", Text("人员登录", "Officer, log-in"), 1096, (SIGNATURE,), (CLIENT_AUTH,),
    ),
    Profile(
        "evidence", Text("查验回执", "Evidence answers (JWS)"), 1096, (SIGNATURE,), keys=("rsa2048", "rsa3072", "p256"),
    ),
    Profile("paper-code", Text("核验二维码", "Paper code"), 1096, (SIGNATURE,), keys=("p256",)),
    Profile("log", Text("审计日志", "Audit log"), 1096, (SIGNATURE,), keys=("p256", "ed25519")),
    Profile(
        "department-tls", Text("部门 TLS 服务器", "Department TLS server"), 397, (SIGNATURE,), (SERVER_AUTH,),
        needs_host=True,
    ),
    Profile("department-client", Text("部门接口客户端", "Department API client"), 397, (SIGNATURE,), (CLIENT_AUTH,)),
)  # fmt: skip
PROFILES: dict[str, Profile] = {entry.name: entry for entry in _ALL}


def profile_named(name: str) -> Profile:
    """Raises UnknownProfile, listing the names."""
    if name not in PROFILES:
        raise UnknownProfile(name)
    return PROFILES[name]
