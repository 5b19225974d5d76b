"""Checks of one's own: a folder of SQL or Python files that a scan runs after the shipped ones.

A file has the headings of a shipped check: SQL in its leading comment, Python in its docstring. The first line is
``CODE: what it finds``, the second ``on KIND, severity SEVERITY``. SQL is one SELECT over the tables that checks
read; Python has ``check(table)``, which gets tables by name and returns an Ibis expression. Both give ``record``
(a ref) and ``evidence``. They run without files or network, with the memory of the scan and a limit of time; one
that cannot run is told by name and stops nothing else.
"""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

import duckdb
import ibis

from interlock.quality.kit import HEADINGS
from interlock.quality.rowlevel import shipped
from interlock.quality.scan.engine import text
from interlock.quality.tables import ALL
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem, invalid

SECONDS = 60.0
"""How long one check may take."""

MOST_TEXT = 1_000
"""Characters of evidence that are kept."""

_FIRST = re.compile(r"([A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+): .+")
_SECOND = re.compile(r"on (\w+), severity (high|medium|low|info)")


@dataclass(frozen=True, slots=True)
class OwnCheck:
    """One file. ``fault`` says why it cannot run, before it was tried."""

    name: str
    code: str = ""
    kind: str = ""
    severity: str = "info"
    sql: str = ""
    fault: str = ""


def read_folder(folder: Path) -> list[OwnCheck]:
    """The checks of a folder, by name of file. Raises Problem invalid-argument when there is no such folder."""
    if not folder.is_dir():
        raise invalid("quality.checks", str(folder), "is not a folder", "Make it, or take the setting away.")
    found: list[OwnCheck] = []
    for path in sorted(
        p for p in folder.iterdir() if p.suffix in (".sql", ".py") and not p.name.startswith(("_", "."))
    ):
        check = _read(path)
        if check.code in {other.code for other in found if other.code}:
            check = OwnCheck(path.name, fault=f"{check.code} is the code of another file too")
        found.append(check)
    return found


def _read(path: Path) -> OwnCheck:
    try:
        source = path.read_text(encoding="utf-8")
        if path.suffix == ".sql":
            return _told(path.name, _leading_comment(source), lambda: source)
        module = runpy.run_path(str(path))
        return _told(path.name, module.get("__doc__") or "", lambda: _compiled(module))
    except Exception as error:  # whatever a file does, the others run
        return OwnCheck(path.name, fault=_short(error))


def _leading_comment(source: str) -> str:
    lines = []
    for line in source.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line[2:].removeprefix(" "))
    return "\n".join(lines)


def _told(name: str, doc: str, sql: Callable[[], str]) -> OwnCheck:
    lines = [line.rstrip() for line in doc.strip().splitlines()] + ["", ""]
    first, second = _FIRST.fullmatch(lines[0]), _SECOND.fullmatch(lines[1])
    if first is None or second is None:
        raise ValueError("the first two lines must be 'CODE-OF-IT: what it finds' and 'on KIND, severity SEVERITY'")
    if first[1] in shipped().checks:
        raise ValueError(f"{first[1]} is a shipped check")
    if second[1] not in FIELDS:
        raise ValueError(f"{second[1]} is not a kind; kinds: {', '.join(FIELDS)}")
    headings = [line for line in lines if line in HEADINGS]
    if headings != list(HEADINGS):
        raise ValueError(f"it needs, in order: {', '.join(HEADINGS)}")
    return OwnCheck(name, first[1], second[1], second[2], sql())


def _compiled(module: dict[str, Any]) -> str:
    check = module.get("check")
    if not callable(check):
        raise ValueError("it has no function check(table)")

    def table(name: str) -> Any:
        if name not in ALL:
            raise ValueError(f"{name} is not a table; tables: {', '.join(ALL)}")
        return ibis.table({column.name: column.type for column in ALL[name]}, name=name)

    return str(ibis.to_sql(check(table), dialect="duckdb"))


def run(con: Any, checks: Sequence[OwnCheck], into: str = "finding", seconds: float = SECONDS) -> dict[str, str]:
    """Run the checks into a table of findings; why each could not that could not, by name of file."""
    faults = {}
    for check in checks:
        try:
            if check.fault:
                raise ValueError(check.fault)
            _run(con, check, into, seconds)
        except (duckdb.Error, ValueError) as error:
            faults[check.name] = _short(error)
    return faults


def _run(con: Any, check: OwnCheck, into: str, seconds: float) -> None:
    statements = con.extract_statements(check.sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ValueError("it must be one SELECT")
    late: list[bool] = []

    def stop() -> None:
        late.append(True)
        con.interrupt()

    timer = Timer(seconds, stop)
    timer.start()
    try:
        con.execute(f"CREATE OR REPLACE TEMP VIEW own_check AS\n{statements[0].query}")
        con.execute(
            f"""INSERT INTO {into}
            SELECT {text(check.code)}, {text(check.kind)}, record, left(string_agg(DISTINCT evidence, '; '
                ORDER BY evidence), {MOST_TEXT})
            FROM (SELECT record::VARCHAR AS record, evidence::VARCHAR AS evidence FROM own_check)
            SEMI JOIN stored_{check.kind} s ON s.ref = record WHERE evidence <> '' GROUP BY record"""
        )
    except duckdb.InterruptException:
        if not late:
            raise
        raise ValueError(f"it took longer than {seconds:g} s") from None
    finally:
        timer.cancel()


def runnable(checks: Sequence[OwnCheck], faults: Collection[str]) -> list[str]:
    """The codes of those that ran."""
    return [check.code for check in checks if check.name not in faults]


def _short(error: Exception) -> str:
    said = error.detail if isinstance(error, Problem) else str(error)
    return " ".join(said.split("\n\n")[0].split())[:300] or type(error).__name__
