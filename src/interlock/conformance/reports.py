"""What came of a run, for machines: JSON, and JUnit XML as build servers read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import orjson

from interlock.conformance.rules import LEVELS, Level, Result, holding_back, level_of


@dataclass(frozen=True, slots=True)
class Report:
    """One run: the adapter, what it ran against, the level that was asked for, and the results."""

    adapter: str
    title: str
    against: str
    wanted: Level
    at: str
    results: Sequence[Result]

    @property
    def reached(self) -> Level | None:
        return level_of(list(self.results))

    @property
    def good(self) -> bool:
        """Whether the level that was asked for, or a higher one, was reached."""
        return self.reached is not None and LEVELS.index(self.reached) >= LEVELS.index(self.wanted)

    @property
    def back(self) -> list[Result]:
        """What keeps the adapter from the level."""
        return holding_back(list(self.results), self.wanted)

    def counts(self) -> dict[str, int]:
        counted = Counter(result.outcome for result in self.results)
        return {name: counted[name] for name in ("passed", "failed", "skipped", "does_not_apply")}


def as_json(report: Report) -> bytes:
    """The whole report as JSON, indented."""
    body: dict[str, Any] = {
        "adapter": report.adapter,
        "against": report.against,
        "at": report.at,
        "level": {"wanted": report.wanted, "reached": report.reached, "good": report.good},
        "counts": report.counts(),
        "results": [
            {
                "rule": result.rule.id,
                "kind": result.kind,
                "level": result.rule.level,
                "outcome": result.outcome,
                "about": result.rule.about,
                "seen": result.seen,
                "todo": result.todo,
                "seconds": round(result.seconds, 3),
            }
            for result in report.results
        ],
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def as_junit(report: Report) -> bytes:
    """JUnit XML: a suite a level, a case a result. What does not apply is a skipped case that says so."""
    root = ElementTree.Element("testsuites", name=f"interlock adapter check {report.adapter}")
    for level in LEVELS:
        mine = [result for result in report.results if result.rule.level == level]
        if not mine:
            continue
        counted = Counter(result.outcome for result in mine)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=level,
            tests=str(len(mine)),
            failures=str(counted["failed"]),
            errors="0",
            skipped=str(counted["skipped"] + counted["does_not_apply"]),
            time=f"{sum(result.seconds for result in mine):.3f}",
            timestamp=report.at.rstrip("Z"),
        )
        for result in mine:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname=f"{report.adapter}.{level}",
                name=result.name,
                time=f"{result.seconds:.3f}",
            )
            if result.outcome == "failed":
                failure = ElementTree.SubElement(case, "failure", message=_clean(result.seen), type="rule")
                failure.text = _clean(f"{result.rule.about}\nTo do: {result.todo}")
            elif result.outcome != "passed":
                ElementTree.SubElement(case, "skipped", message=_clean(result.seen))
            elif result.seen:
                ElementTree.SubElement(case, "system-out").text = _clean(result.seen)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _clean(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(
        letter if letter in "\t\n\r" or " " <= letter <= "\ud7ff" or letter >= "\ue000" else "�" for letter in text
    )
