"""Matching, deterministic: whether two CIs of different sources are one thing, and where they contradict.

A CI is known by what was given to it once: serial number, id at its cloud provider, asset tag, MAC address,
fully qualified name, from the strongest to the weakest. Each is normalised first; junk (the profile's list,
all equal characters, addresses that are no identity) is no key at all. The strongest key that both sides
have decides: what a weaker one says against it is told, never followed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from interlock.records.fields import UNMAPPED

KEYS = ("serial", "cloud_id", "asset_tag", "mac", "fqdn")
"""Fields of a CI by which it is known, the strongest first."""

COMPARED = (
    "serial",
    "cloud_id",
    "asset_tag",
    "mac",
    "fqdn",
    "status",
    "operational_status",
    "environment",
    "criticality",
    "ip",
    "os",
    "os_version",
    "vendor",
    "model",
    "location",
    "owner",
    "support_group",
)
"""Fields whose values are compared between sources; names and classes are a source's own way of speaking."""

WORDED = ("ip", "os", "os_version", "vendor", "model", "location", "owner", "support_group")
"""The compared fields that are neither keys nor the contract's own words: case and blanks do not count."""

_SHORTEST = {"serial": 4, "cloud_id": 6, "asset_tag": 4}
_LABEL = re.compile(r"^(?:(?:s/n|sn|serial(?: ?(?:no|number))?|asset(?: ?tag)?|tag)[\s.:#-]+)+", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s._/\\:#-]+")
_SPACES = re.compile(r"\s+")
_DIGIT = re.compile(r"\d")
_HEX = re.compile(r"[0-9a-f]{12}")
_DOMAIN = re.compile(r"(?=.{4,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LOCAL_NAMES = ("localhost", "localdomain")


@dataclass(frozen=True, slots=True)
class Match:
    """What the keys of two CIs say: fields that agree, and fields that speak against it."""

    by: tuple[str, ...]
    contradicts: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether the strongest key that both have agrees."""
        if not self.by:
            return False
        return not self.contradicts or KEYS.index(self.by[0]) < KEYS.index(self.contradicts[0])


@dataclass(frozen=True, slots=True)
class Difference:
    """A field for which the records of one thing say different things, by ref."""

    field: str
    values: Mapping[str, Any]


def keys_of(record: Mapping[str, Any], junk: Collection[str]) -> dict[str, str]:
    """The normalised keys of a CI by field; ``junk`` holds case-folded values that mean nothing."""
    return {
        name: key
        for name in KEYS
        if isinstance(value := record.get(name), str) and (key := key_of(name, value, junk)) is not None
    }


def key_of(name: str, value: str, junk: Collection[str]) -> str | None:
    """The normalised key in one of ``KEYS``, None when it is none."""
    text = value.strip().casefold()
    if not text or text in junk:
        return None
    if name == "mac":
        return _mac(text)
    if name == "fqdn":
        return _fqdn(text)
    plain = text.isascii() and text.isalnum()  # as most are: without a label, and nothing separates anything
    if not plain:
        text = _SEPARATORS.sub("", _LABEL.sub("", text))
    if len(text) < _SHORTEST[name] or text.count(text[0]) == len(text) or text in junk:
        return None
    if text.isalpha() if plain else not _DIGIT.search(text):
        return None  # words without a digit are rather labels than numbers
    return text


def _mac(text: str) -> str | None:
    plain = text.replace(":", "").replace("-", "").replace(".", "")
    if len(plain) > 12:
        plain = _SPACES.sub("", plain)
    if not _HEX.fullmatch(plain) or plain.count(plain[0]) == 12:
        return None
    # IEEE 802: bit 0 of the first octet is a group address, bit 1 one that was not given by a maker.
    return plain if plain[1] in "048c" else None


def _fqdn(text: str) -> str | None:
    name = text.rstrip(".")
    if not _DOMAIN.fullmatch(name) or name.split(".")[0] in _LOCAL_NAMES or name.endswith(_LOCAL_NAMES):
        return None
    return name


def compare(one: Mapping[str, str], other: Mapping[str, str]) -> Match:
    """What two sets of keys (``keys_of``) say of each other; symmetric."""
    both = [name for name in KEYS if name in one and name in other]
    return Match(
        tuple(name for name in both if one[name] == other[name]),
        tuple(name for name in both if one[name] != other[name]),
    )


def variants(name: str, value: str) -> tuple[str, ...]:
    """The ways in which another source may have written a key, for asking it."""
    text = value.strip()
    bare = _LABEL.sub("", text)
    found = [text, bare, text.upper(), text.lower(), bare.upper(), bare.lower()]
    if name == "mac":
        plain = re.sub(r"[\s:.-]", "", text.lower())
        pairs = [plain[at : at + 2] for at in range(0, len(plain), 2)]
        fours = [plain[at : at + 4] for at in range(0, len(plain), 4)]
        for way in (":".join(pairs), "-".join(pairs), ".".join(fours), plain):
            found += [way, way.upper()]
    if name == "fqdn":
        found += [text.rstrip("."), f"{text.lower().rstrip('.')}."]
    return tuple(dict.fromkeys(way for way in found if way))


def differences(records: Mapping[str, Mapping[str, Any]], junk: Collection[str]) -> list[Difference]:
    """Where the records of one thing, by ref, contradict each other. Empty, unknown and junk say nothing."""
    found = []
    for name in COMPARED:
        said: dict[str, Any] = {}
        meant: set[str] = set()
        for ref, record in records.items():
            shown = _shown(record.get(name))
            if shown is None or shown.strip().casefold() in junk:
                continue
            said[ref] = shown
            meant.add(_meaning(name, shown, junk))
        if len(meant) > 1:
            found.append(Difference(name, said))
    return found


def meanings_of(record: Mapping[str, Any]) -> dict[str, str]:
    """The values of ``WORDED`` fields in the form in which two sources' values are compared."""
    return {name: said for name in WORDED if name in record and (said := meant(record[name])) is not None}


def meant(value: Any) -> str | None:
    """A value, or the text it shows, as it is compared; None where it says nothing."""
    shown = _shown(value)
    return None if shown is None else " ".join(shown.casefold().split())


def _shown(value: Any) -> str | None:
    if isinstance(value, Mapping):
        value = value.get("name") or str(value.get("ref", "")).rpartition(":")[2]
    if not isinstance(value, str) or not value.strip() or value == UNMAPPED:
        return None
    return value


def _meaning(name: str, value: str, junk: Collection[str]) -> str:
    if name in KEYS and (key := key_of(name, value, junk)) is not None:
        return key
    return " ".join(value.casefold().split())
