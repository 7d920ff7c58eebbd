"""Why a PDF is refused. Every refusal comes before anything is written."""

from __future__ import annotations

from signing_service.errors import SigningServiceError, Text


class PdfRefusal(SigningServiceError):
    """Root of this room's errors: this file, or this request on it, cannot be carried out."""

    code = "pdf_refused"


class PdfUnreadable(PdfRefusal):
    """Broken beyond what can be mended by appending only."""

    code = "pdf_unreadable"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("无法读取该 PDF 文件。", "The PDF file cannot be read."),
            why=Text(zh, en),
            advice=Text(
                "请在原来的程序中重新导出 PDF 后再提交。",
                "Export the PDF again from the program it came from, then retry.",
            ),
        )


class PasswordNeeded(PdfRefusal):
    code = "password_needed"

    def __init__(self) -> None:
        super().__init__(
            Text("该 PDF 需要打开密码。", "The PDF needs a password to open."),
            why=Text("文件已加密,空密码无法打开。", "It is encrypted and the empty password does not open it."),
            advice=Text("请提交去除打开密码的文件。", "Submit the file without its opening password."),
        )


class PermissionMissing(PdfRefusal):
    """The file is encrypted and its author did not allow the change that a signature is."""

    code = "permission_missing"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("该 PDF 的作者不允许签名。", "The author of this PDF does not permit signing."),
            why=Text(f"缺少权限:{zh}。", f"Missing permission: {en}."),
            advice=Text("请向作者索取允许签名的文件。", "Ask the author for a file that permits signing."),
        )


class EncryptionUnsupported(PdfRefusal):
    code = "encryption_unsupported"

    def __init__(self, why: str) -> None:
        super().__init__(
            Text("该 PDF 的加密方式不受支持。", "The encryption of this PDF is not supported."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请提交未加密的文件。", "Submit the file without encryption."),
        )


class XfaForm(PdfRefusal):
    code = "xfa_form"

    def __init__(self) -> None:
        super().__init__(
            Text("该 PDF 是动态 XFA 表单,不能签名。", "The PDF is a dynamic XFA form and cannot be signed."),
            why=Text(
                "它的页面由表单程序临时生成,签名不能固定所见内容。",
                "A form program makes its pages while it is shown, so a signature cannot fix what is seen.",
            ),
            advice=Text("请打印为普通 PDF 后再提交。", "Print it to an ordinary PDF, then submit that."),
        )


class HybridReferences(PdfRefusal):
    code = "hybrid_references"

    def __init__(self) -> None:
        super().__init__(
            Text("该 PDF 是混合引用文件,不能签名。", "The PDF is a hybrid-reference file and cannot be signed."),
            why=Text("新旧阅读器从中读到的内容可能不同。", "Old and new readers may see different contents in it."),
            advice=Text("请重新导出为 PDF 后再提交。", "Export it to PDF again, then submit that."),
        )


class EarlierSignatureWouldBreak(PdfRefusal):
    """B19: what would invalidate a signature that is already there is refused before writing."""

    code = "earlier_signature_would_break"

    def __init__(self, field: str, zh: str, en: str) -> None:
        super().__init__(
            Text(
                f"再签名会使已有签名“{field}”失效,因此没有签名。",
                f"Another signature would break the existing signature “{field}”; nothing was signed.",
            ),
            why=Text(zh, en),
            advice=Text(
                "请在原文件锁定之前的版本上签名,或调整签署顺序。",
                "Sign the version before it was locked, or change the order of signing.",
            ),
        )


class PageMissing(PdfRefusal):
    code = "page_missing"

    def __init__(self, page: int, count: int) -> None:
        super().__init__(
            Text(
                f"文件没有第 {page + 1} 页。" if page >= 0 else f"文件没有倒数第 {-page} 页。",
                f"There is no page {page}.",
            ),
            why=Text(f"文件共 {count} 页。", f"The file has {count} pages."),
            advice=Text("请改选页码。", "Choose another page."),
        )
