"""Certificate policies along a path: handed to pyhanko-certvalidator, which carries out all of RFC 5280, 6.1.

It judges the path's name constraints once more on the way; kinds of names that it does not know leave such a path
unconfirmed. Names alone are judged in `name_constraints`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from asn1crypto import x509 as asn1
from pyhanko_certvalidator.authority import CertTrustAnchor
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import PathBuildingError, PathValidationError
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    AlgorithmUsagePolicy,
    DisallowWeakAlgorithmsPolicy,
    PKIXValidationParams,
)
from pyhanko_certvalidator.validate import validate_path

from signing_service.verification.path_parameters import ANY_POLICY, PathParameters

_LARGEST = 32_768  # bytes; names times constraints is what a hostile certificate multiplies


def problem_of(path: Sequence[bytes], at: datetime, parameters: PathParameters) -> str | None:
    """None when a path (certificate first, anchor last, DER) meets every constraint, else why not (English)."""
    if any(len(der) > _LARGEST for der in path):
        return "a certificate with constraints is too large to be judged"
    certificates = [asn1.Certificate.load(der) for der in path]
    anchor = CertTrustAnchor(certificates[-1], derive_default_quals_from_cert=True)
    checked = ValidationPath(anchor, certificates[-2:0:-1], certificates[0])
    build: Any = DisallowWeakAlgorithmsPolicy
    algorithms: AlgorithmUsagePolicy = build(weak_hash_algos=frozenset(), rsa_key_size_threshold=512)
    context = ValidationContext(
        trust_roots=[certificates[-1]],
        moment=_inside(certificates, at),
        allow_fetching=False,
        revocation_mode="soft-fail",
        algorithm_usage_policy=algorithms,
    )
    try:
        validate_path(context, checked, parameters=_of_the_library(parameters))
    except (PathValidationError, PathBuildingError) as error:
        return str(error)[:300]
    except (ValueError, TypeError, KeyError, RecursionError, NotImplementedError) as error:
        return f"constraints cannot be read: {str(error)[:200]}"
    return None


def _of_the_library(parameters: PathParameters) -> PKIXValidationParams:
    policies = {"any_policy" if policy == ANY_POLICY else policy for policy in parameters.initial_policies}
    return PKIXValidationParams(
        user_initial_policy_set=frozenset(policies),
        initial_policy_mapping_inhibit=parameters.inhibit_mapping,
        initial_explicit_policy=parameters.explicit_policy,
        initial_any_policy_inhibit=parameters.inhibit_any_policy,
    )


def _inside(certificates: Sequence[asn1.Certificate], at: datetime) -> datetime:
    """An instant when all are valid if there is one: periods are judged elsewhere, for several instants."""
    latest_start = max(certificate.not_valid_before for certificate in certificates)
    first_end = min(certificate.not_valid_after for certificate in certificates)
    return min(max(at, latest_start), first_end) if latest_start <= first_end else at
