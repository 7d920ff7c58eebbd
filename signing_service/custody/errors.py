"""Why custody did not sign."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.clock import in_words


class CustodyError(SigningServiceError):
    """Root of this room's errors."""

    code = "custody_error"


class PolicyUnreadable(CustodyError):
    code = "custody_policy_unreadable"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            Text(f"无法读取密钥保管策略 {path}。", f"Custody's policy {path} cannot be read."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text(
                "请先运行 zhengyin init,或从备份恢复。", "Run `zhengyin init` first, or restore it from backup."
            ),
        )


class PolicyUnsafe(CustodyError):
    code = "custody_policy_unsafe"

    def __init__(self, path: Path, zh: str, en: str) -> None:
        super().__init__(
            Text(
                f"密钥保管策略 {path} 不安全,拒绝启动。", f"Custody's policy {path} is unsafe; custody does not start."
            ),
            why=Text(zh, en),
            advice=Text(
                "目录应为 0700、文件应为 0600,并属于保管进程账户。",
                "The folder must be 0700 and the file 0600, both owned by custody's account.",
            ),
        )


class SealNotInCustody(CustodyError):
    code = "seal_not_in_custody"

    def __init__(self, seal_id: str) -> None:
        super().__init__(
            Text(f"保管策略中没有印章 {seal_id}。", f"Custody's policy knows no seal {seal_id}."),
            advice=Text(
                "请核对印章编号,或先制作并登记该印章。", "Check the seal's id, or make and register the seal first."
            ),
        )


class ServiceNotInCustody(CustodyError):
    code = "service_not_in_custody"

    def __init__(self, kind: str) -> None:
        super().__init__(
            Text(f"保管策略中没有服务密钥“{kind}”。", f"Custody's policy has no service key “{kind}”."),
            advice=Text("请运行 zhengyin init 建立服务密钥。", "Run `zhengyin init` to make the service keys."),
        )


class TokenNotInCustody(CustodyError):
    code = "token_not_in_custody"

    def __init__(self, name: str, known: list[str]) -> None:
        listed = ", ".join(known)
        super().__init__(
            Text(f"保管策略中没有密码设备“{name}”。", f"Custody's policy has no token “{name}”."),
            advice=Text(f"可用:{listed}。", f"Use one of: {listed}."),
        )


class ServiceKeyRetired(CustodyError):
    """The key that was asked for by name is none of the service's, or was replaced and its overlap is over."""

    code = "service_key_retired"

    def __init__(self, kind: str) -> None:
        super().__init__(
            Text(f"指定的“{kind}”服务密钥已停用。", f"The service key “{kind}” that was named is out of use."),
            why=Text("密钥已轮换,重叠期已过。", "It was rotated, and the overlap is over."),
            advice=Text(
                "稍后重试;仍不成功请重启该进程,它会改用现行密钥。",
                "Try again shortly; else restart the process, and it will take the present key.",
            ),
        )


class NotTheSealsCertificate(CustodyError):
    code = "not_the_seals_certificate"

    def __init__(self, seal_id: str) -> None:
        super().__init__(
            Text("待签属性指向另一张证书,没有签名。", "The attributes name another certificate; nothing was signed."),
            why=Text(f"不是印章 {seal_id} 的证书。", f"It is not the certificate of seal {seal_id}."),
            advice=Text("请用该印章的证书重新准备文件。", "Prepare the file again with the seal's certificate."),
        )


class SealCertificateNotValid(CustodyError):
    code = "seal_certificate_not_valid"

    def __init__(self, begin: datetime, end: datetime) -> None:
        super().__init__(
            Text("印章证书不在有效期内。", "The seal's certificate is not within its validity."),
            why=Text(f"有效期 {in_words(begin)} 至 {in_words(end)}。", f"It runs from {begin} to {end}."),
            advice=Text("请更换印章证书。", "Replace the seal's certificate."),
        )


class SealingFrozen(CustodyError):
    code = "sealing_frozen"

    def __init__(self, scope: str, since: datetime, reason: str) -> None:
        super().__init__(
            Text("用印已被紧急停止,没有盖章。", "Sealing has been stopped; nothing was sealed."),
            why=Text(f"范围 {scope},自 {in_words(since)}:{reason}。", f"Scope {scope}, since {since}: {reason}."),
            advice=Text(
                "查明原因后,由保管人员在保管主机上解除。",
                "Once it is cleared up, custody lifts the stop at its own machine.",
            ),
        )


class StructureRefused(CustodyError):
    code = "structure_refused"

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(
            Text(
                f"内容不是服务密钥“{kind}”可签的结构,没有签名。",
                f"This is no structure that the service key “{kind}” signs; nothing was signed.",
            ),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text(
                "请检查调用方;如非本系统所为,请停用并报告。",
                "Look into the caller; if it is not ours, stop and report.",
            ),
        )


class UseNotFound(CustodyError):
    code = "use_not_found"

    def __init__(self) -> None:
        super().__init__(
            Text("用印台账中没有这次用印的签名。", "The ledger has no signature for this use."),
            advice=Text("请重新申请用印。", "Ask for the seal again."),
        )


class AuthorisationNotLodged(CustodyError):
    code = "authorisation_not_lodged"

    def __init__(self) -> None:
        super().__init__(
            Text("保管进程尚未收到这份授权。", "Custody does not have this authorisation at hand."),
            advice=Text("请重新提交授权全文。", "Hand in the whole authorisation again."),
        )


class LedgerAltered(CustodyError):
    code = "custody_ledger_altered"

    def __init__(self, row: int) -> None:
        super().__init__(
            Text("用印台账被改动过。", "The ledger of uses has been altered."),
            why=Text(f"自第 {row} 条起校验不符。", f"From entry {row} on, the chain of hashes does not hold."),
            advice=Text(
                "请停止用印,保全证据,并从备份核对。", "Stop sealing, keep the evidence, compare with the backup."
            ),
        )


class SignatureNotMade(CustodyError):
    code = "signature_not_made"

    def __init__(self) -> None:
        super().__init__(
            Text("密码设备给出的签名不成立,已丢弃。", "The token's signature does not verify; it was thrown away."),
            advice=Text("请运行 zhengyin doctor 检查密码设备。", "Run `zhengyin doctor` on the token."),
        )


class CustodyUnreachable(CustodyError):
    code = "custody_unreachable"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            Text(f"无法连接密钥保管进程 {path}。", f"The custody process at {path} cannot be reached."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请启动 zhengyin custody 后重试。", "Start `zhengyin custody`, then try again."),
        )


class CallRefused(CustodyError):
    code = "custody_call_refused"

    def __init__(self, why: str) -> None:
        super().__init__(
            Text("密钥保管进程不接受这次调用。", "The custody process does not accept this call."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请检查调用进程的账户和版本。", "Check the calling process's account and version."),
        )
