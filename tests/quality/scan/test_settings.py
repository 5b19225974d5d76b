"""Settings as tables say what the live judge binds."""

from __future__ import annotations

from itertools import product

from interlock.quality.columns import RELATIONS
from interlock.quality.profile import Profile
from interlock.quality.rowlevel import shipped
from interlock.quality.scan.settings import COMBINED, Table, looked_up, tables
from interlock.quality.settings import CiSettings, IncidentSettings
from interlock.quality.tables import SETTINGS
from interlock.records.ci import CLASSES, ENVIRONMENTS

PROFILE = (
    Profile.default()
    .merge(
        {
            "ci": {
                "environments": {"test": {"max_age": {"default": "90d"}, "junk": ["n/a", "test-1"]}},
                "sources": {"legacy": {"max_age": {"server": None}, "requires": {"server": ["owner", "name"]}}},
            },
            "incident": {"sources": {"legacy": {"priority": {"low": {"low": "p4"}}, "subcategory_required": True}}},
        }
    )
    .with_taxonomy("snow", ["network", "db"], [("network", "vpn"), ("db", "sql")])
)
SOURCES = ("snow", "legacy")
WORDS = [
    ("snow", *cell, *pair) for cell, pair in product((("low", "low"), ("", "high")), (("network", "vpn"), ("x", "")))
]


def by_key(table: Table, keys: int) -> dict[tuple[object, ...], tuple[object, ...]]:
    found = {row[:keys]: row[keys:] for row in table.rows}
    assert len(found) == len(table.rows), "a key twice would double every record it is joined to"
    return found


def test_every_class_and_environment_has_the_live_settings() -> None:
    live = CiSettings(PROFILE, shipped().kinds["ci"])
    rows = by_key(tables(PROFILE, SOURCES)["ci_setting"], 3)
    names = [column.name for column in RELATIONS["ci"].settings]
    for source, cls, environment in product(SOURCES, CLASSES, ENVIRONMENTS):
        values, _ = live.of(source, {"cls": cls, "environment": environment})
        want = [value for name, value in zip(names, values, strict=True) if name in {c.name for c in looked_up("ci")}]
        assert list(rows[source, cls, environment][: len(want)]) == want
    none, _ = live.of("snow", {"cls": None, "environment": None})
    assert rows["snow", "", ""][0] == none[0] == 60 * 86_400


def test_an_environment_with_its_own_placeholders_has_a_set_of_its_own() -> None:
    made = tables(PROFILE, SOURCES)
    rows = by_key(made["ci_setting"], 3)
    ordinary, test = rows["snow", "server", "production"][-1], rows["snow", "server", "test"][-1]
    assert ordinary != test
    assert {value for number, value in made["junk_set"].rows if number == test} == {"n/a", "test-1"}
    assert ("snow", "tbd") in made["junk"].rows


def test_junk_as_a_key_is_normalised_as_keys_are() -> None:
    keys = {key for source, key in tables(PROFILE, SOURCES)["junk_key"].rows if source == "snow"}
    assert {"123456789", "n/a"} <= keys


def test_the_words_of_incidents_have_the_live_settings() -> None:
    live = IncidentSettings(PROFILE, shipped().kinds["incident"])
    rows = by_key(tables(PROFILE, SOURCES, WORDS)["incident_words"], 5)
    assert len(rows) == len(WORDS)
    for source, *words in WORDS:
        record = dict(zip(COMBINED["incident"], (word or None for word in words), strict=True))
        values, _ = live.of(source, record)
        assert [None if v is None else v for v in rows[source, *words]] == list(values)
    want = rows["snow", "low", "low", "network", "vpn"]
    assert (want[0], want[1]) == ("p5", True)


def test_what_a_source_declares_is_a_table() -> None:
    made = tables(PROFILE, SOURCES)
    assert set(made["declared_category"].rows) == {("snow", "network"), ("snow", "db")}
    assert set(made["declared_pair"].rows) == {("snow", "network", "vpn"), ("snow", "db", "sql")}
    assert ("legacy", "low", "low", "p4") in made["priority_cell"].rows
    assert ("snow", "low", "low", "p5") in made["priority_cell"].rows
    assert [row[:2] for row in made["incident_setting"].rows] == [("snow", False), ("legacy", True)]


def test_what_the_profile_says_of_sources() -> None:
    profile = PROFILE.merge(
        {"source": {"shrink_rows": 9, "sources": {"legacy": {"clock_skew_s": 5, "shrink_rows": 0}}}}
    )
    rows = by_key(tables(profile, SOURCES)["source_setting"], 1)
    assert rows == {("snow",): (60, 20, 9, 50, 90), ("legacy",): (5, 20, 0, 50, 90)}


def test_every_settings_table_of_the_checks_is_made() -> None:
    made = tables(PROFILE, SOURCES)
    for name, columns in SETTINGS.items():
        assert {column.name for column in columns} <= {column.name for column in made[name].columns}, name
