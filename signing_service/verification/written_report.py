"""What a numbered verification report (核验报告) for a court or another office says, and its PDF/A, before sealing.

Whoever issues it gives the number, seals and keeps it; nothing is judged anew here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from signing_service.errors import Text
from signing_service.kernel.typesetting import typeset
from signing_service.verification.reasons import Usable, Verdict
from signing_service.verification.report import Check, Report, SignatureReport
from signing_service.verification.wording import moment

_VERDICTS = {Verdict.PASSED: "通过", Verdict.INDETERMINATE: "无法确认", Verdict.FAILED: "未通过"}
_USABLE = {Usable.YES: "可用", Usable.NO: "不可用", Usable.UNKNOWN: "不确定"}
KIND_NAMES = {"seal": "电子印章", "signature": "电子签名", "timestamp": "文件时间戳"}
_INTEGRITY = {"intact": "完整", "broken": "被破坏", "unverifiable": "无法验证"}
RESULT_NAMES = {
    "passed": "通过",
    "failed": "未通过",
    "indeterminate": "无法确认",
    "information": "说明",
    "skipped": "未检查",
}
_SOURCES = {
    None: "可信时间戳",
    "own": "可信时间戳,由本系统自有时间戳服务签发",
    "outside": "可信时间戳,由独立于各方的时间戳机构签发",
}
_SOURCES_EN = {
    None: "proven by a timestamp; whose it is, is named under check 7",
    "own": "proven by a timestamp of this system's own service",
    "outside": "proven by a timestamp authority that is independent of the parties",
}
CHECK_NAMES = {
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
    "reading": "读取文件",
    "structure": "文件结构",
    "ambiguous_structure": "结构歧义",
    "unsigned_data_after_last_signature": "最后一次签名后的内容",
}


_ALWAYS_OPEN = (
    Text("文件内容在事实上是否属实。", "Whether what the document says is true."),
    Text("提交文件的人是否有权使用该文件。", "Whether the person who presents it is entitled to use it."),
)


def written_report(report: Report, *, number: str, requested_by: str, purpose: str) -> dict[str, Any]:
    """The content of one report under `number`, for `requested_by` (an office or a court) and its `purpose`."""
    return {
        "number": number,
        "requested_by": requested_by,
        "purpose": purpose,
        "file": Path(report.file).name,
        "sha256": report.digest.hex(),
        "verified_at": moment(report.at),
        "date": moment(report.at).partition(" ")[0],
        "verdict": _VERDICTS[report.verdict],
        "verdict_code": str(report.verdict),
        "usable_now": _USABLE[report.usable_now],
        "usable_code": str(report.usable_now),
        "reason": report.reason,
        "sentence": report.summary.zh,
        "sentence_en": report.summary.en,
        "advice": report.advice.zh,
        "advice_en": report.advice.en,
        "modified": "有" if report.modified_after_signing else "无",
        "intact_bytes": report.intact_revision,
        "licences": list(report.identifiers),
        "signatures": [_signature(number, signature) for number, signature in enumerate(report.signatures, 1)],
        "checks": [_check(check) for check in report.checks],
        "not_checked": [[text.zh, text.en] for text in _not_checked(report)],
    }


def typeset_report(written: dict[str, Any], *, issuer: str, code: str, size: int) -> bytes:
    """PDF/A of `written_report`; `code` is the one to fetch it with, `size` the judged file's length in bytes. The seal
    belongs over the lower right of the last page. Raises LayoutFailed, FontMissing."""
    return typeset(_layout(), {**written, "issuer": issuer, "code": code, "size": size})


@cache
def _layout() -> str:
    return (Path(__file__).parent / "layouts" / "report.typ").read_text(encoding="utf-8")


def _not_checked(report: Report) -> Iterator[Text]:
    """What the reader might take for checked and is not."""
    skipped = [check for signature in report.signatures for check in signature.checks if check.result == "skipped"]
    for check in skipped:
        yield Text(
            f"{CHECK_NAMES.get(check.name.partition(' ')[2], check.name)}:{check.detail}",
            f"{check.name}: {check.detail}",
        )
    if any(signature.time_source == "claimed" for signature in report.signatures):
        yield Text("签署人自己声称的时间。", "Times that signers claim themselves.")
    stamped = [signature for signature in report.signatures if signature.time_source == "timestamp"]
    if any(signature.time_authority is None for signature in stamped):
        yield Text(
            "时间戳服务是否独立于签署单位。", "Whether the timestamp service is independent of the signing body."
        )
    if report.reason in ("resource_limit", "unreadable", "password_needed"):
        yield Text("无法读取部分中的签名。", "Signatures in what could not be read.")
    if report.reason == "status_unknown":
        yield Text("所载证照的当前状态。", "The present status of the licence that it names.")
    yield from _ALWAYS_OPEN


def _signature(number: int, signature: SignatureReport) -> dict[str, Any]:
    stamped = signature.time_source == "timestamp"
    source = _SOURCES[signature.time_authority] if stamped else "签署人声称"
    return {
        "number": number,
        "field": signature.field,
        "kind": KIND_NAMES[signature.kind],
        "signer": signature.signer,
        "organisation": signature.organisation,
        "certificate_sha256": signature.certificate_sha256.hex(),
        "time": f"{moment(signature.signed_at)}({source})" if signature.signed_at else "—",
        "time_en": _SOURCES_EN[signature.time_authority] if stamped else "claimed by the signer, not proven",
        "algorithm": signature.algorithm,
        "verdict": _VERDICTS[signature.verdict],
        "integrity": _INTEGRITY[signature.integrity],
        "indication": " / ".join(part for part in (signature.indication, signature.sub_indication) if part),
        "level": signature.level or "—",
        "covered_bytes": signature.covered,
        "checks": [_check(check) for check in signature.checks],
    }


def _check(check: Check) -> dict[str, str]:
    number, _, name = check.name.partition(" ")
    return {
        "number": number,
        "name": CHECK_NAMES.get(name, name),
        "result": RESULT_NAMES[check.result],
        "detail": check.detail,
    }
