"""The plan of a home's first ceremony: every kind of key that a deployment begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import yaml

from signing_service.pki.ceremony_plan import CeremonyPlan, read_plan

SEAL, TLS = "seal-default", "tls"
_CERTIFICATES = (
    ("root", "root", "root", "rsa3072", "内部根CA", ""),
    ("issuing", "issuing-ca", "issuing", "rsa3072", "内部签发CA", "root"),
    ("simulation", "simulation-ca", "issuing", "p256", "模拟审批CA(无法律效力)", ""),
    ("ocsp", "ocsp", "services", "p256", "内部证书状态服务", "issuing"),
    ("simulation-ocsp", "simulation-ocsp", "services", "p256", "模拟审批证书状态服务", "simulation"),
    ("tsa", "tsa", "services", "p256", "内部时间戳服务", "issuing"),
    ("evidence", "evidence", "services", "p256", "查验回执", "issuing"),
    ("paper-code", "paper-code", "services", "p256", "核验二维码", "issuing"),
    ("log", "log", "services", "p256", "审计日志", "issuing"),
)


@dataclass(frozen=True, slots=True)
class Body:
    """The body whose seal and server it is: its name, its code, its id in the people register."""

    name: str
    code: str = ""
    department: str = ""


def first_plan(city: str, body: Body, base_url: str, present: Mapping[str, str]) -> CeremonyPlan:
    """Formal root and issuing CA, a simulation CA of its own, service keys, the body's seal and its TLS server.

    Tokens are called root, issuing and services; `present` maps a person to the role at the ceremony.
    """
    return read_plan(yaml.safe_dump(_entries(city, body, base_url, present), allow_unicode=True, sort_keys=False))


def _entries(city: str, body: Body, base_url: str, present: Mapping[str, str]) -> dict[str, object]:
    fields = ("name", "profile", "token", "key", "subject", "issuer")
    made = [dict(zip(fields, row, strict=True)) | {"subject": f"{city}{row[4]}"} for row in _CERTIFICATES]
    host = urlsplit(base_url).hostname or ""
    whose = {"issuer": "issuing", "identifier": body.code, "department": body.department}
    seal = {"name": SEAL, "profile": "seal", "token": "issuing", "key": "p256", "subject": f"{body.name}电子印章"}
    server = {
        "name": TLS,
        "profile": "department-tls",
        "token": "services",
        "key": "p256",
        "subject": host,
        "host": host,
    }
    return {
        "title": f"{city}首次密钥仪式",
        "organization": body.name,
        "base_url": base_url,
        "present": [{"name": name, "role": role} for name, role in present.items()],
        "certificates": [*made, seal | whose | {"service": "seal:default"}, server | whose],
        "crls": ["root", "issuing", "simulation"],
    }
