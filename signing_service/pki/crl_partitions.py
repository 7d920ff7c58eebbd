"""Partitions of a CA's revocation list (RFC 5280 4.2.1.13, 5.2.5): which certificate is told of in which partial CRL.

The certificate itself says so, in its CRL address: `…/crl/issuing-p3.crl` is partition 3 of the issuer `issuing`, and
`…/crl/issuing.crl` the whole list. Pure.
"""

from __future__ import annotations

import re

from cryptography import x509

PARTITION_SIZE = 10_000
"""Certificates in a partition before the next one is opened: at most about 400 KB, should all be revoked."""

WHOLE, FIRST = 0, 1
_PARTITION = re.compile(r"(?P<issuer>.+)-p(?P<number>[1-9][0-9]{0,5})")
_RESERVED = re.compile(r".*-(p[0-9]+|delta)")
_CA_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def partition_address(address: str, partition: int) -> str:
    """The address of a partition's CRL, from that of the whole list (ending in `.crl`); none where it has none."""
    if not address or partition == WHOLE:
        return address
    return f"{address.removesuffix('.crl')}-p{partition}.crl"


def name_and_partition(name: str) -> tuple[str, int]:
    """`issuing-p3` is (`issuing`, 3), `issuing` is (`issuing`, WHOLE)."""
    found = _PARTITION.fullmatch(name)
    return (name, WHOLE) if found is None else (found["issuer"], int(found["number"]))


def partition_of(certificate: x509.Certificate) -> int:
    """The partition that a certificate of ours names in its CRL address; WHOLE where it names none."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return WHOLE
    addresses = (str(name.value) for point in points for name in point.full_name or ())
    numbers = (name_and_partition(address.rpartition("/")[2].removesuffix(".crl"))[1] for address in addresses)
    return next((number for number in numbers if number != WHOLE), WHOLE)


def is_ca_name(name: str) -> bool:
    """Whether a CA may have this name: it stands in addresses, where `-p3` and `-delta` at the end mean other lists."""
    return _CA_NAME.fullmatch(name) is not None and _RESERVED.fullmatch(name) is None
