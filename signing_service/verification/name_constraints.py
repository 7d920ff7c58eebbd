"""Name constraints along a path (RFC 5280, 4.2.1.10, 6.1.3 (b) and (c), 6.1.4 (g); comparison of names: 7.1 to 7.5).

Ours because pyhanko-certvalidator knows no address constraints and cannot read constraints on other names. A kind of
name that cannot be compared here is refused where such a name appears below its constraint, and only there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from signing_service.verification.certificates import Certificate, comparable

_LARGEST = 32_768  # bytes of a certificate; names times constraints is what a hostile one multiplies
_MOST_COMPARISONS = 100_000


class _NotComparable(Exception):
    """A name that cannot be held against its constraint."""


def names_problem(path: Sequence[Certificate]) -> str | None:
    """Why a path's names break its constraints (English), None when they hold. `path`: certificate first, anchor last.

    Every certificate's names are held against the constraints of all above it; a self-issued one's only where it is
    the path's own certificate (6.1.3). Each certificate's permitted names narrow those of the ones above (6.1.4).
    """
    if not any(certificate.name_constraints for certificate in path[1:]):
        return None
    if any(len(certificate.der) > _LARGEST for certificate in path):
        return "a certificate under name constraints is too large to be judged"
    budget = [_MOST_COMPARISONS]
    constraints: list[tuple[str, x509.NameConstraints]] = []
    for place in range(len(path) - 1, -1, -1):
        certificate = path[place]
        if constraints and (place == 0 or not certificate.self_issued):
            for kind, name in _names(certificate):
                if problem := _name_problem(kind, name, constraints, budget):
                    return f"{certificate.common_name()}: {problem}"
        found = certificate.name_constraints
        if found is not None and place > 0:
            constraints.append((certificate.common_name(), found))
    return None


def _names(certificate: Certificate) -> Iterator[tuple[type[x509.GeneralName], Any]]:
    """Kind and value: the subject when not empty, alternative names, and without those the subject's e-mail addresses
    (4.2.1.10)."""
    subject = certificate.x509.subject
    if subject.rdns:
        yield x509.DirectoryName, subject
    alternative = certificate.alternative_names
    if alternative is not None:
        for name in alternative:
            yield type(name), name.value
        return
    for item in subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
        yield x509.RFC822Name, str(item.value)


def _name_problem(
    kind: type[x509.GeneralName], name: Any, constraints: Sequence[tuple[str, x509.NameConstraints]], budget: list[int]
) -> str | None:
    for who, rules in constraints:
        permitted = [base.value for base in rules.permitted_subtrees or () if isinstance(base, kind)]
        excluded = [base.value for base in rules.excluded_subtrees or () if isinstance(base, kind)]
        budget[0] -= len(permitted) + len(excluded)
        if budget[0] < 0:
            return "more names and constraints than can be judged"
        try:
            if any(_within(kind, name, base) for base in excluded):
                return f"{who} excludes the name {_shown(name)}"
            if permitted and not any(_within(kind, name, base) for base in permitted):
                return f"{who} does not permit the name {_shown(name)}"
        except _NotComparable as reason:
            return f"the name {_shown(name)} cannot be held against the constraints of {who}: {reason}"
    return None


def _within(kind: type[x509.GeneralName], name: Any, base: Any) -> bool:
    if kind is x509.DirectoryName:
        return _relative(name)[: len(base.rdns)] == _relative(base)
    if kind is x509.DNSName:
        return _host_below(_labels(name), _labels(base) if base else [])
    if kind is x509.RFC822Name:
        return _mail_within(name, base)
    if kind is x509.UniformResourceIdentifier:
        return _host_within(_authority(name), base)
    if kind is x509.IPAddress:
        return _address_within(name, base)
    raise _NotComparable(f"constraints on {kind.__name__} are not understood")


def _relative(name: x509.Name) -> list[frozenset[tuple[str, str]]]:
    """RDN by RDN, without case and extra blanks (7.1)."""
    return [frozenset(comparable(x509.Name([rdn]))) for rdn in name.rdns]


def _labels(host: str) -> list[str]:
    """A host or a constraint as labels, lower-case. Raises for empty labels and wildcards: they are read in two ways
    (RFC 9525)."""
    labels = host.lower().removesuffix(".").split(".")
    if "" in labels or "*" in host:
        raise _NotComparable("a host name with a wildcard or an empty label")
    return labels


def _host_below(host: list[str], base: list[str]) -> bool:
    """The base itself or any name with more labels to the left; an empty base holds all (4.2.1.10)."""
    return not base or host[-len(base) :] == base


def _host_within(host: str, base: str) -> bool:
    """URI and e-mail: a leading period means hosts below a domain, none means that very host."""
    if base.startswith("."):
        above = _labels(base[1:])
        labels = _labels(host)
        return len(labels) > len(above) and labels[-len(above) :] == above
    return _labels(host) == _labels(base)


def _mail_within(address: str, base: str) -> bool:
    """A mailbox, all mailboxes at a host, or all at hosts below a domain; local parts keep their case (7.5)."""
    local, at, host = address.rpartition("@")
    if not at or not local or "@" in local.strip('"'):
        raise _NotComparable("not an e-mail address")
    base_local, base_at, base_host = base.rpartition("@")
    if base_at:
        return local == base_local and _labels(host) == _labels(base_host)
    return _host_within(host, base)


def _authority(uri: str) -> str:
    """The host of a URI; without one, or with an address instead, the constraint cannot be met (4.2.1.10)."""
    from urllib.parse import urlsplit

    try:
        host = urlsplit(uri).hostname
    except ValueError as error:
        raise _NotComparable("not a URI") from error
    if not host or ":" in host or host.replace(".", "").isdigit():
        raise _NotComparable("a URI without a host name")
    return host


def _address_within(address: Any, network: Any) -> bool:
    if not isinstance(network, ipaddress.IPv4Network | ipaddress.IPv6Network) or isinstance(
        address, ipaddress.IPv4Network | ipaddress.IPv6Network
    ):
        raise _NotComparable("not an address and a network")
    return address.version == network.version and address in network


def _shown(name: Any) -> str:
    return (name.rfc4514_string() if isinstance(name, x509.Name) else str(name))[:120]
