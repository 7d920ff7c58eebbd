"""What a numbered verification report (核验报告) for a court or another office says: data, in Chinese, for a template.

Whoever issues it gives the number, renders, seals and keeps it; nothing is judged anew here.
"""

from __future__ import annotations

from typing import Any

from signing_service.verification.reasons import Usable, Verdict
from signing_service.verification.report import Check, Report, SignatureReport
from signing_service.verification.wording import moment

_VERDICTS = {Verdict.PASSED: "通过", Verdict.INDETERMINATE: "无法确认", Verdict.FAILED: "未通过"}
_USABLE = {Usable.YES: "可用", Usable.NO: "不可用", Usable.UNKNOWN: "不确定"}
_KINDS = {"seal": "电子印章", "signature": "电子签名", "timestamp": "文件时间戳"}
_INTEGRITY = {"intact": "完整", "broken": "被破坏", "unverifiable": "无法验证"}
_RESULTS = {
    "passed": "通过",
    "failed": "未通过",
    "indeterminate": "无法确认",
    "information": "说明",
    "skipped": "未检查",
}
_CHECKS = {
    "format": "格式与覆盖范围",
    "signing certificate": "签名证书",
    "certificate chain": "证书链",
    "validity and revocation": "有效期与吊销状态",
    "seal register": "印章登记状态",
    "cryptography": "密码运算",
    "algorithm strength": "算法强度",
    "changes after signing": "签署后的变动",
    "permissions": "修改权限",
    "signature timestamp": "签名时间戳",
    "timestamp service": "时间戳服务",
    "claimed time": "声称时间",
    "level": "签名级别",
}


def written_report(report: Report, *, number: str, requested_by: str, purpose: str) -> dict[str, Any]:
    """The content of one report under `number`, for `requested_by` (an office or a court) and its `purpose`."""
    return {
        "number": number,
        "requested_by": requested_by,
        "purpose": purpose,
        "file": report.file,
        "sha256": report.digest.hex(),
        "verified_at": moment(report.at),
        "verdict": _VERDICTS[report.verdict],
        "usable_now": _USABLE[report.usable_now],
        "reason": report.reason,
        "sentence": report.summary.zh,
        "advice": report.advice.zh,
        "modified": "有" if report.modified_after_signing else "无",
        "intact_bytes": report.intact_revision,
        "licences": list(report.identifiers),
        "signatures": [_signature(number, signature) for number, signature in enumerate(report.signatures, 1)],
        "checks": [_check(check) for check in report.checks],
    }


def _signature(number: int, signature: SignatureReport) -> dict[str, Any]:
    source = "可信时间戳" if signature.time_source == "timestamp" else "签署人声称"
    return {
        "number": number,
        "field": signature.field,
        "kind": _KINDS[signature.kind],
        "signer": signature.signer,
        "organisation": signature.organisation,
        "certificate_sha256": signature.certificate_sha256.hex(),
        "time": f"{moment(signature.signed_at)}({source})" if signature.signed_at else "—",
        "verdict": _VERDICTS[signature.verdict],
        "integrity": _INTEGRITY[signature.integrity],
        "indication": " / ".join(part for part in (signature.indication, signature.sub_indication) if part),
        "level": signature.level or "—",
        "covered_bytes": signature.covered,
        "checks": [_check(check) for check in signature.checks],
    }


def _check(check: Check) -> dict[str, str]:
    number, _, name = check.name.partition(" ")
    return {"number": number, "name": _CHECKS.get(name, name), "result": _RESULTS[check.result], "detail": check.detail}
