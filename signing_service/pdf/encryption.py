"""What encryption allows (ISO 32000-2, 7.6.4 and table 22). Only the empty user password is tried."""

from __future__ import annotations

from pyhanko.pdf_utils.crypt import AuthStatus, StandardSecurityHandler
from pyhanko.pdf_utils.crypt.permissions import StandardPermissions
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

from signing_service.pdf.errors import EncryptionUnsupported, PasswordNeeded, PermissionMissing

_FILL = StandardPermissions.ALLOW_FORM_FILLING
_ANNOTATE = StandardPermissions.ALLOW_ANNOTS_FORM_FILLING
_MODIFY = StandardPermissions.ALLOW_MODIFICATION_GENERIC


def unlock(reader: PdfFileReader) -> bool:
    """Opens an encrypted file with the empty password; True when new signature fields may be made.

    Raises PasswordNeeded, PermissionMissing when not even an existing field may be signed, EncryptionUnsupported.
    """
    try:
        encrypted = reader.encrypted
        handler = reader.security_handler if encrypted else None
    except (PdfError, KeyError, ValueError, TypeError, AttributeError) as failure:
        raise EncryptionUnsupported(str(failure)) from failure
    if handler is None:
        return True
    if not isinstance(handler, StandardSecurityHandler):
        raise EncryptionUnsupported("public-key encryption")
    if handler.pdf_mac_enabled:
        raise EncryptionUnsupported("ISO 32004 integrity protection")
    try:
        result = reader.decrypt("")
    except (PdfError, KeyError, ValueError, TypeError, AttributeError, AssertionError) as failure:
        raise EncryptionUnsupported(str(failure)) from failure
    if result.status == AuthStatus.FAILED:
        raise PasswordNeeded
    return result.status == AuthStatus.OWNER or may_add_fields(result.permission_flags)


def may_add_fields(flags: object) -> bool:
    """Bits 4 and 6 let a new signature field be made, bit 6 or 9 an existing one be filled; else PermissionMissing."""
    if not isinstance(flags, StandardPermissions) or not flags & (_FILL | _ANNOTATE):
        raise PermissionMissing("填写表单域和签名", "filling form fields and signing (bits 6 and 9)")
    return bool(flags & _MODIFY) and bool(flags & _ANNOTATE)
