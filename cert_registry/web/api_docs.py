"""What the OpenAPI document says of refusals: for each route its stable codes, with an example of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cert_registry.web.statuses import ELSE, STATUS

MEDIA_TYPE = "application/problem+json"
TITLES: Mapping[str, str] = {
    "invalid_token": "访问令牌无效或已过期。",
    "request_invalid": "请求的格式不对。",
    "personal_number_in_purpose": "用途中不要写证件号码或手机号码。",
    "too_many_requests": "请求过于频繁。",
    "store_unavailable": "数据库暂时不可用,没有执行任何操作。",
    "evidence_unavailable": "暂时不能签发查验回执。",
    "identifier_malformed": "证照标识的格式不对。",
    "bad_check_character": "编号的校验位不对,请检查是否输错。",
    "not_found_here": "本系统没有该证照。",
    "other_issuer": "该证照由别处签发。",
    "grant_missing": "贵部门没有这项授权。",
    "consent_needed": "需要持证人的授权码。",
    "paper_code_invalid": "这不是本系统的核验二维码,或已被改动。",
    "file_too_large": "文件太大,没有检查。",
    "verifier_busy": "现在核验的人太多,文件没有检查。",
    "unknown_licence_type": "没有这种证照类型。",
    "fields_invalid": "内容不符合要求。",
    "holder_code_invalid": "持证主体代码不对。",
    "not_an_issuer": "该机构不能颁发这种证照。",
    "already_issued": "该办件已有证照。",
    "absorbed_type": "该证照已并入营业执照,不再单独颁发。",
    "operation_not_allowed": "当前状态不能办理这项变更。",
    "legal_basis_missing": "须写明理由和法律依据。",
    "idempotency_key_reused": "这个 Idempotency-Key 已用于另一请求。",
    "request_in_progress": "同一请求正在处理。",
    "licence_ended": "该证照已被依法终止。",
    "licence_expired": "该证照已过期。",
    "licence_suspended": "该证照已暂扣。",
    "no_standing_order": "没有可用的长期用印授权。",
    "subscription_not_found": "没有这项订阅。",
    "key_set_refused": "公钥不符合要求。",
    "key_not_proven": "没有证明持有新的私钥。",
    "no_intact_version": "这份文件里没有盖章后未被改动的版本。",
    "no_reports_here": "这里不能出具核验报告。",
    "verification_report_unknown": "没有这份核验报告,或取件码不对。",
}
_OUTSIDE = {"invalid_token": 401, "key_set_refused": 422, "key_not_proven": 422}
ALWAYS = (
    "invalid_token", "request_invalid", "personal_number_in_purpose", "too_many_requests", "store_unavailable",
)  # fmt: skip
BY_IDENTIFIER = (
    "identifier_malformed", "bad_check_character", "not_found_here", "other_issuer",
    "grant_missing", "consent_needed", "evidence_unavailable",
)  # fmt: skip
CHANGING = ("idempotency_key_reused", "request_in_progress")


def refusals(*codes: str) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` for these codes and those that every route has."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for code in (*ALWAYS, *codes):
        status = _OUTSIDE.get(code) or STATUS.get(code, ELSE)
        found = by_status.setdefault(
            status, {"description": "", "content": {MEDIA_TYPE: {"schema": PROBLEM, "examples": {}}}}
        )
        found["content"][MEDIA_TYPE]["examples"][code] = {"value": _example(code, status)}
        found["description"] = f"{found['description']} {code}".strip()
    return by_status


def _example(code: str, status: int) -> dict[str, Any]:
    title = TITLES[code]
    return {"type": f"urn:zhengyin:problem:{code}", "title": title, "status": status, "detail": "", "code": code}


PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457。code 稳定,title 说发生了什么,detail 说原因和找谁。",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
        "detail": {"type": "string"}, "code": {"type": "string"}, "request_id": {"type": "string"},
        "identifier": {"type": "string", "description": "already_issued 等:相关证照的标识"},
        "url": {"type": "string", "description": "other_issuer:核验地址"},
        "problems": {"type": "object", "description": "fields_invalid:逐项原因"},
    },
}  # fmt: skip
