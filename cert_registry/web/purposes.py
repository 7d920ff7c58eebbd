"""Purpose and matter of a call, asked for as in the signing service's own API."""

from signing_service.web.purposes import MatterCode, Purpose, PurposeText, WithPurpose, from_headers

__all__ = ["MatterCode", "Purpose", "PurposeText", "WithPurpose", "from_headers"]
