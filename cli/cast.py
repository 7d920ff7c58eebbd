"""Who appears in a demo home: a fictional city, its departments, officers by role, and one token for each key.

All names and codes are fictional; the codes pass their check rules and belong to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

CITY = "示例市"


@dataclass(frozen=True, slots=True)
class DepartmentRole:
    """`code` is a unified social credit code (GB 32100)."""

    id: str
    name: str
    code: str


@dataclass(frozen=True, slots=True)
class OfficerRole:
    """`token` is the label of the token that plays the officer's USB key; `roles` are those of people."""

    id: str
    name: str
    department: str
    token: str
    roles: tuple[str, ...]
    opinion: str = ""


APPROVING = DepartmentRole("approvals", "示例市行政审批局", "11990000MB9900013U")
VERIFYING = DepartmentRole("housing", "示例市住房和城乡建设局", "11990000MB9900021N")
DEPARTMENTS = (APPROVING, VERIFYING)

REVIEWER_1 = OfficerRole("reviewer-1", "审批员甲", APPROVING.id, "reviewer-1", ("reviewer",), "材料齐全,拟同意。")
REVIEWER_2 = OfficerRole("reviewer-2", "审批员乙", APPROVING.id, "reviewer-2", ("reviewer", "licence_clerk"), "同意。")
SEAL_HOLDER = OfficerRole("seal-holder", "用印人", APPROVING.id, "seal-holder", ("seal_holder",))
SEAL_ADMIN_1 = OfficerRole("seal-admin-1", "印章管理员甲", APPROVING.id, "seal-admin-1", ("seal_administrator",))
SEAL_ADMIN_2 = OfficerRole("seal-admin-2", "印章管理员乙", APPROVING.id, "seal-admin-2", ("seal_administrator",))
PKI_OPERATOR = OfficerRole("pki-operator", "证书操作员", APPROVING.id, "pki-operator", ("pki_operator",))
AUDITOR = OfficerRole("auditor", "监察员", VERIFYING.id, "auditor", ("auditor",))
OFFICERS = (REVIEWER_1, REVIEWER_2, SEAL_HOLDER, SEAL_ADMIN_1, SEAL_ADMIN_2, PKI_OPERATOR, AUDITOR)
REVIEWERS = (REVIEWER_1, REVIEWER_2)

ROOT_TOKEN, SEALS_TOKEN, SERVICES_TOKEN = "zhengyin-root", "zhengyin-seals", "zhengyin-services"
SERVICE_TOKENS = (ROOT_TOKEN, SEALS_TOKEN, SERVICES_TOKEN)

DEFAULT_SEAL = "default"
SEAL_DIAMETER_MM = 42.0
APPLICANT_NAME, APPLICANT_CODE = "示例建设有限公司", "91990000MA990001X2"
