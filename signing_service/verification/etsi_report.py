"""A report in the XML of ETSI TS 119 102-2 (v1.2.1): one SignatureValidationReport for each signature.

pyHanko's classes for the schema write it; their own filler wants pyHanko's validator, which would be a second engine.
Our checks stand as validation constraints under `urn:zhengyin:check:`, our reason codes under `urn:zhengyin:reason:`.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyhanko.generated.etsi import ts_11910202 as ts
from pyhanko.generated.etsi.xades import DigestAlgAndValueType
from pyhanko.generated.w3c.xmldsig_core import DigestMethod, DigestValue
from xsdata.formats.dataclass.serializers import XmlSerializer
from xsdata.formats.dataclass.serializers.config import SerializerConfig
from xsdata.models.datatype import XmlDateTime

from signing_service.verification.report import Check, Report, SignatureReport

_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_ETSI, _OWN = "urn:etsi:019102:", "urn:zhengyin:"
_NAMESPACES = {
    "vr": "http://uri.etsi.org/19102/v1.2.1#",
    "XAdES": "http://uri.etsi.org/01903/v1.3.2#",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
_INDICATIONS = {"TOTAL-PASSED": "total-passed", "TOTAL-FAILED": "total-failed", "INDETERMINATE": "indeterminate"}
_RESULTS = {"passed": "passed", "failed": "failed", "indeterminate": "indeterminate"}
_PROCESSES = {"B-B": "Basic", "B-T": "LTVM", "B-LT": "LTVM", "B-LTA": "LTA"}


def etsi_report(report: Report) -> bytes:
    """UTF-8 XML. Without signatures the list of reports is empty, which the schema allows nobody to tell apart."""
    found = [_signature(report, signature, f"S{index}") for index, signature in enumerate(report.signatures, 1)]
    objects = tuple(
        _certificate_object(signature, f"S{index}-certificate")
        for index, signature in enumerate(report.signatures, 1)
        if signature.certificate_sha256
    )
    whole = ts.ValidationReport(
        signature_validation_report=tuple(found),
        signature_validation_objects=ts.ValidationObjectListType(validation_object=objects) if objects else None,
    )
    serializer = XmlSerializer(config=SerializerConfig(indent="  "))
    return serializer.render(whole, ns_map=_NAMESPACES).encode()


def _signature(report: Report, signature: SignatureReport, name: str) -> ts.SignatureValidationReportType:
    whole = signature.covered > 0 and report.covers_whole_file and not signature.modified_after
    certificate = ts.VOReferenceType(voreference=(f"{name}-certificate",))
    signer = (
        ts.SignerInformationType(signer_certificate=certificate, signer=signature.signer or None)
        if signature.certificate_sha256
        else None
    )
    return ts.SignatureValidationReportType(
        signature_identifier=ts.SignatureIdentifierType(
            hash_only=False, doc_hash_only=False, daidentifier=signature.field or name, id=name
        ),
        validation_constraints_evaluation_report=ts.ValidationConstraintsEvaluationReportType(
            validation_constraint=tuple(_constraints(signature.checks))
        ),
        validation_time_info=_times(report, signature),
        signers_document=ts.SignersDocumentType(digest_alg_and_value=_digest(report.digest)) if whole else None,
        signature_attributes=_attributes(signature),
        signer_information=signer,
        signature_validation_process=ts.SignatureValidationProcessType(
            signature_validation_process_id=f"{_ETSI}validationprocess:{_PROCESSES.get(signature.level or '', 'Basic')}"
        ),
        signature_validation_status=_status(signature),
    )


def _status(signature: SignatureReport) -> ts.ValidationStatusType:
    sub = (f"{_ETSI}subindication:{signature.sub_indication}",) if signature.sub_indication else ()
    return ts.ValidationStatusType(
        main_indication=f"{_ETSI}mainindication:{_INDICATIONS[signature.indication]}",
        sub_indication=(*sub, f"{_OWN}reason:{signature.reason}"),
    )


def _constraints(checks: list[Check]) -> Iterator[ts.IndividualValidationConstraintReportType]:
    for check in checks:
        result = _RESULTS.get(check.result)
        applied = "applied" if check.result != "skipped" else "disabled"
        yield ts.IndividualValidationConstraintReportType(
            validation_constraint_identifier=f"{_OWN}check:{check.name.replace(' ', '-')}",
            constraint_status=ts.ConstraintStatusType(status=f"{_ETSI}constraintStatus:{applied}"),
            validation_status=ts.ValidationStatusType(main_indication=f"{_ETSI}mainindication:{result}")
            if result
            else None,
            indications=check.detail or None,
        )


def _times(report: Report, signature: SignatureReport) -> ts.ValidationTimeInfoType:
    stamped = signature.time_source == "timestamp" and signature.signed_at is not None
    best = signature.signed_at if stamped and signature.signed_at is not None else report.at
    kind = "validation" if stamped else "provided"
    return ts.ValidationTimeInfoType(
        validation_time=XmlDateTime.from_datetime(report.at),
        best_signature_time=ts.POEType(poetime=XmlDateTime.from_datetime(best), type_of_proof=f"{_ETSI}poetype:{kind}"),
    )


def _attributes(signature: SignatureReport) -> ts.SignatureAttributesType:
    if signature.signed_at is None or signature.time_source == "timestamp":
        return ts.SignatureAttributesType()
    claimed = ts.SASigningTimeType(signed=True, time=XmlDateTime.from_datetime(signature.signed_at))
    return ts.SignatureAttributesType(signing_time=(claimed,))


def _certificate_object(signature: SignatureReport, name: str) -> ts.ValidationObjectType:
    shown = ts.ValidationObjectRepresentationType(digest_alg_and_value=_digest(signature.certificate_sha256))
    return ts.ValidationObjectType(
        object_type=f"{_ETSI}validationObject:certificate", validation_object_representation=shown, id=name
    )


def _digest(value: bytes) -> DigestAlgAndValueType:
    return DigestAlgAndValueType(digest_method=DigestMethod(algorithm=_SHA256), digest_value=DigestValue(value=value))
