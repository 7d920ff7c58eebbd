"""Why the channel did not do what an agent or a page asked for."""

from __future__ import annotations

from typing import ClassVar

from signing_service.errors import SigningServiceError, Text


class ChannelError(SigningServiceError):
    """Root of this room's errors."""

    code = "channel_error"
    WHAT: ClassVar[Text] = Text("操作没有完成。", "It was not done.")
    ADVICE: ClassVar[Text] = Text("请刷新页面后重试。", "Reload the page and try again.")

    def __init__(self, zh: str = "", en: str = "") -> None:
        super().__init__(self.WHAT, why=Text(zh, en) if zh else None, advice=self.ADVICE)


class JobUnknown(ChannelError):
    """Also what an officer is told about another's job."""

    code = "job_unknown"
    WHAT = Text("没有这份待签文件。", "There is no such signature job.")


class JobMoved(ChannelError):
    """The job is not in a state from which this leads on."""

    code = "job_moved"
    WHAT = Text("这份文件的状态已变,没有执行。", "The job has moved on; nothing was done.")


class JobExpired(ChannelError):
    code = "job_expired"
    WHAT = Text("这份待签文件已超时,没有签名。", "The job has expired; nothing was signed.")
    ADVICE = Text("请在办件列表中重新发起签名。", "Start the signature again from the list.")


class WrongCertificate(ChannelError):
    """Not the certificate that the file was prepared for, or no longer the officer's."""

    code = "wrong_certificate"
    WHAT = Text("签名用的证书不对,没有接受。", "The signature was made with another certificate; it was not taken.")


class SignatureRefused(ChannelError):
    """The value does not verify over the prepared attributes."""

    code = "signature_refused"
    WHAT = Text("签名值与待签文件不符,没有接受。", "The signature does not belong to the prepared file.")


class BatchInvalid(ChannelError):
    code = "batch_invalid"
    WHAT = Text("这一批文件不能签。", "This batch cannot be signed.")


class StatementRefused(ChannelError):
    """A pairing or log-in statement that the authentication certificate does not prove."""

    code = "statement_refused"
    WHAT = Text("身份没有得到证明。", "Your identity was not proven.")
    ADVICE = Text("请用本人的 USB Key 重试。", "Try again with your own USB key.")


class ChallengeOver(ChannelError):
    """Unknown, used, or too old."""

    code = "challenge_over"
    WHAT = Text("本次登录或配对已失效。", "This log-in or pairing is over.")
    ADVICE = Text("请在签名助手中重新开始。", "Start again in the agent.")


class LoginCodeWrong(ChannelError):
    """The code belongs to no page that this agent opened: mistyped, or shown by another site."""

    code = "login_code_wrong"
    WHAT = Text("登录码不对,没有登录。", "The log-in code is wrong; you were not logged in.")
    ADVICE = Text(
        "请核对浏览器地址栏是本系统的网址,再输入页面上的登录码。",
        "See that the browser shows our own address, then type the code of that page.",
    )


class AgentUnknown(ChannelError):
    """Not paired, or its pairing was ended."""

    code = "agent_unknown"
    WHAT = Text("签名助手尚未配对,或配对已被取消。", "The agent is not paired, or its pairing was ended.")
    ADVICE = Text("请重新配对。", "Pair it again.")
