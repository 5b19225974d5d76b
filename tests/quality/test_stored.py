"""What a snapshot keeps of a record."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from interlock.quality.columns import RELATIONS
from interlock.quality.stored import TABLES, stored
from interlock.records.fields import UNMAPPED

CI = {
    "ref": "snow:ci:1",
    "name": " ham-lx01 ",
    "cls": "server",
    "status": UNMAPPED,
    "serial": "S/N: 4711-08",
    "last_seen_at": "2026-01-01T00:00:00Z",
    "first_seen_at": "yesterday",
    "owner": {"ref": "snow:person:ada", "name": "Ada"},
    "support_group": None,
    "ext": {"u_shelf": "4"},
}


def _row(kind: str, record: dict[str, object]) -> dict[str, object]:
    names = [column.name for column in TABLES[kind]]
    return dict(zip(names, stored(kind, record, "h1", "snow", 7.9), strict=True))


def test_a_ci_is_flat_stripped_and_knows_its_keys() -> None:
    row = _row("ci", CI)
    assert (row["name"], row["owner"], row["owner_name"]) == ("ham-lx01", "snow:person:ada", "Ada")
    assert (row["serial"], row["serial_key"], row["last_seen_at"]) == ("S/N: 4711-08", "471108", 1_767_225_600)
    assert (row["ext"], row["observed_at"], row["handle"]) == ('{"u_shelf":"4"}', 7, "h1")


def test_unmapped_unreadable_and_absent_are_not_known_but_empty_is() -> None:
    known = str(_row("ci", CI)["known"])
    assert "|support_group|" in known
    assert not any(f"|{name}|" in known for name in ("status", "first_seen_at", "os"))
    assert _row("ci", CI)["status"] is None


def test_assets_carry_the_keys_that_join_them_to_cis() -> None:
    row = _row("asset", {"serial": "SN 4711-08", "asset_tag": "P1000"})
    assert (row["serial_key"], row["asset_tag_key"], row["ref"]) == ("471108", "p1000", "snow:asset:~h1")


@given(st.dictionaries(st.sampled_from(["name", "os", "serial", "status"]), st.none() | st.text(max_size=30)))
def test_no_text_breaks_a_row(record: dict[str, object]) -> None:
    row = _row("ci", record)
    for column in TABLES["ci"]:
        value = row[column.name]
        assert value is None or isinstance(value, {"string": str, "int64": int, "boolean": bool}[column.type])
        assert value != ""
        assert not isinstance(value, str) or "\x00" not in value


def test_all_that_row_checks_read_is_stored() -> None:
    for kind, relation in RELATIONS.items():
        assert relation.reads <= {column.name for column in TABLES[kind]}
