"""A document with one of everything that an attacker could reach for, before it is signed."""

from __future__ import annotations

from pdf_bytes import CONTENT, stream, write

PAGE_1, CONTENT_1, PAGE_2, CONTENT_2 = 10, 11, 12, 13
TEXT_FIELD, TEXT_DRAWING, FIELD_RESOURCES = 5, 6, 14
OVERLAY, GRAPHICS_STATE, IMAGE, ENCODING, DESCRIPTOR = 20, 21, 22, 23, 24
CHECKBOX, CHECKED, UNCHECKED, CHOICE = 25, 26, 27, 28
NOTE, NOTE_DRAWING, LINK = 30, 31, 32
LAYER, LAYERS, OUTLINES, NAMES, LABELS, FORM = 33, 34, 35, 36, 37, 38
EMPTY_SEAL, SEAL_RECT, INHERITED = 40, 41, 42

PIXEL = b"/Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray"
METADATA = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'></rdf:RDF>"
    b"</x:xmpmeta>"
)
_FORM = b"/Type /XObject /Subtype /Form"


def rich_document() -> bytes:
    """Two pages; object numbers as named above. Page 2 inherits its resources and its size."""
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R /Metadata 7 0 R /AcroForm 38 0 R /OCProperties 34 0 R /Outlines 35 0 R "
        b"/Names 36 0 R /PageLabels 37 0 R /Lang (zh) >>",
        2: b"<< /Type /Pages /Kids [10 0 R 12 0 R] /Count 2 /MediaBox [0 0 595 842] /Resources 42 0 R >>",
        3: b"<< /Type /Font /Subtype /TrueType /BaseFont /Helvetica /Encoding 23 0 R /FontDescriptor 24 0 R >>",
        4: b"<< /Title (Permit) >>",
        TEXT_FIELD: b"<< /FT /Tx /T (applicant) /V (Zhang) /Type /Annot /Subtype /Widget /Rect [72 600 272 620] "
        b"/P 10 0 R /F 4 /AP << /N 6 0 R >> >>",
        TEXT_DRAWING: stream(b"BT /F1 10 Tf (Zhang) Tj ET", _FORM + b" /BBox [0 0 200 20] /Resources 14 0 R"),
        7: stream(METADATA, b"/Type /Metadata /Subtype /XML"),
        PAGE_1: b"<< /Type /Page /Parent 2 0 R /Contents 11 0 R /Annots [5 0 R 25 0 R 28 0 R 30 0 R 32 0 R 40 0 R] "
        b"/Resources << /Font << /F1 3 0 R >> /XObject << /Cover 20 0 R /Im1 22 0 R >> /ExtGState << /G 21 0 R >> "
        b"/Properties << /L 33 0 R >> >> >>",
        CONTENT_1: stream(CONTENT + b" /Cover Do /G gs /OC /L BDC /Im1 Do EMC"),
        PAGE_2: b"<< /Type /Page /Parent 2 0 R /Contents 13 0 R >>",
        CONTENT_2: stream(CONTENT + b" % second"),
        FIELD_RESOURCES: b"<< /Font << /F1 3 0 R >> >>",
        OVERLAY: stream(b"1 g 60 650 400 30 re f", _FORM + b" /BBox [0 0 595 842]"),
        GRAPHICS_STATE: b"<< /Type /ExtGState /ca 1 >>",
        IMAGE: stream(b"\xff", PIXEL),
        ENCODING: b"<< /Type /Encoding /BaseEncoding /WinAnsiEncoding /Differences [48 /zero /one] >>",
        DESCRIPTOR: b"<< /Type /FontDescriptor /FontName /Helvetica /Flags 32 /FontBBox [0 0 1000 1000] /ItalicAngle 0 "
        b"/Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>",
        CHECKBOX: b"<< /FT /Btn /T (agree) /V /Off /AS /Off /Subtype /Widget /Rect [72 560 92 580] "
        b"/P 10 0 R /F 4 /AP << /N << /Yes 26 0 R /Off 27 0 R >> >> >>",
        CHECKED: stream(b"0 0 20 20 re f", _FORM + b" /BBox [0 0 20 20]"),
        UNCHECKED: stream(b"0 0 20 20 re S", _FORM + b" /BBox [0 0 20 20]"),
        CHOICE: b"<< /FT /Ch /T (kind) /V (a) /Opt [[(a) (Type A)] [(b) (Type B)]] /Type /Annot /Subtype /Widget "
        b"/Rect [72 520 272 540] /P 10 0 R /F 4 >>",
        NOTE: b"<< /Type /Annot /Subtype /FreeText /Rect [300 600 500 640] /Contents (conditions apply) /DA (/F1 9 Tf) "
        b"/F 4 /AP << /N 31 0 R >> >>",
        NOTE_DRAWING: stream(b"BT /F1 9 Tf (conditions apply) Tj ET", _FORM + b" /BBox [0 0 200 40] /Resources 14 0 R"),
        LINK: b"<< /Type /Annot /Subtype /Link /Rect [72 480 272 500] /Border [0 0 0] "
        b"/A << /S /URI /URI (https://example.cn/permit) >> >>",
        LAYER: b"<< /Type /OCG /Name (conditions) >>",
        LAYERS: b"<< /OCGs [33 0 R] /D << /ON [33 0 R] /Order [33 0 R] >> >>",
        OUTLINES: b"<< /Type /Outlines >>",
        NAMES: b"<< >>",
        LABELS: b"<< /Nums [0 << /S /D >>] >>",
        FORM: b"<< /Fields [5 0 R 25 0 R 28 0 R 40 0 R] /DA (/F1 10 Tf) /DR << /Font << /F1 3 0 R >> >> /SigFlags 0 >>",
        EMPTY_SEAL: b"<< /FT /Sig /T (Seal1) /Type /Annot /Subtype /Widget /Rect 41 0 R /P 10 0 R /F 4 >>",
        SEAL_RECT: b"[320 80 440 200]",
        INHERITED: b"<< /Font << /F1 3 0 R >> >>",
    }  # fmt: skip
    return write(
        objects, b"/Root 1 0 R /Info 4 0 R /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>]"
    )
