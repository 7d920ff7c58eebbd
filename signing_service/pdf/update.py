"""The bytes of one revision that waits for its signature, apart from the file that they will be appended to."""

from __future__ import annotations

from dataclasses import dataclass

from signing_service.pdf.prepared import ByteRange


@dataclass(frozen=True, slots=True)
class Container:
    """The empty signature in an update: offsets of `<` and just after `>` in it; the range as it counts in the file."""

    start: int
    end: int
    byte_range: ByteRange

    @property
    def room(self) -> int:
        """How many bytes of CMS fit in."""
        return (self.end - self.start - 2) // 2


@dataclass(frozen=True, slots=True)
class Update:
    """`content` follows the file's own bytes."""

    content: bytearray
    container: Container

    def filled(self, signature: bytes) -> bytearray:
        """The content with the signature in its container, which has to be large enough."""
        start = self.container.start + 1
        self.content[start : start + 2 * len(signature)] = signature.hex().encode("ascii")
        return self.content
