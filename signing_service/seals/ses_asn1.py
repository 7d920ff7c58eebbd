"""The ASN.1 of seals and seal signatures: GM/T 0031-2014 (v1), GB/T 38540-2020 (v4), GM/T 0031-2025 (v5)."""

from __future__ import annotations

from typing import Any, ClassVar

from asn1crypto import core

# asn1crypto is untyped; its classes are declared, not called, here.


class SesHeader(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar[list[Any]] = [("id", core.IA5String), ("version", core.Integer), ("vid", core.IA5String)]


class CertificateList(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.OctetString


class CertificateDigest(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar[list[Any]] = [("type", core.PrintableString), ("value", core.OctetString)]


class CertificateDigests(core.SequenceOf):  # type: ignore[misc]
    _child_spec = CertificateDigest


class CertificateListV1(core.SequenceOf):  # type: ignore[misc]
    """OCTET STRINGs; some makers of v1 wrote a text where no certificate is bound."""

    _child_spec = core.Any


class SesPropertyV1(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar[list[Any]] = [
        ("type", core.Integer), ("name", core.UTF8String), ("cert_list", CertificateListV1),
        ("create_date", core.UTCTime), ("valid_start", core.UTCTime), ("valid_end", core.UTCTime),
    ]  # fmt: skip


class SesProperty(core.Sequence):  # type: ignore[misc]
    """v4 and v5; `cert_list_type` is 1 for certificates, 2 for digests."""

    _fields: ClassVar[list[Any]] = [
        ("type", core.Integer), ("name", core.UTF8String), ("cert_list_type", core.Integer), ("cert_list", core.Any),
        ("create_date", core.GeneralizedTime), ("valid_start", core.GeneralizedTime),
        ("valid_end", core.GeneralizedTime),
    ]  # fmt: skip

    def _cert_list_spec(self) -> Any:
        return {1: CertificateList, 2: CertificateDigests}[self["cert_list_type"].native]

    _spec_callbacks: ClassVar[dict[str, Any]] = {"cert_list": _cert_list_spec}


class SesPicture(core.Sequence):  # type: ignore[misc]
    """Width and height are whole millimetres."""

    _fields: ClassVar[list[Any]] = [
        ("type", core.IA5String), ("data", core.OctetString), ("width", core.Integer), ("height", core.Integer),
    ]  # fmt: skip


class ExtensionData(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar[list[Any]] = [
        ("extn_id", core.ObjectIdentifier), ("critical", core.Boolean, {"default": False}),
        ("extn_value", core.OctetString),
    ]  # fmt: skip


class ExtensionDatas(core.SequenceOf):  # type: ignore[misc]
    _child_spec = ExtensionData


class SesSealInfoV1(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar[list[Any]] = [
        ("header", SesHeader), ("es_id", core.IA5String), ("property", SesPropertyV1), ("picture", SesPicture),
        ("ext_datas", ExtensionDatas, {"optional": True}),
    ]  # fmt: skip


class SesSealInfo(core.Sequence):  # type: ignore[misc]
    """v4 and v5. Some writers tag the extensions, most do not: see `SesSealInfoTagged`."""

    _fields: ClassVar[list[Any]] = [
        ("header", SesHeader), ("es_id", core.IA5String), ("property", SesProperty), ("picture", SesPicture),
        ("ext_datas", ExtensionDatas, {"optional": True}),
    ]  # fmt: skip


class SesSealInfoTagged(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar[list[Any]] = [*SesSealInfo._fields[:4], ("ext_datas", ExtensionDatas, {"explicit": 0})]


class SesSignInfoV1(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar[list[Any]] = [
        ("cert", core.OctetString), ("sign_alg_id", core.ObjectIdentifier), ("sign_data", core.BitString),
    ]  # fmt: skip


class SesSealV1(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar[list[Any]] = [("es_seal_info", SesSealInfoV1), ("sign_info", SesSignInfoV1)]


class SesSigned(core.Sequence):  # type: ignore[misc]
    """v1: what the maker signs."""

    _fields: ClassVar[list[Any]] = [
        ("es_seal_info", SesSealInfoV1), ("cert", core.OctetString), ("sign_alg_id", core.ObjectIdentifier),
    ]  # fmt: skip


class SesSeal(core.Sequence):  # type: ignore[misc]
    """v4 and v5; the timestamp is v5's alone."""

    _fields: ClassVar[list[Any]] = [
        ("es_seal_info", SesSealInfo), ("cert", core.OctetString), ("sign_alg_id", core.ObjectIdentifier),
        ("signed_value", core.BitString), ("time_stamp", core.BitString, {"explicit": 0, "optional": True}),
    ]  # fmt: skip


class SesSealTagged(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar[list[Any]] = [("es_seal_info", SesSealInfoTagged), *SesSeal._fields[1:]]


class SesToSignV1(core.Sequence):  # type: ignore[misc]
    """v1: the signer's certificate and algorithm stand inside what is signed."""

    _fields: ClassVar[list[Any]] = [
        ("version", core.Integer), ("eseal", core.Any), ("time_info", core.BitString), ("data_hash", core.BitString),
        ("property_info", core.IA5String), ("cert", core.OctetString), ("sign_alg_id", core.ObjectIdentifier),
    ]  # fmt: skip


class SesSignatureV1(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar[list[Any]] = [("to_sign", SesToSignV1), ("signature", core.BitString)]


class SesToSign(core.Sequence):  # type: ignore[misc]
    """v4 and v5."""

    _fields: ClassVar[list[Any]] = [
        ("version", core.Integer), ("eseal", core.Any), ("time_info", core.GeneralizedTime),
        ("data_hash", core.BitString), ("property_info", core.IA5String),
        ("ext_datas", ExtensionDatas, {"explicit": 0, "optional": True}),
    ]  # fmt: skip


class SesSignature(core.Sequence):  # type: ignore[misc]
    _fields: ClassVar[list[Any]] = [
        ("to_sign", SesToSign), ("cert", core.OctetString), ("sign_alg_id", core.ObjectIdentifier),
        ("signature", core.BitString), ("time_stamp", core.BitString, {"explicit": 0, "optional": True}),
    ]  # fmt: skip
