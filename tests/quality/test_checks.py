"""The checks themselves: their examples, on both engines, and parity of the two on odd records."""

from __future__ import annotations

import sqlite3
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from tests.quality.quality_records import columns_of, odd_cis, odd_incidents

from interlock.quality import build, kit
from interlock.quality.columns import RELATIONS, Relation
from interlock.quality.judge import Judge
from interlock.quality.profile import Profile
from interlock.records.kinds import FIELDS

CHECKS = {
    check.code: (check, module)
    for module in build.modules()
    for check in [build.check_of(module)]
    if isinstance(check, kit.RowCheck)
}
EXAMPLES = [(code, index) for code, (_, module) in CHECKS.items() for index in range(len(module.EXAMPLES))]
ARROW = {"string": pa.string(), "int64": pa.int64(), "boolean": pa.bool_()}


@pytest.fixture(scope="module")
def duck() -> Any:
    connection = ibis.duckdb.connect(threads=1)
    yield connection
    connection.disconnect()


def bound(relation: Relation, kind: str, example: dict[str, Any]) -> tuple[Any, ...]:
    """An example as bound columns: every field is known unless it says otherwise."""
    given = {name: value for name, value in example.items() if name not in ("finds", "absent")}
    fields = set(FIELDS[kind]) - set(example.get("absent", ()))
    given.setdefault("known", f"|{'|'.join(sorted(fields))}|")
    names = [column.name for column in relation.columns]
    assert not set(given) - set(names)
    return tuple(given.get(name) for name in names)


def table(relation: Relation, rows: list[tuple[Any, ...]]) -> ir.Table:
    """The same columns as a table, for the batch engine."""
    made = {}
    for index, column in enumerate(relation.columns):
        values = [row[index] for row in rows]
        if column.type == "boolean":
            values = [None if value is None else bool(value) for value in values]
        made[column.name] = pa.array(values, ARROW[column.type])
    return ibis.memtable(pa.table(made))


def on_sqlite(kind: str, rows: list[tuple[Any, ...]]) -> list[dict[str, str]]:
    checks = [check for check, _ in CHECKS.values() if check.on == kind]
    statement = build.statement(kind, checks)
    with sqlite3.connect(":memory:") as connection:
        answers = [connection.execute(statement, row).fetchone() for row in rows]
    return [
        {check.code: evidence for check, evidence in zip(checks, answer, strict=True) if evidence is not None}
        for answer in answers
    ]


def on_duckdb(duck: Any, kind: str, rows: list[tuple[Any, ...]]) -> list[dict[str, str]]:
    checks = [check for check, _ in CHECKS.values() if check.on == kind]
    answer = duck.to_pyarrow(build.judgement(kind, checks, table(RELATIONS[kind], rows))).to_pylist()
    return [{code: evidence for code, evidence in row.items() if evidence is not None} for row in answer]


def test_there_are_the_row_checks() -> None:
    assert set(CHECKS) == {
        *("CI-CLASS", "CI-MISS-REC", "CI-MISS-REQ", "CI-PLACEHOLDER", "CI-STALE", "CI-STATUS-CONTRA"),
        *("TKT-CAT-CANON", "TKT-CAT-UNKNOWN", "TKT-NO-CI", "TKT-CLOSE", "TKT-PRIO", "TKT-SUBCAT", "TKT-TIME"),
    }


@pytest.mark.parametrize(("code", "index"), EXAMPLES)
def test_an_example_finds_what_it_says_on_a_live_record(code: str, index: int) -> None:
    check, module = CHECKS[code]
    example = module.EXAMPLES[index]
    row = bound(RELATIONS[check.on], check.on, example)
    assert on_sqlite(check.on, [row])[0].get(code) == example["finds"]


@pytest.mark.parametrize("kind", sorted(RELATIONS))
def test_the_examples_find_the_same_in_a_batch(duck: Any, kind: str) -> None:
    cases = [
        (code, example) for code, (check, module) in CHECKS.items() if check.on == kind for example in module.EXAMPLES
    ]
    found = on_duckdb(duck, kind, [bound(RELATIONS[kind], kind, example) for _, example in cases])
    assert [row.get(code) for (code, _), row in zip(cases, found, strict=True)] == [
        example["finds"] for _, example in cases
    ]


@pytest.mark.parametrize("code", sorted(CHECKS))
def test_every_check_has_examples_of_both_outcomes(code: str) -> None:
    outcomes = {example["finds"] is None for example in CHECKS[code][1].EXAMPLES}
    assert outcomes == {True, False}


@pytest.mark.parametrize(("kind", "make"), [("ci", odd_cis), ("incident", odd_incidents)])
def test_odd_records_are_judged_alike_live_and_in_a_batch(duck: Any, kind: str, make: Any) -> None:
    profile = Profile.default().merge(
        {
            "ci": {
                "recommends": {"server": ["location", "mac"]},
                "class_os": {"computer": ["0", "x"], "srv'": ["x"]},
                "requires": {"server": ["serial", "os", "owner", "environment"], "other": ["name", "mac"]},
                "sources": {"other": {"max_age": {"default": "30d", "service": "1h"}}},
            },
            "incident": {"needs_ci": ["network"], "sources": {"snow": {"subcategory_required": True}}},
        }
    )
    profile = profile.with_taxonomy("snow", ["network", "a|b", "ß", "'"], [("network", "vpn"), ("ß", "😀"), ("'", '"')])
    judge = Judge(profile)
    rows = [columns_of(judge, kind, record) for record in make(4_000, seed=7)]
    live, batch = on_sqlite(kind, rows), on_duckdb(duck, kind, rows)
    assert live == batch
    found = [code for row in live for code in row]
    assert set(found) == {code for code, (check, _) in CHECKS.items() if check.on == kind}
    assert len(found) > 2_000


def test_what_the_judge_says_is_what_the_statement_says() -> None:
    judge = Judge()
    for kind, records in (("ci", odd_cis(500, seed=3)), ("incident", odd_incidents(500, seed=3))):
        rows = on_sqlite(kind, [columns_of(judge, kind, record) for record in records])
        for record, row in zip(records, rows, strict=True):
            flags = judge.judge(kind, record, columns_of(judge, kind, record)[-1]).flags
            assert {flag.code: flag.evidence for flag in flags} == row


def test_evidence_states_facts_not_ages() -> None:
    """The same record, judged later, gives the same text: else every scan rewrites every flag."""
    judge = Judge()
    for kind, records in (("ci", odd_cis(300, seed=5)), ("incident", odd_incidents(300, seed=5))):
        for record in records:
            later = {f.code: f.evidence for f in judge.judge(kind, record, 1_800_000_000).flags}
            for flag in judge.judge(kind, record, 1_799_000_000).flags:
                if flag.code in later and flag.reason == later[flag.code].partition(": ")[0]:
                    assert later[flag.code] == flag.evidence


@pytest.mark.parametrize("code", sorted(CHECKS))
def test_a_check_uses_only_operations_engines_agree_on(code: str) -> None:
    check = CHECKS[code][0]
    assert build.refused(check(build.relation(check.on))) == []


@pytest.mark.parametrize(
    ("expression", "operation"),
    [
        (lambda ci: ci.cls.startswith("s"), "StartsWith"),
        (lambda ci: ci.cls.like("s%"), "StringSQLLike"),
        (lambda ci: ci.cls.upper(), "Uppercase"),
        (lambda ci: ci.cls.lower(), "Lowercase"),
        (lambda ci: ci.cls.strip(), "Strip"),
        (lambda ci: ci.cls.re_search("s$"), "RegexSearch"),
        (lambda ci: ibis.greatest(ci.seen_at, ci.attested_at), "Greatest"),
        (lambda ci: ci.seen_at % 2, "Modulus"),
        (lambda ci: ci.seen_at / 2, "Divide"),
        (lambda ci: ci.seen_at * ibis.literal(0.5), "Literal float64"),
        (lambda ci: ci.seen_at.isnull().cast("string"), "Cast from boolean to string"),
        (lambda ci: ci.now.as_timestamp("s"), "TimestampFromUNIX"),
    ],
)
def test_an_operation_they_do_not_agree_on_is_refused(expression: Any, operation: str) -> None:
    assert operation in build.refused(expression(build.relation("ci")))


def test_a_faulty_check_does_not_build(monkeypatch: pytest.MonkeyPatch) -> None:
    module = CHECKS["CI-STALE"][1]
    good = CHECKS["CI-STALE"][0]

    def built(**changes: Any) -> None:
        parts = {name: getattr(good, name) for name in good.__slots__} | changes
        monkeypatch.setattr(module, "ci_stale", kit.RowCheck(**parts))
        build._entry(module)

    built()
    with pytest.raises(ValueError, match="engines do not agree on: Uppercase"):
        built(function=lambda ci: ci.cls.upper())
    with pytest.raises(ValueError, match="last_sean_at"):
        built(needs=("last_sean_at",))
    with pytest.raises(ValueError, match="max_ages"):
        built(applies="max_ages")
    monkeypatch.setattr(module, "__doc__", "CI-STALE: x\n\nWhat it finds\n    y\n")
    with pytest.raises(ValueError, match="Why it matters"):
        built()


def test_only_a_whole_template_makes_text() -> None:
    with pytest.raises(ValueError, match="2 places for 1"):
        kit.text("{} {}", ibis.literal("x"))
