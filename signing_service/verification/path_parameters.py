"""What a caller may ask of certificate paths (RFC 5280, 6.1.1): inputs of the algorithm, not properties of a path."""

from __future__ import annotations

from dataclasses import dataclass

ANY_POLICY = "2.5.29.32.0"


@dataclass(frozen=True, slots=True)
class PathParameters:
    """The inputs (c) to (g) of RFC 5280, 6.1.1, as they are by default, and the length of a path.

    initial_policies: certificate policies (dotted) that the caller accepts, in the anchor's domain. explicit_policy:
    the path must be valid for one of them; without it they only narrow what a path's own policy constraints demand.
    inhibit_mapping, inhibit_any_policy: from the first certificate on. longest: certificates between anchor and
    certificate, self-issued ones included.
    """

    initial_policies: frozenset[str] = frozenset({ANY_POLICY})
    explicit_policy: bool = False
    inhibit_mapping: bool = False
    inhibit_any_policy: bool = False
    longest: int = 8

    def __post_init__(self) -> None:
        if not self.initial_policies:
            raise ValueError("an empty set of policies would accept no path; leave the default for any policy")
        if self.longest < 0:
            raise ValueError("a path cannot have fewer than no certificates between its ends")

    @property
    def rules_policies(self) -> bool:
        """Do these parameters ask for policy processing where the certificates themselves do not?"""
        return (self.initial_policies, self.explicit_policy, self.inhibit_mapping, self.inhibit_any_policy) != (
            frozenset({ANY_POLICY}),
            False,
            False,
            False,
        )

    @classmethod
    def requiring(cls, policies: frozenset[str]) -> PathParameters:
        """A path must be valid for one of `policies`."""
        return cls(initial_policies=policies, explicit_policy=True)


DEFAULT = PathParameters()
