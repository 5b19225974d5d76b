"""The page ``docs/checks.md``: one section a check, generated from the check files by the build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS = {"ci": "configuration item", "relationship": "relation"}
"""How the page calls a kind whose own word would not do."""

_HEAD = """\
# Checks

Generated from the check files (`src/interlock/quality/checks`) by `interlock checks build`; do not edit.

A check looks at a record, by itself or among others, and either finds nothing or raises a flag with its
evidence. Severity is for people. The default effect is what the flag does to a write (`allow`: the flag goes
along, `hold`: a person decides, `refuse`); a profile changes it per check and per tool, and reads are always
allowed. Unknown raises nothing: a field that the source does not export, or that may not be read, is not an
empty field.

"""


def page(level: Mapping[str, Any]) -> str:
    """The catalogue page of compiled checks (see ``build.build``)."""
    checks: Mapping[str, Mapping[str, Any]] = level["checks"]
    lines = ["| check | on | severity | default effect | what it finds |", "| --- | --- | --- | --- | --- |"]
    for code, check in checks.items():
        link = f"[{code}](#{code.lower()})"
        cells = (
            link,
            ", ".join(_KINDS.get(kind, kind) for kind in check["kinds"]),
            check["severity"],
            _effect(check),
            check["summary"],
        )
        lines.append(f"| {' | '.join(cells)} |")
    sections = (_section(code, check, level["sets"].get(code)) for code, check in checks.items())
    return _HEAD + "\n".join(lines) + "\n" + "".join(sections)


def _effect(check: Mapping[str, Any]) -> str:
    single = [f"`{effect}` for {tool}" for tool, effect in check["effects"].items()]
    return ", ".join([f"`{check['effect']}`", *single])


def _judged(among: Mapping[str, Any] | None) -> str:
    """When a check is made, given how it is compiled if it is one among other records."""
    if among is None:
        return "Judged on the record as it is read, at each call and by each scan."
    if not among["key_local"]:
        return "Judged among other records, by each scan only."
    if among["awaits_scan"]:
        return "Judged among other records, by each scan; at once when the record itself changes."
    return "Judged among other records, by each scan; at once when one of them changes."


def _section(code: str, check: Mapping[str, Any], among: Mapping[str, Any] | None) -> str:
    parts = [f"\n## {code}\n\n{check['summary'][0].upper()}{check['summary'][1:]}\n"]
    parts.append(f"\nSeverity {check['severity']}; default effect {_effect(check)}. {_judged(among)}\n")
    parts += [f"\n**{heading}.** {text}\n" for heading, text in check["doc"].items()]
    if check["needs"]:
        needs = ", ".join(f"`{name}`" for name in check["needs"])
        parts.append(f"\n**Could not run** is said when one of these is unknown: {needs}.\n")
    found = next(example["finds"] for example in check["examples"] if example["finds"])
    parts.append(f"\n**Example.** `{found if isinstance(found, str) else next(iter(found.values()))}`\n")
    return "".join(parts)
