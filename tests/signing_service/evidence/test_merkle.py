"""The tree against RFC 9162's own definitions, written here recursively, and the published test vectors of CT."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing_service.evidence import merkle

# Leaves and roots of the Certificate Transparency reference implementations.
CT_LEAVES = [bytes.fromhex(leaf) for leaf in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
CT_ROOTS = [bytes.fromhex(root) for root in (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)]  # fmt: skip


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + defined_root(leaves[:k]) + defined_root(leaves[k:])).digest()


def nodes_of(leaves: list[bytes]) -> merkle.Nodes:
    return lambda level, index: defined_root(leaves[index << level : (index + 1) << level])


def leaves(count: int) -> list[bytes]:
    return [bytes([number]) for number in range(count)]


def test_published_roots() -> None:
    found = [merkle.root(size, nodes_of(CT_LEAVES)) for size in range(1, 9)]
    assert found == CT_ROOTS
    assert merkle.root(0, nodes_of([])) == merkle.EMPTY_ROOT


@given(st.integers(1, 40), st.data())
def test_every_leaf_is_proven_and_no_other(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    tree = nodes_of(leaves(size))
    proof, root = merkle.inclusion_proof(index, size, tree), merkle.root(size, tree)
    assert merkle.root_of_inclusion(tree(0, index), index, size, proof) == root
    assert merkle.root_of_inclusion(merkle.leaf_hash(b"another"), index, size, proof) != root
    for other in set(range(size)) - {index}:
        with_other_place = merkle.inclusion_proof(other, size, tree)
        if len(with_other_place) == len(proof):
            assert merkle.root_of_inclusion(tree(0, index), other, size, with_other_place) != root


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_tree_extends_its_own_beginnings(old: int, more: int) -> None:
    new = old + more
    tree = nodes_of(leaves(new))
    proof = merkle.consistency_proof(old, new, tree)
    roots = merkle.root(old, tree), merkle.root(new, tree)
    assert merkle.is_consistent(old, new, *roots, proof)
    assert not merkle.is_consistent(old, new, hashlib.sha256(b"x").digest(), roots[1], proof)
    if 0 < old < new:
        assert not merkle.is_consistent(old, new, roots[0], hashlib.sha256(b"x").digest(), proof)
        assert not merkle.is_consistent(old, new, *roots, proof[:-1])
        assert not merkle.is_consistent(old, new, *roots, [*proof, bytes(32)])


@given(st.integers(2, 40), st.data())
def test_a_rewritten_past_is_not_consistent(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    honest = leaves(new)
    rewritten = [*honest]
    rewritten[data.draw(st.integers(0, old - 1))] = b"rewritten"
    proof = merkle.consistency_proof(old, new, nodes_of(rewritten))
    old_root = merkle.root(old, nodes_of(honest))
    assert not merkle.is_consistent(old, new, old_root, merkle.root(new, nodes_of(rewritten)), proof)


def test_wrong_places_and_lengths_are_refused() -> None:
    tree = nodes_of(leaves(5))
    for wrong in (5, -1):
        with pytest.raises(ValueError, match="not in a tree"):
            merkle.inclusion_proof(wrong, 5, tree)
    with pytest.raises(ValueError, match="has 1 hashes"):
        merkle.root_of_inclusion(tree(0, 0), 0, 5, [bytes(32)])
    with pytest.raises(ValueError, match="does not extend"):
        merkle.consistency_proof(6, 5, tree)


def test_a_tree_read_leaf_by_leaf_has_the_same_roots() -> None:
    growing, tree = merkle.GrowingTree(), nodes_of(leaves(40))
    for size in range(41):
        assert (growing.size, growing.root()) == (size, merkle.root(size, tree))
        if size < 40:
            growing.append(tree(0, size))
