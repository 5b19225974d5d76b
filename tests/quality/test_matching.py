"""Matching: what is a key, what is junk, and what decides when keys contradict."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.quality.matching import KEYS, compare, differences, keys_of, variants
from interlock.quality.profile import Profile

JUNK = frozenset(word.casefold() for word in Profile.default().ci.junk)


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("serial", "CZC1234X", "czc1234x"),
        ("serial", "SN-CZC1234X", "CZC 1234X"),
        ("serial", "S/N: CZC1234X", "CZC1234X"),
        ("serial", "Serial number CZC-1234-X", "czc1234x"),
        ("asset_tag", "P1000-42", "P100042"),
        ("asset_tag", "Asset tag: P100042", "p100042"),
        ("mac", "00:1A:2B:3C:4D:5E", "001a.2b3c.4d5e"),
        ("mac", "00-1a-2b-3c-4d-5e", "001A2B3C4D5E"),
        ("fqdn", "Web01.Example.COM.", "web01.example.com"),
        ("cloud_id", "i-0ab12cd34ef", "I-0AB12CD34EF"),
    ],
)
def test_ways_of_writing_one_key(field: str, one: str, other: str) -> None:
    assert keys_of({field: one}, JUNK) == keys_of({field: other}, JUNK) != {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("serial", "To be filled by O.E.M."),
        ("serial", "None"),
        ("serial", "00000000"),
        ("serial", "XXXXXX"),
        ("serial", "123"),
        ("serial", "S/N: unknown"),
        ("serial", "VMWARE"),
        ("asset_tag", "No Asset Tag"),
        ("mac", "00:00:00:00:00:00"),
        ("mac", "ff:ff:ff:ff:ff:ff"),
        ("mac", "01:00:5e:00:00:fb"),  # a group of machines
        ("mac", "02:42:ac:11:00:02"),  # made up by a container host
        ("mac", "00:1a:2b"),
        ("fqdn", "web01"),
        ("fqdn", "localhost.localdomain"),
        ("fqdn", "10.0.0.1"),
        ("fqdn", "-"),
        ("serial", None),
        ("serial", 12345),
    ],
)
def test_junk_is_no_key(field: str, value: Any) -> None:
    assert keys_of({field: value}, JUNK) == {}


def test_the_strongest_key_that_both_have_decides() -> None:
    here = {"serial": "a1234", "fqdn": "a.example.com"}
    assert compare(here, {"serial": "a1234", "fqdn": "b.example.com"}).same
    moved = compare(here, {"serial": "b1234", "fqdn": "a.example.com"})
    assert (moved.same, moved.by, moved.contradicts) == (False, ("fqdn",), ("serial",))
    assert compare(here, {"fqdn": "a.example.com"}).same
    assert not compare(here, {"mac": "001a2b3c4d5e"}).same


keys = st.fixed_dictionaries({}, optional={name: st.sampled_from(["a1", "b2", "c3"]) for name in KEYS})


@given(keys, keys)
def test_comparing_is_symmetric_and_a_thing_is_itself(one: dict[str, str], other: dict[str, str]) -> None:
    assert compare(one, other) == compare(other, one)
    assert compare(one, one).same == bool(one)


written = st.text(alphabet="aAbB09 .:-_/sSnN\n", max_size=20)


@given(st.sampled_from(KEYS), written)
def test_normalising_again_changes_nothing_and_variants_mean_the_same(field: str, value: str) -> None:
    found = keys_of({field: value}, JUNK)
    for key in found.values():
        assert keys_of({field: key}, JUNK) in ({field: key}, {})
    if field in found:
        told = [keys_of({field: way}, JUNK) for way in variants(field, value)]
        assert told.count(found) >= 1
        assert all(each in (found, {}) for each in told)


def test_conflicts_are_told_per_source_without_noise() -> None:
    records = {
        "snow:ci:1": {"os": "Linux", "location": "Berlin", "status": "live", "ip": "10.0.0.1", "mac": "001A2B3C4D5E"},
        "bmc:ci:1": {"os": " linux ", "location": "Wien", "status": "unmapped", "mac": "00:1a:2b:3c:4d:5e"},
        "nb:ci:1": {"location": "N/A", "owner": {"ref": "nb:person:x", "name": "X"}, "ip": None},
    }
    found = differences(records, JUNK)
    assert [(each.field, each.values) for each in found] == [("location", {"snow:ci:1": "Berlin", "bmc:ci:1": "Wien"})]
