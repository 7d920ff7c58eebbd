"""Why a signature was not made. Nothing has been written when one of these is raised."""

from __future__ import annotations

from collections.abc import Sequence

from signing_service.errors import SigningServiceError, Text


class PadesError(SigningServiceError):
    """Root of this room's errors."""

    code = "pades_error"


class CertificateRefused(PadesError):
    """Expired, not yet valid, revoked, not meant for signing, or of an unsupported algorithm."""

    code = "certificate_refused"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("该证书不能用于签名。", "The certificate cannot be used to sign."),
            why=Text(zh, en),
            advice=Text("请更换有效的签名证书。", "Use a valid signing certificate."),
        )


class SignatureMismatch(PadesError):
    """B08: the value does not verify with the certificate's key, so it was not embedded."""

    code = "signature_mismatch"

    def __init__(self) -> None:
        super().__init__(
            Text(
                "签名值与证书不符,没有写入文件。",
                "The signature value does not match the certificate; nothing was written.",
            ),
            why=Text(
                "密码设备返回的不是该证书密钥对此文件的签名。",
                "The token did not return this certificate's signature over this file.",
            ),
            advice=Text(
                "请确认选用的密钥与证书成对,再重新签名。", "Check that key and certificate belong together, sign again."
            ),
        )


class ContainerTooSmall(PadesError):
    """B14: the finished signature needs more room than was reserved; `needed` bytes would do."""

    code = "container_too_small"

    def __init__(self, needed: int, room: int) -> None:
        self.needed = needed
        super().__init__(
            Text("签名数据超过预留空间。", "The signature is larger than the room reserved for it."),
            why=Text(f"需要 {needed} 字节,预留 {room} 字节。", f"It needs {needed} bytes, {room} were reserved."),
            advice=Text("请加大预留空间后重新准备。", "Prepare the file again with more room."),
        )


class TimestampFailed(PadesError):
    """No timestamp authority gave a usable token; the reasons of all that were asked are named."""

    code = "timestamp_failed"

    def __init__(self, reasons: Sequence[Text]) -> None:
        super().__init__(
            Text("没有取得时间戳,文件未签名。", "No timestamp was obtained; the file was not signed."),
            why=Text("".join(reason.zh for reason in reasons), " ".join(reason.en for reason in reasons)),
            advice=Text("请检查时间戳服务后重试。", "Check the timestamp service, then try again."),
        )


class SourceMissing(PadesError):
    """The level asked for needs a timestamp authority or revocation data, and none was given."""

    code = "source_missing"

    def __init__(self, level: str, zh: str, en: str) -> None:
        super().__init__(
            Text(f"无法签到 {level} 级。", f"Level {level} cannot be reached."),
            why=Text(f"没有配置{zh}。", f"No {en} is configured."),
            advice=Text("请完成配置,或选择较低级别。", "Configure it, or choose a lower level."),
        )


class FontMissing(PadesError):
    """B30: without an embedded Chinese font there is no visible text, never garbled text."""

    code = "font_missing"

    def __init__(self, family: str) -> None:
        super().__init__(
            Text(
                f"缺少中文字库 {family},无法绘制签名文字。",
                f"The font {family} is not installed; text cannot be drawn.",
            ),
            advice=Text("请安装:apt install fonts-noto-cjk。", "Install it: apt install fonts-noto-cjk."),
        )


class PictureMissing(PadesError):
    """A seal without a picture is not applied as an invisible one."""

    code = "picture_missing"

    def __init__(self) -> None:
        super().__init__(
            Text("印章没有印模图片,不能用印。", "The seal has no picture, so it cannot be applied."),
            advice=Text("请先为该印章制作印模。", "Make the seal's picture first."),
        )


class GlyphMissing(PadesError):
    code = "glyph_missing"

    def __init__(self, characters: str) -> None:
        named = " ".join(f"U+{ord(character):04X}" for character in characters)
        super().__init__(
            Text(
                f"字库中没有字符 {named},无法绘制签名文字。",
                f"The font has no glyph for {named}; text cannot be drawn.",
            ),
            advice=Text("请更换这些字符。", "Replace these characters."),
        )


class PlacingRefused(PadesError):
    """The place for the visible signature cannot be found on the page."""

    code = "placing_refused"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("找不到放置签名的位置。", "There is no place for the visible signature."),
            why=Text(zh, en),
            advice=Text("请改用页码加毫米位置。", "Give a page and a position in mm instead."),
        )


class FieldRefused(PadesError):
    """The named form field cannot take this signature."""

    code = "field_refused"

    def __init__(self, field: str, zh: str, en: str) -> None:
        super().__init__(
            Text(f"签名域“{field}”不能使用。", f"The signature field “{field}” cannot be used."),
            why=Text(zh, en),
            advice=Text("请更换签名域名称。", "Choose another field name."),
        )


class WorkflowConflict(PadesError):
    """B21: a planned signature forbids the ones planned after it."""

    code = "workflow_conflict"

    def __init__(self, index: int) -> None:
        super().__init__(
            Text("签署流程自相矛盾,未创建。", "The plan of signatures contradicts itself; it was not created."),
            why=Text(
                f"第 {index + 1} 个签名不允许任何更改,其后还有签名。",
                f"Signature {index + 1} forbids any change, yet others follow it.",
            ),
            advice=Text("请把它放在最后,或允许后续签名(P=2)。", "Put it last, or let it permit signing (P=2)."),
        )
