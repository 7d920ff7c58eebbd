"""Signs test documents with pyHanko: the files that an attacker starts from."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

from pki_world import Party, World
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.pdf_signer import PdfSignatureMetadata, PdfSigner, PdfTimeStamper
from pyhanko.stamp import TextStampStyle

SIGNED = datetime(2026, 6, 1, 8, tzinfo=UTC)


def sign(
    pdf: bytes,
    world: World,
    party: Party,
    issuer: Party | None = None,
    *,
    field: str = "Seal1",
    stamped: datetime | None = SIGNED,
    certify: int | None = None,
    box: tuple[int, int, int, int] | None = (320, 80, 440, 200),
    claimed: datetime = SIGNED,
    timestamper: Party | None = None,
    digest: str = "sha256",
) -> bytes:
    """One more signature as an incremental update; `stamped` None leaves out the timestamp (B-B)."""
    metadata = PdfSignatureMetadata(
        field_name=field,
        md_algorithm=digest,
        subfilter=SigSeedSubFilter.PADES,
        certify=certify is not None,
        docmdp_permissions=MDPPerm(certify or 2),
        reason="approved",
    )
    signer = PdfSigner(
        metadata,
        signer=world.signer(party, issuer or world.seals),
        timestamper=world.stamper(stamped, timestamper) if stamped else None,
        stamp_style=TextStampStyle(stamp_text="SEAL"),
        new_field_spec=SigFieldSpec(field, on_page=0, box=box),
    )
    writer = IncrementalPdfFileWriter(BytesIO(pdf), strict=False)
    out = BytesIO()
    signer.sign_pdf(writer, output=out)
    return out.getvalue()


def stamp_document(
    pdf: bytes, world: World, at: datetime, field: str = "Time1", timestamper: Party | None = None
) -> bytes:
    """A document timestamp over everything."""
    out = BytesIO()
    writer = IncrementalPdfFileWriter(BytesIO(pdf), strict=False)
    PdfTimeStamper(world.stamper(at, timestamper), field_name=field).timestamp_pdf(writer, "sha256", output=out)
    return out.getvalue()
