"""The canonical form: any entry, however odd, has exactly the documented bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.governance.ledger.chain import GENESIS, KINDS, Entry, canonical, recanonical
from interlock.governance.ledger.vault import Payload, digests, seal

text = st.text(max_size=30)
wild_text = st.text(st.characters(exclude_categories=()), max_size=30)  # half surrogates too
scalars = st.none() | st.booleans() | st.integers() | st.floats() | wild_text
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(wild_text, inner, max_size=4) | st.tuples(inner),
    max_leaves=8,
)
entries = st.builds(
    Entry,
    kind=st.sampled_from(sorted(KINDS)),
    call_id=wild_text,
    at=st.floats(min_value=0, max_value=4e9),
    principal=text,
    tool=st.none() | text,
    refs=st.lists(wild_text, max_size=3).map(tuple),
    verdict=st.none() | text,
    reasons=st.lists(text, max_size=3).map(tuple),
    versions=st.dictionaries(text, text, max_size=3),
    outcome=st.none() | text,
    detail=st.dictionaries(wild_text, values, max_size=4),
)


@given(entries, st.integers(min_value=1, max_value=2**53))
@settings(deadline=None)
def test_the_bytes_are_those_of_the_documented_form(entry: Entry, seq: int) -> None:
    body = canonical(entry, "abcd", seq, GENESIS, {"arguments": "00"})
    found = json.loads(body)
    documented = json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert body == documented
    assert recanonical(found) == body
    assert found["seq"] == seq
    assert found["at"] == round(entry.at * 1e6)
    assert not any(isinstance(value, float) for value in _leaves(found))


@given(entries)
@settings(deadline=None)
def test_equal_entries_have_equal_bytes_whatever_the_order_of_their_members(entry: Entry) -> None:
    turned = dict(reversed(list(entry.versions.items())))
    other = Entry(
        entry.kind,
        entry.call_id,
        entry.at,
        entry.principal,
        entry.tool,
        entry.refs,
        entry.verdict,
        entry.reasons,
        turned,
        entry.outcome,
        entry.detail,
    )
    assert canonical(entry, "c", 1, GENESIS, {}) == canonical(other, "c", 1, GENESIS, {})


@given(st.binary(max_size=50), st.binary(max_size=50), st.binary(min_size=16, max_size=16))
def test_digests_tell_parts_and_salts_apart(one: bytes, two: bytes, salt: bytes) -> None:
    sealed = seal(Payload(one, two), salt)
    assert sealed.digests == digests(salt, one, two)
    assert sealed.digests["arguments"] != sealed.digests["answer"]
    assert digests(bytes(16) if salt != bytes(16) else b"\1" * 16, one, two) != sealed.digests
    if one != two:
        assert digests(salt, two, one) != sealed.digests


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [leaf for entry in value.values() for leaf in _leaves(entry)]
    if isinstance(value, list):
        return [leaf for entry in value for leaf in _leaves(entry)]
    return [value]
