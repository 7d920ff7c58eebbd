"""A file that waits for its signature value: what travels from `prepare` to whoever signs and on to `complete`."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Self

from signing_service.errors import Text
from signing_service.pdf.cms_attributes import digest_name, read_signed_attributes
from signing_service.pdf.errors import PdfRefusal

ByteRange = tuple[int, int, int, int]


class PreparedAltered(PdfRefusal):
    """B24: the prepared file is not the one that was prepared, so nothing is completed or signed."""

    code = "prepared_altered"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("待签文件与准备时不一致。", "The file to be signed is not the one that was prepared."),
            why=Text(zh, en),
            advice=Text("请重新准备文件后再签。", "Prepare the file again, then sign."),
        )


@dataclass(frozen=True, slots=True)
class PreparedSignature:
    """`document` is the whole file with an empty signature container between the two parts of `byte_range`.

    `byte_range` is as in the file: offset and length of both parts, in bytes. `digest` is that of both parts
    (`cms_attributes.digest_name`), `signed_attributes` the DER SET OF that the key signs, `field` the signature field's
    name.
    """

    document: bytes
    byte_range: ByteRange
    digest: bytes
    signed_attributes: bytes
    field: str

    @property
    def room(self) -> int:
        """How many bytes of CMS fit into the container."""
        first, second = self.byte_range[1], self.byte_range[2]
        return (second - first - 2) // 2

    def recompute_digest(self) -> bytes:
        """The digest of what the byte range covers, of the kind that `digest` is, from the document's bytes."""
        start, size, second, rest = self.byte_range
        view = memoryview(self.document)
        try:
            digest = hashlib.new(digest_name(self.digest), view[start : start + size])
        except ValueError as failure:
            raise PreparedAltered("摘要长度不对。", f"Its digest has a wrong length: {failure}.") from failure
        digest.update(view[second : second + rest])
        return digest.digest()

    def check(self) -> None:
        """Raises PreparedAltered unless bytes, range, digest and attributes agree; only the container is left out."""
        start, size, second, rest = self.byte_range
        container = self.document[size:second]
        if start or size >= second or second + rest != len(self.document) or not _is_empty_container(container):
            raise PreparedAltered(
                "签名范围没有恰好覆盖整个文件。", "The byte range does not cover exactly the whole file."
            )
        if self.recompute_digest() != self.digest:
            raise PreparedAltered("文件内容已被改动。", "The contents of the file were changed.")
        if read_signed_attributes(self.signed_attributes).message_digest != self.digest:
            raise PreparedAltered("签名属性不属于该文件。", "The signed attributes belong to another file.")

    def to_json(self) -> str:
        """All but the document, which travels beside it as bytes."""
        return json.dumps(
            {
                "byte_range": self.byte_range,
                "digest": self.digest.hex(),
                "signed_attributes": base64.b64encode(self.signed_attributes).decode("ascii"),
                "field": self.field,
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str, document: bytes) -> Self:
        """The value again; `check` is the reader's duty. Raises PreparedAltered when a part is missing or malformed."""
        try:
            values = json.loads(text)
            start, size, second, rest = (int(number) for number in values["byte_range"])
            return cls(
                document=document,
                byte_range=(start, size, second, rest),
                digest=bytes.fromhex(values["digest"]),
                signed_attributes=base64.b64decode(values["signed_attributes"], validate=True),
                field=str(values["field"]),
            )
        except (ValueError, KeyError, TypeError) as failure:
            raise PreparedAltered("随附数据不完整。", f"Its accompanying data is malformed: {failure}.") from failure


def _is_empty_container(container: bytes) -> bool:
    return container[:1] == b"<" and container[-1:] == b">" and not container[1:-1].strip(b"0")
