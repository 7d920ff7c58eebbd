"""The error tree of printing.

PrintingError
├── CodeRefusal: NotOurCode, WrongPrefix, CodeTruncated, CodeMalformed, UnknownKey, StaleKeyList, CodeExpired,
│                KeyNotInForce, BadCodeSignature, ShortCodeMistyped, ShortCodeUnknown
├── CodeTooLarge, CodeKeyUnfit, KeyListUnreadable
├── CopyRefused
├── QuotaUsedUp, QuotaUnset, CopyNotFound, CopyMoveNotAllowed, VoidReasonMissing
└── PrinterFailure: PrinterUnreachable, PrinterRefused, PrintJobAborted
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.clock import in_words


class PrintingError(SigningServiceError):
    """Root of everything that can go wrong on the way to paper and back."""

    code = "printing_error"


class CodeRefusal(PrintingError):
    """A scanned or typed code is not accepted. `WHAT`, `WHY`, `ADVICE` are part of each class."""

    code = "code_refused"
    WHAT: ClassVar[Text] = Text("二维码不能采信。", "The code is not accepted.")
    WHY: ClassVar[Text | None] = None
    ADVICE: ClassVar[Text] = Text("请向落款机构核实。", "Ask the authority that is named on the document.")

    def __init__(self, *, why: Text | None = None) -> None:
        super().__init__(self.WHAT, why=why or self.WHY, advice=self.ADVICE)


class NotOurCode(CodeRefusal):
    code = "code_not_ours"
    WHAT = Text("这不是核验二维码。", "This is not a verification code.")
    ADVICE = Text("请扫描打印件页边的核验二维码。", "Scan the verification code in the margin of the printed copy.")


class WrongPrefix(CodeRefusal):
    """A code of our form, but of another host: another city's, or a forger's."""

    code = "code_wrong_prefix"
    WHAT = Text("二维码指向的不是本系统的核验地址。", "The code leads to another address than this system's.")
    ADVICE = Text(
        "如为其他城市的文件,请到其官方网站核验;如声称由本市签发,请勿采信,并向落款机构核实。",
        "If another city issued it, verify it there; if it claims to be ours, do not accept it and ask the authority.",
    )

    def __init__(self, found: str) -> None:
        super().__init__(why=Text(f"二维码中的地址:{found}。", f"The address in it: {found}."))


class CodeTruncated(CodeRefusal):
    code = "code_truncated"
    WHAT = Text("二维码内容不完整。", "The code's content is cut off.")
    ADVICE = Text(
        "请重新扫描完整、平整的二维码,或手工输入短码。", "Scan the whole code again, flat, or type the short code."
    )


class CodeMalformed(CodeRefusal):
    code = "code_malformed"
    WHAT = Text("二维码内容无法识别。", "The code's content cannot be understood.")
    ADVICE = Text("请重新扫描,或手工输入短码。", "Scan it again, or type the short code.")


class UnknownKey(CodeRefusal):
    code = "code_unknown_key"
    WHAT = Text("二维码不是用本系统的密钥签名的。", "The code was not signed with a key of this system.")
    ADVICE = Text("请勿采信,并向落款机构核实。", "Do not accept it; ask the authority that is named on the document.")


class StaleKeyList(CodeRefusal):
    """The list is too old to tell: keys may have been added or withdrawn since."""

    code = "code_stale_keys"
    WHAT = Text("本机的密钥清单过旧,无法判断这个二维码。", "The list of keys here is too old to judge this code.")
    ADVICE = Text("请联网更新密钥清单后再扫。", "Go online so that the list is renewed, then scan again.")


class KeyNotInForce(CodeRefusal):
    code = "code_key_not_in_force"
    WHAT = Text("签名密钥在二维码签发时不在有效期内。", "The key was not in force when the code says it was made.")


class CodeExpired(CodeRefusal):
    code = "code_expired"
    WHAT = Text("二维码已过期。", "The code has expired.")
    ADVICE = Text(
        "请持有人重新打印或出示电子证照。", "Ask the holder to print it anew or to show the electronic licence."
    )

    def __init__(self, at: datetime) -> None:
        super().__init__(why=Text(f"有效期至 {in_words(at)}。", f"It was valid until {in_words(at)}."))


class BadCodeSignature(CodeRefusal):
    code = "code_bad_signature"
    WHAT = Text("二维码的签名不对,内容被改动或系伪造。", "The code's signature is wrong: it was changed or forged.")
    ADVICE = Text("请勿采信,并向落款机构核实。", "Do not accept it; ask the authority that is named on the document.")


class ShortCodeMistyped(CodeRefusal):
    code = "short_code_mistyped"
    WHAT = Text("短码的校验位不对。", "The short code's check character is wrong.")
    ADVICE = Text("请检查是否输错:短码为三组,每组四位。", "Check for a typing error: three groups of four characters.")


class ShortCodeUnknown(CodeRefusal):
    code = "short_code_unknown"
    WHAT = Text("本系统没有这个短码。", "This system does not know this short code.")


class CodeTooLarge(PrintingError):
    code = "code_too_large"

    def __init__(self, version: int, most: int) -> None:
        super().__init__(
            Text(f"二维码内容过长(需要第 {version} 版)。", f"The code's content is too long (version {version})."),
            why=Text(f"为保证打印后可扫,最大为第 {most} 版。", f"Version {most} is the most that survives printing."),
            advice=Text("请缩短证照标识或核验地址。", "Shorten the identifier or the verification address."),
        )


class CodeKeyUnfit(PrintingError):
    code = "code_key_unfit"

    def __init__(self, why: str) -> None:
        super().__init__(
            Text("无法用该密钥签发核验二维码。", "The verification code could not be signed with this key."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请检查密码设备中的核验码密钥(P-256)。", "Check the paper-code key (P-256) of the token."),
        )


class KeyListUnreadable(PrintingError):
    code = "key_list_unreadable"

    def __init__(self, why: str) -> None:
        super().__init__(
            Text("核验码密钥清单无法读取。", "The list of paper-code keys cannot be read."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请重新下载密钥清单。", "Download the list again."),
        )


class CopyRefused(PrintingError):
    code = "copy_refused"

    def __init__(self, why: Text) -> None:
        super().__init__(
            Text("无法制作打印件。", "The print copy could not be made."),
            why=why,
            advice=Text("请下载原始文件核对,或到窗口办理。", "Check the original file, or go to the window."),
        )


class QuotaUsedUp(PrintingError):
    code = "quota_used_up"

    def __init__(self, quota: int) -> None:
        super().__init__(
            Text(f"可打印的 {quota} 份已用完。", f"All {quota} copies have been used."),
            advice=Text(
                "作废未打印成功的份数后可再打印,或到窗口申请增加。",
                "Void copies that failed, or ask for more at the window.",
            ),
        )


class QuotaUnset(PrintingError):
    code = "quota_unset"

    def __init__(self, document: str) -> None:
        super().__init__(
            Text(f"文件 {document} 没有开放打印。", f"Document {document} is not open for printing."),
            advice=Text("请向签发机构申请开放打印。", "Ask the issuing authority to open it."),
        )


class CopyNotFound(PrintingError):
    code = "copy_not_found"

    def __init__(self, serial: str) -> None:
        super().__init__(
            Text(f"没有打印件 {serial}。", f"There is no print copy {serial}."),
            advice=Text("请核对打印件编号。", "Check the serial."),
        )


class CopyMoveNotAllowed(PrintingError):
    code = "copy_move_not_allowed"

    def __init__(self, serial: str, state: Text) -> None:
        super().__init__(
            Text(
                f"打印件 {serial} 现为“{state.zh}”,不能这样办理。", f"Copy {serial} is {state.en}; this cannot be done."
            ),
            advice=Text("请刷新后查看打印记录。", "Reload the print ledger."),
        )


class VoidReasonMissing(PrintingError):
    code = "void_reason_missing"

    def __init__(self) -> None:
        super().__init__(
            Text("作废打印件必须写明原因。", "Voiding a copy needs a reason."),
            advice=Text("例如:卡纸、缺墨、打印不全。", "For example: paper jam, no toner, page cut off."),
        )


class PrinterFailure(PrintingError):
    """The printer did not print. `printer` is its address."""

    code = "printer_failure"


class PrinterUnreachable(PrinterFailure):
    code = "printer_unreachable"

    def __init__(self, printer: str, why: str) -> None:
        super().__init__(
            Text(f"连不上打印机 {printer}。", f"Printer {printer} cannot be reached."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请检查打印机电源和网络后重试。", "Check its power and network, then try again."),
        )


class PrinterRefused(PrinterFailure):
    code = "printer_refused"

    def __init__(self, printer: str, status: str) -> None:
        super().__init__(
            Text(f"打印机 {printer} 拒绝了打印任务。", f"Printer {printer} refused the job."),
            why=Text(f"状态:{status}。", f"Status: {status}."),
            advice=Text("请确认打印机支持 PDF,或换一台。", "See that it takes PDF, or use another one."),
        )


class PrintJobAborted(PrinterFailure):
    code = "print_job_aborted"

    def __init__(self, printer: str, state: str) -> None:
        super().__init__(
            Text(f"打印机 {printer} 没有完成打印。", f"Printer {printer} did not finish the job."),
            why=Text(f"任务状态:{state}。", f"Job state: {state}."),
            advice=Text(
                "本份已作废,不占用份数;排除故障后重新打印。",
                "This copy is void and uses no quota; clear the fault and print again.",
            ),
        )
