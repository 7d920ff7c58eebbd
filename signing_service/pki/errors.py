"""The error tree of this room."""

from __future__ import annotations

from signing_service.errors import SigningServiceError, Text


class PkiError(SigningServiceError):
    """Root of this room's errors."""

    code = "pki_error"


class MalformedDer(PkiError):
    """Bytes that are not DER, or not the structure that was asked for."""

    code = "malformed_der"

    def __init__(self, why: str) -> None:
        super().__init__(
            Text("数据不是合格的 DER 编码。", "The data is not well-formed DER."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请检查发送方的软件。", "Check the software that sent it."),
        )


class KeyNotAllowed(PkiError):
    """The public key's kind or size does not fit the profile."""

    code = "key_not_allowed"

    def __init__(self, kind: str, allowed: str) -> None:
        super().__init__(
            Text(f"不接受这种密钥:{kind}。", f"This kind of key is not accepted: {kind}."),
            why=Text(f"此类证书允许:{allowed}。", f"This certificate kind allows: {allowed}."),
            advice=Text("请在密码设备上另生成密钥。", "Generate another key on the token."),
        )


class IssuingRefused(PkiError):
    """The certificate was not made, since it would not hold."""

    code = "issuing_refused"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("没有签发证书。", "The certificate was not issued."),
            why=Text(zh, en),
            advice=Text("请更正申请后重试。", "Correct the request and try again."),
        )


class RequestRefused(PkiError):
    """A certificate request (CSR) that cannot be accepted."""

    code = "request_refused"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("不接受这份证书请求(CSR)。", "The certificate request (CSR) was not accepted."),
            why=Text(zh, en),
            advice=Text("请用密码设备上的私钥重新生成请求。", "Make the request again with the key on the token."),
        )
