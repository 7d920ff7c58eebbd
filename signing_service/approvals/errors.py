"""The error tree of approvals.

ApprovalError
├── CaseNotFound, StepNotFound, MatterUnknown, MatterUnreadable
├── MoveNotAllowed, StepNotOpen, NotYourStep, NotRead
├── StepAlreadySigned, StaleRevision, NotThisDocument, NotVerified, WrongSigner, LeaseHeld, SignatureNotWithdrawable
    ├── ClockNotSo, NotConvertible
├── ReasonMissing, RequestIncomplete, CaseExists, PersonalNumbersUnprotected
└── CodeRefused, TooManyTries
"""

from __future__ import annotations

from datetime import datetime

from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.clock import in_words


class ApprovalError(SigningServiceError):
    """Root of everything that can go wrong in a case's course."""

    code = "approval_error"


class CaseNotFound(ApprovalError):
    code = "case_not_found"

    def __init__(self, case: str) -> None:
        super().__init__(
            Text(f"没有办件 {case}。", f"There is no case {case}."),
            advice=Text("请核对办件编号。", "Check the case number."),
        )


class StepNotFound(ApprovalError):
    code = "step_not_found"

    def __init__(self, case_number: str, step: int) -> None:
        super().__init__(
            Text(f"办件 {case_number} 没有环节 {step}。", f"Case {case_number} has no step {step}."),
            advice=Text("请刷新待办列表。", "Reload the list of pending work."),
        )


class MatterUnknown(ApprovalError):
    code = "matter_unknown"

    def __init__(self, matter: str, known: str) -> None:
        super().__init__(
            Text(f"没有事项 {matter}。", f"There is no matter {matter}."),
            why=Text(f"现有事项:{known}。", f"Known matters: {known}."),
            advice=Text("请选择现有事项。", "Choose one of those."),
        )


class MatterUnreadable(ApprovalError):
    code = "matter_unreadable"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            Text(f"事项文件 {name} 有误。", f"The matter file {name} is wrong."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请改正该文件。", "Correct the file."),
        )


class MoveNotAllowed(ApprovalError):
    """The case is in a state from which this act does not lead on."""

    code = "move_not_allowed"

    def __init__(self, act: Text, state: Text) -> None:
        super().__init__(
            Text(f"办件现为“{state.zh}”,不能{act.zh}。", f"The case is {state.en}; it cannot be {act.en} now."),
            advice=Text("请刷新后查看办件的当前状态。", "Reload to see the case's present state."),
        )


class StepNotOpen(ApprovalError):
    code = "step_not_open"

    def __init__(self, title: str, state: Text) -> None:
        super().__init__(
            Text(f"环节“{title}”现为“{state.zh}”,不能办理。", f"Step “{title}” is {state.en}; it cannot be done now."),
            advice=Text("请刷新待办列表。", "Reload the list of pending work."),
        )


class NotYourStep(ApprovalError):
    code = "not_your_step"

    def __init__(self, title: str) -> None:
        super().__init__(
            Text(f"环节“{title}”不由您办理。", f"Step “{title}” is not yours."),
            why=Text(
                "部门、角色或指定人员不符,也没有在有效期内的委托。",
                "Department, role or named officer differ, and no delegation is in force.",
            ),
            advice=Text(
                "如需代办,请经办人先办理委托(AB角)。", "To stand in, have the officer delegate the step first."
            ),
        )


class NotRead(ApprovalError):
    code = "not_read"

    def __init__(self, title: str) -> None:
        super().__init__(
            Text(f"环节“{title}”的文件尚未阅读。", f"The document of step “{title}” has not been read."),
            why=Text("该事项要求先阅读全文再签署。", "This matter asks for reading before signing."),
            advice=Text("请打开文件并读完,再签署。", "Open the document, read it, then sign."),
        )


class StepAlreadySigned(ApprovalError):
    code = "step_already_signed"

    def __init__(self, title: str) -> None:
        super().__init__(
            Text(
                f"环节“{title}”已签署,每个环节只有一个有效签名。",
                f"Step “{title}” is signed already; a step has one signature.",
            ),
            advice=Text("请刷新待办列表。", "Reload the list of pending work."),
        )


class StaleRevision(ApprovalError):
    """Somebody else's signature was added in between; this one stands on an older revision."""

    code = "stale_revision"

    def __init__(self) -> None:
        super().__init__(
            Text(
                "文件在签署期间已有新的签名,本次签名没有采用。",
                "Another signature was added meanwhile; this one was not taken.",
            ),
            advice=Text("请在最新版本上重新签署。", "Sign again, on the newest revision."),
        )


class NotThisDocument(ApprovalError):
    code = "not_this_document"

    def __init__(self) -> None:
        super().__init__(
            Text("送回的文件不是本办件的文件。", "The file that came back is not this case's document."),
            why=Text(
                "它不以办件现有版本的全部内容开头。", "It does not begin with all bytes of the case's present revision."
            ),
            advice=Text("请在系统给出的文件上签署。", "Sign the very file that the system gave out."),
        )


class NotVerified(ApprovalError):
    """The examiner did not pass the file; `reason` is the verification engine's code."""

    code = "not_verified"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            Text(
                "签名或印章没有通过验证,办件没有前进。",
                "The signature or seal did not pass verification; the case stays where it is.",
            ),
            why=Text(f"验证结论代码:{reason}。", f"The verification says: {reason}."),
            advice=Text(
                "请查看验证报告,排除原因后重新签署。", "See the verification report, remove the cause, sign again."
            ),
        )


class WrongSigner(ApprovalError):
    code = "wrong_signer"

    def __init__(self) -> None:
        super().__init__(
            Text("签名所用证书不是办理人的证书。", "The signature was not made with the acting officer's certificate."),
            advice=Text("请使用本人的 USB Key 签署。", "Sign with your own USB key."),
        )


class LeaseHeld(ApprovalError):
    code = "lease_held"

    def __init__(self, officer: str, until: datetime) -> None:
        super().__init__(
            Text(f"{officer} 正在签署同一份文件。", f"{officer} is signing the same document just now."),
            why=Text(f"最迟于 {in_words(until)} 释放。", f"It is free again at {in_words(until)} at the latest."),
            advice=Text("请稍候再签,无需重新阅读。", "Wait a moment, then sign; no need to read it again."),
        )


class SignatureNotWithdrawable(ApprovalError):
    code = "signature_not_withdrawable"

    def __init__(self, title: str) -> None:
        super().__init__(
            Text(f"环节“{title}”的签署不能撤回。", f"The signature of step “{title}” cannot be withdrawn."),
            why=Text(
                "后续环节已开始办理,或他人已在其后签署。", "A later step was taken up, or somebody signed after it."
            ),
            advice=Text("请联系后续环节的办理人退回。", "Ask the officer of the later step to return the case."),
        )


class ClockNotSo(ApprovalError):
    """A pause while the clock already stands, or a resumption while it runs."""

    code = "clock_not_so"

    def __init__(self, *, paused: bool) -> None:
        word = Text("已暂停", "stopped") if paused else Text("正在计时", "running")
        super().__init__(
            Text(f"办件的计时{word.zh}。", f"The case's clock is {word.en} already."),
            advice=Text("请刷新后查看办理期限。", "Reload to see the deadline."),
        )


class NotConvertible(ApprovalError):
    code = "not_convertible"

    def __init__(self, why: Text) -> None:
        super().__init__(
            Text("该模拟审批不能转为这个正式审批。", "This simulated approval cannot be converted to that one."),
            why=why,
            advice=Text("请核对正式办件的编号。", "Check the formal case's number."),
        )


class ReasonMissing(ApprovalError):
    code = "reason_missing"

    def __init__(self, act: Text) -> None:
        super().__init__(
            Text(f"{act.zh}必须写明理由。", f"A reason is needed for this: {act.en}."),
            advice=Text("请填写理由后重试。", "State the reason and try again."),
        )


class RequestIncomplete(ApprovalError):
    code = "request_incomplete"

    def __init__(self, what: Text) -> None:
        super().__init__(
            Text(f"申请内容不完整:{what.zh}。", f"The request is not complete: {what.en}."),
            advice=Text("请补全后重新提交。", "Complete it and submit it again."),
        )


class CaseExists(ApprovalError):
    code = "case_exists"

    def __init__(self, number: str) -> None:
        self.number = number
        super().__init__(
            Text(f"同一申请已经收件,办件编号 {number}。", f"The same request was taken in before, as case {number}."),
            advice=Text("请按该编号查询办理情况。", "Follow that case instead."),
        )


class PersonalNumbersUnprotected(ApprovalError):
    code = "personal_numbers_unprotected"

    def __init__(self) -> None:
        super().__init__(
            Text(
                "没有配置个人证件号的加密,不能受理自然人的申请。",
                "No vault for personal numbers is set up, so a natural person's case cannot be taken in.",
            ),
            advice=Text("请运维人员配置数据密钥后重试。", "An operator sets up the data key first."),
        )


class CodeRefused(ApprovalError):
    """The same answer for a wrong number, a wrong code and a withdrawn code."""

    code = "code_refused"

    def __init__(self) -> None:
        super().__init__(
            Text("办件编号或查询码不对。", "The case number or the query code is wrong."),
            advice=Text(
                "请核对受理单上的办件编号和查询码;查询码遗失请携带证件到受理窗口补发。",
                "Check both on the receipt. If the code is lost, the window issues a new one on proof of identity.",
            ),
        )


class TooManyTries(ApprovalError):
    code = "too_many_tries"

    def __init__(self, minutes: int) -> None:
        super().__init__(
            Text("输入错误次数过多,暂停查询。", "Too many wrong entries; look-ups are paused."),
            advice=Text(
                f"请 {minutes} 分钟后再试,或到受理窗口查询。", f"Try again in {minutes} minutes, or ask at the window."
            ),
        )


class PlatformUnknown(ApprovalError):
    """The client is not registered for handing in cases: for it, there is nothing here."""

    code = "not_found"

    def __init__(self) -> None:
        super().__init__(
            Text("没有登记为收件平台。", "This client is not registered for handing in cases."),
            advice=Text("请联系审批部门登记。", "Ask the approving department to register it."),
        )


class MatterNotAllowed(ApprovalError):
    code = "matter_not_allowed"

    def __init__(self, matter: str) -> None:
        super().__init__(
            Text(f"本平台不能报送事项 {matter}。", f"This platform may not hand in cases of {matter}."),
            advice=Text("请联系审批部门增加该事项。", "Ask the approving department to add the matter."),
        )


class RouteNotAllowed(ApprovalError):
    code = "route_not_allowed"

    def __init__(self) -> None:
        super().__init__(
            Text("本平台不能自带审批流程。", "This platform may not give a case its own route."),
            advice=Text("请去掉 route,使用事项的流程。", "Leave route out: the matter's own is used."),
        )


class RouteInvalid(ApprovalError):
    code = "route_invalid"

    def __init__(self, why: Text) -> None:
        super().__init__(
            Text("审批流程不能执行。", "The route cannot be followed."),
            why=why,
            advice=Text("请核对部门和角色。", "Check departments and roles."),
        )


class CallbackRefused(ApprovalError):
    code = "callback_refused"

    def __init__(self) -> None:
        super().__init__(
            Text("回调地址不对。", "The callback address is not acceptable."),
            why=Text("应为不带用户名的 http(s) 地址。", "It must be an http(s) address without a user name."),
        )


class NotReleased(ApprovalError):
    code = "case_not_released"

    def __init__(self, state: Text) -> None:
        super().__init__(
            Text("该办件没有可取的结果文件。", "There is no result to fetch."),
            why=Text(f"办件状态:{state.zh}。", f"The case is {state.en}."),
            advice=Text("办结后再取。", "Fetch it once the case is released."),
        )
