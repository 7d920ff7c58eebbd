"""What stops a single check. None of these leaves the room: the engine turns each into a finding of the report."""

from __future__ import annotations

from signing_service.errors import SigningServiceError, Text


class VerificationError(SigningServiceError):
    """Root of the room's errors."""

    code = "verification_error"


class DamagedPdf(VerificationError):
    """The bytes do not follow ISO 32000-2 closely enough to be read; `detail` says where (English, for the folded
    part)."""

    code = "damaged"

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(
            Text("文件结构损坏,无法读取。", "The file's structure is damaged and cannot be read."),
            why=Text(f"位置:{detail}。", f"Where: {detail}."),
            advice=Text("请使用原始文件。", "Use the original file."),
        )


class PasswordNeeded(VerificationError):
    """The file is encrypted and the empty password does not open it."""

    code = "password_needed"

    def __init__(self) -> None:
        super().__init__(
            Text("文件已加密,需要密码才能核验。", "The file is encrypted and needs a password."),
            advice=Text("请去除打开密码后再核验。", "Remove the opening password and verify again."),
        )


class ResourceLimit(VerificationError):
    """A limit of the policy was reached: objects, nesting, decompressed bytes, fields, signatures."""

    code = "resource_limit"

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(
            Text("文件过大或结构异常,已停止检查。", "The file is too large or too unusual; checking was stopped."),
            why=Text(f"上限:{detail}。", f"Limit: {detail}."),
        )


class UnreadableCms(VerificationError):
    """The signature container is not well-formed CMS (RFC 5652); `detail` is English."""

    code = "unreadable_cms"

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(
            Text("签名数据无法解析。", "The signature data cannot be read."), why=Text(f"{detail}。", f"{detail}.")
        )


class UnsupportedAlgorithm(VerificationError):
    """An algorithm that this system cannot compute; `name` is what a reader would recognise (SM2, ...)."""

    code = "unsupported_algorithm"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(Text(f"尚不支持的算法:{name}。", f"Unsupported algorithm: {name}."))
