"""Why the agent did not sign. Each difference between what was promised and what came has its own name."""

from __future__ import annotations

from typing import ClassVar

from signing_service.errors import SigningServiceError, Text


class AgentRefusal(SigningServiceError):
    """Root: nothing was signed. `WHAT` is the class's sentence, `detail` the two values that differ."""

    code = "agent_refusal"
    WHAT: ClassVar[Text] = Text("没有签名。", "Nothing was signed.")
    ADVICE: ClassVar[Text] = Text(
        "请不要继续,并把此提示告诉本单位的系统管理员。", "Do not go on; show this message to your administrator."
    )

    def __init__(self, zh: str = "", en: str = "") -> None:
        super().__init__(self.WHAT, why=Text(zh, en) if zh else None, advice=self.ADVICE)


class DocumentDiffers(AgentRefusal):
    code = "document_differs"
    WHAT = Text(
        "收到的文件不是清单中的那一份,没有签名。", "The file that came is not the one on the list; nothing was signed."
    )


class DigestDiffers(AgentRefusal):
    code = "digest_differs"
    WHAT = Text("摘要与文件内容不符,没有签名。", "The digest is not that of the document; nothing was signed.")


class AttributesDiffer(AgentRefusal):
    code = "attributes_differ"
    WHAT = Text(
        "待签属性不属于这份文件,没有签名。",
        "The attributes to be signed belong to another document; nothing was signed.",
    )


class CertificateDiffers(AgentRefusal):
    code = "certificate_differs"
    WHAT = Text(
        "待签属性指向另一张证书,没有签名。", "The attributes name another certificate than yours; nothing was signed."
    )


class PositionDiffers(AgentRefusal):
    code = "position_differs"
    WHAT = Text("签名的位置与约定的不同,没有签名。", "The signature stands elsewhere than agreed; nothing was signed.")


class TextDiffers(AgentRefusal):
    code = "text_differs"
    WHAT = Text(
        "签名处的文字与您填写的不同,没有签名。",
        "The text of the signature is not what you entered; nothing was signed.",
    )


class OrderDiffers(AgentRefusal):
    code = "order_differs"
    WHAT = Text("清单的内容或顺序变了,没有签名。", "The list or its order has changed; nothing was signed.")


class JobReplayed(AgentRefusal):
    code = "job_replayed"
    WHAT = Text("这份文件已经签过,没有再签。", "This document was signed before; it was not signed again.")


class OriginDiffers(AgentRefusal):
    code = "origin_differs"
    WHAT = Text("登录请求来自另一个网站,没有登录。", "The log-in request is for another site; you were not logged in.")


class ServerKeyDiffers(AgentRefusal):
    code = "server_key_differs"
    WHAT = Text(
        "服务器的密钥不是配对时的那一把,已断开。", "The server's key is not the one that was paired; disconnected."
    )


class VersionUnsupported(AgentRefusal):
    code = "version_unsupported"
    WHAT = Text("签名助手与服务器的版本不兼容。", "Agent and server speak different versions.")
    ADVICE = Text("请升级签名助手。", "Update the agent.")


class ServerUnreachable(AgentRefusal):
    code = "server_unreachable"
    WHAT = Text("连接不上服务器。", "The server cannot be reached.")
    ADVICE = Text("请检查网络和代理设置,稍后重试。", "Check network and proxy settings, then try again.")


class ServerRefused(AgentRefusal):
    """The server answered with a named error of its own; its code and sentence are passed on."""

    code = "server_refused"
    WHAT = Text("服务器拒绝了请求。", "The server refused.")
    ADVICE = Text("请按提示处理后重试。", "Do as it says, then try again.")

    def __init__(self, server_code: str, sentence: str) -> None:
        self.server_code = server_code
        super().__init__(f"{sentence}({server_code})", f"{sentence} ({server_code})")


class NotPaired(AgentRefusal):
    code = "not_paired"
    WHAT = Text("签名助手尚未与服务器配对。", "The agent is not paired with the server.")
    ADVICE = Text("请先运行 zhengyin agent pair --server 地址。", "Run `zhengyin agent pair --server URL` first.")


class NoSigningPair(AgentRefusal):
    code = "no_signing_pair"
    WHAT = Text("USB Key 上没有可用的密钥和证书。", "The USB key has no key with a certificate for this purpose.")
    ADVICE = Text("请确认插入了自己的 USB Key。", "See that your own USB key is plugged in.")


class SeveralSigningPairs(AgentRefusal):
    code = "several_signing_pairs"
    WHAT = Text("USB Key 上有多张可用的证书,无法自行选择。", "The USB key has several certificates for this purpose.")
    ADVICE = Text("请用 --certificate 指明证书指纹。", "Name one by its fingerprint with --certificate.")


class SeveralTokens(AgentRefusal):
    code = "several_tokens"
    WHAT = Text("插着多把 USB Key。", "Several USB keys are plugged in.")
    ADVICE = Text("请用 --serial 指明序列号。", "Name one by its serial with --serial.")


class UnreadablePages(AgentRefusal):
    code = "unreadable_pages"
    WHAT = Text("文件的页面无法显示,没有签名。", "The pages cannot be shown; nothing was signed.")
