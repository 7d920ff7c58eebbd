"""The TS 119 102-2 report: read back by the schema's classes, strictly, with what our report says."""

from __future__ import annotations

from attacks import CHANGED
from lxml import etree
from pdf_bytes import document
from pyhanko.generated.etsi import ts_11910202 as ts
from sealed_files import sign
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.config import ParserConfig

from signing_service.verification.engine import verify
from signing_service.verification.etsi_report import etsi_report

NAMESPACE = "{http://uri.etsi.org/19102/v1.2.1#}"


def read(xml: bytes) -> ts.ValidationReport:
    """Unknown elements and attributes are errors."""
    strict = ParserConfig(
        fail_on_unknown_properties=True, fail_on_unknown_attributes=True, fail_on_converter_warnings=True
    )
    return XmlParser(config=strict).from_bytes(xml, ts.ValidationReport)


def test_a_report_for_every_signature(world, sealed, policy):
    twice = sign(sealed, world, world.officer, world.officers, field="Officer", box=(50, 50, 150, 150))
    report = verify(twice, policy)
    xml = etsi_report(report)
    assert etree.fromstring(xml).tag == f"{NAMESPACE}ValidationReport"
    told = read(xml)
    assert [one.signature_identifier.daidentifier for one in told.signature_validation_report] == ["Seal1", "Officer"]
    first = told.signature_validation_report[0]
    assert first.signature_validation_status.main_indication == "urn:etsi:019102:mainindication:total-passed"
    assert first.validation_time_info.best_signature_time.poetime.to_datetime() == report.signatures[0].signed_at
    names = [
        entry.validation_constraint_identifier
        for entry in first.validation_constraints_evaluation_report.validation_constraint
    ]
    assert names[0] == "urn:zhengyin:check:1-format"
    assert len(names) == len(report.signatures[0].checks)


def test_a_failure_names_its_sub_indication(sealed, policy):
    told = read(etsi_report(verify(CHANGED["seal_moved"](sealed), policy)))
    status = told.signature_validation_report[0].signature_validation_status
    assert status.main_indication.endswith("total-failed")
    assert set(status.sub_indication) == {
        "urn:etsi:019102:subindication:FORMAT_FAILURE",
        "urn:zhengyin:reason:modified_after_sealing",
    }
    assert told.signature_validation_report[0].signers_document is None


def test_a_file_without_signatures_has_no_report(policy):
    assert read(etsi_report(verify(document(), policy))).signature_validation_report == ()
