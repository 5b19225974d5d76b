"""Row checks over stored rows find what the live judge finds, word for word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.quality.quality_records import NOW, odd_cis, odd_incidents

from interlock.quality import build
from interlock.quality.judge import Judge
from interlock.quality.kit import RowCheck
from interlock.quality.profile import Profile
from interlock.quality.scan.engine import create_settings, engine, view_stored
from interlock.quality.scan.rows import judged
from interlock.quality.stored import TABLES, stored

ARROW = {"string": pa.string(), "int64": pa.int64(), "boolean": pa.bool_()}
CHECKS = [check for module in build.modules() if isinstance(check := build.check_of(module), RowCheck)]
PROFILE = (
    Profile.default()
    .merge(
        {
            "ci": {
                "requires": {"server": ["serial", "os", "owner", "environment"], "other": ["name", "mac"]},
                "recommends": {"server": ["vendor", "location"], "service": ["owner"]},
                "class_os": {"server": ["i", "a|b", "'"], "computer": ["xyz", "unknown"]},
                "environments": {"test": {"junk": ["ss", "tbd", "fi", "i"]}},
                "sources": {"other": {"max_age": {"default": "30d", "service": "1h"}}},
            },
            "incident": {"needs_ci": ["network"], "sources": {"snow": {"subcategory_required": True}}},
        }
    )
    .with_taxonomy("snow", ["network", "a|b", "ß", "'"], [("network", "vpn"), ("ß", "😀"), ("'", '"')])
)


def parts(folder: Path, kind: str, records: Iterable[Mapping[str, Any]]) -> list[Path]:
    """Records as the Parquet parts of a snapshot."""
    rows = [stored(kind, r, f"h{i}", str(r["ref"]).partition(":")[0], NOW) for i, r in enumerate(records)]
    columns = zip(TABLES[kind], zip(*rows, strict=True), strict=True)
    file = folder / f"{kind}.parquet"
    pq.write_table(pa.table({c.name: pa.array(values, ARROW[c.type]) for c, values in columns}), file)
    return [file]


def batch(folder: Path, kind: str, records: list[dict[str, Any]], profile: Profile) -> set[tuple[str, str, str]]:
    checks = [check for check in CHECKS if check.on == kind]
    with engine(folder, [folder]) as con:
        view_stored(con, {kind: parts(folder, kind, records)})
        create_settings(con, profile, ["snow", "other"])
        rows = con.execute(judged(con, kind, checks, NOW)).fetchall()
    found = {(code, ref, evidence) for code, _, ref, evidence in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize(("kind", "make"), [("ci", odd_cis), ("incident", odd_incidents)])
def test_odd_records_are_judged_alike_live_and_in_a_scan(tmp_path: Path, kind: str, make: Any) -> None:
    records = make(4_000, seed=11)
    live = {(f.code, f.ref, f.evidence) for f in Judge(PROFILE).findings(records, kind, NOW)}
    assert batch(tmp_path, kind, records, PROFILE) == live
    assert {code for code, _, _ in live} == {check.code for check in CHECKS if check.on == kind}


def test_placeholders_are_compared_as_the_judge_does_beyond_ascii(tmp_path: Path) -> None:
    profile = Profile.default().merge({"ci": {"junk": ["Straße", "fi", "i", "ας"]}})
    words = ("STRASSE", "straße", "ſtrasse", "STRAẞE", "ﬁ", "FI", "İ", "I", "i̇", "ΑΣ", "ας", "STRASE")
    records = [
        {"ref": f"snow:ci:{n}", "cls": "server", "serial": f" {word} ", "os": "x"} for n, word in enumerate(words)
    ]
    live = {(f.code, f.ref, f.evidence) for f in Judge(profile).findings(records, "ci", NOW)}
    assert batch(tmp_path, "ci", records, profile) == live
    assert 0 < len({ref for code, ref, _ in live if code == "CI-PLACEHOLDER"}) < len(words)
