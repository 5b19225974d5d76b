"""The profile: what it sets, how it merges, and how it says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.quality.quality_records import DAY, NOW, ci, incident

from interlock.quality.judge import Judge
from interlock.quality.profile import Profile
from interlock.records.ci import CLASSES
from interlock.records.problems import Problem, Slug
from interlock.records.times import to_text
from interlock.tools.catalogue import TOOLS


def load(tmp_path: Path, text: str) -> Profile:
    file = tmp_path / "profile.yaml"
    file.write_text(text, encoding="utf-8")
    return Profile.load(file)


def age(profile: Profile, **changes: Any) -> int | None:
    """The allowed age of a CI, as the evidence of a very old sighting tells it; None: not stale."""
    record = ci(last_seen_at=to_text(0), **changes)
    for flag in Judge(profile).judge("ci", record, NOW).flags:
        if flag.code == "CI-STALE":
            return int(flag.evidence.rpartition(" ")[2])
    return None


def test_the_default_profile() -> None:
    profile = Profile.default()
    hidden = {c for c in CLASSES if age(profile, cls=c) is None}
    assert hidden == {
        *("application", "business_application", "certificate", "location", "peripheral", "rack"),
        *("service", "service_offering", "software"),
    }
    assert age(profile) == 60 * DAY
    assert profile.demands.ci == ("CI-STALE",)
    assert profile.demands.incident == ("TKT-PRIO",)
    assert profile.incident.priority["low"]["low"] == "p5"
    profile.verify_tools([tool.name for tool in TOOLS])


def test_ages_by_class_environment_and_source() -> None:
    profile = Profile.default().merge(
        {
            "ci": {
                "max_age": {"default": "30d", "server": "10d"},
                "environments": {"production": {"max_age": {"server": "5d"}}},
                "sources": {"legacy": {"max_age": {"default": "90d", "server": 7, "rack": "1h"}}},
            }
        }
    )
    assert age(profile, cls="printer", environment="production") == 30 * DAY
    assert age(profile, environment="test") == 10 * DAY
    assert age(profile, environment="production") == 5 * DAY
    assert age(profile, environment="production", ref="legacy:ci:x") == 7
    assert age(profile, cls="printer", ref="legacy:ci:x") == 90 * DAY
    assert age(profile, cls="rack", ref="legacy:ci:x") == 3600
    # a source's default does not make services discoverable
    assert age(profile, cls="service", ref="legacy:ci:x") is None


def test_every_ci_setting_can_differ_by_source() -> None:
    profile = Profile.default().merge(
        {
            "ci": {
                "sources": {
                    "legacy": {
                        "requires": {"server": ["mac"]},
                        "junk": ["zz"],
                        "discovered_within_days": 3,
                    }
                }
            }
        }
    )
    judge = Judge(profile)

    def codes(ref: str, **changes: Any) -> set[str]:
        return {flag.code for flag in judge.judge("ci", ci(ref=ref, **changes), NOW).flags}

    assert codes("snow:ci:x", mac=None) == set()
    assert codes("legacy:ci:x", mac=None) == {"CI-MISS-REQ"}
    assert codes("legacy:ci:x", mac="a", os="n/a") == set()
    assert codes("legacy:ci:x", mac="ZZ") == {"CI-MISS-REQ", "CI-PLACEHOLDER"}
    retired = {"status": "retired", "operational_status": None, "mac": "a"}
    seen = to_text(NOW - 4 * DAY)
    assert codes("snow:ci:x", last_seen_at=seen, **retired) == {"CI-STATUS-CONTRA"}
    assert codes("legacy:ci:x", last_seen_at=seen, **retired) == set()


def test_a_source_has_its_own_matrix() -> None:
    own = {"incident": {"sources": {"uci": {"priority": {"low": {"low": "p4"}}}}}}
    judge = Judge(Profile.default().merge(own))

    def found(source: str, priority: str) -> bool:
        record = incident(ref=f"{source}:incident:1", impact="low", urgency="low", priority=priority)
        return bool(judge.judge("incident", record, NOW).flags)

    assert not found("uci", "p4")
    assert found("uci", "p5")
    assert found("snow", "p4")
    assert not found("snow", "p5")


def test_a_file_holds_only_what_differs(tmp_path: Path) -> None:
    profile = load(
        tmp_path,
        "ci:\n  max_age: {server: 2h}\n  junk: [foo]\nincident:\n  sources:\n    snow:\n"
        "      categories: [a]\n      pairs: {a: [b]}\nmatrix:\n  CI-STALE: refuse\n",
    )
    assert profile.ci.max_age["server"] == 7200
    assert profile.ci.max_age["default"] == 60 * DAY
    assert profile.ci.junk == ("foo",)  # lists replace
    assert profile.incident.sources["snow"].pairs == {"a": ("b",)}
    assert profile.demands == Profile.default().demands
    assert Judge(profile).effect("CI-STALE", "incident_update", "write") == "refuse"
    assert load(tmp_path, "") == Profile.default()


def test_taxonomy_at_run_time_keeps_what_the_source_declares_else() -> None:
    own = {"incident": {"sources": {"snow": {"subcategory_required": True}}}}
    profile = Profile.default().merge(own)
    old = profile.version
    fed = profile.with_taxonomy("snow", ["network"], [("network", "vpn"), ("network", "wlan")])
    assert profile.version == old
    assert fed.version != old
    flags = Judge(fed).judge("incident", incident(subcategory=None), NOW).flags
    assert [flag.evidence for flag in flags] == ["missing: category network; subcategory empty"]
    assert fed.with_taxonomy("snow", None, None).version == old


def test_the_version_is_the_content(tmp_path: Path) -> None:
    assert load(tmp_path, "ci: {max_age: {default: 60d}}").version == Profile.default().version
    assert load(tmp_path, "ci: {max_age: {default: 61d}}").version != Profile.default().version


@pytest.mark.parametrize(
    ("text", "field", "line", "says", "next_step"),
    [
        ("ci:\n  max_agee: {}\n", "ci.max_agee", 2, "is not a key here", "Did you mean max_age?"),
        ("matricks: {}\n", "matricks", 1, "is not a key here", "Did you mean matrix?"),
        ("ci:\n  max_age:\n    serer: 1d\n", "ci.max_age.serer", 3, "is not a class", "Did you mean server?"),
        ("ci:\n  max_age:\n    server: 1w\n", "ci.max_age.server", 3, "valid integer", None),
        ("ci:\n  max_age:\n    server: true\n", "ci.max_age.server", 3, "valid integer", None),
        ("ci:\n  max_age:\n    server: -1\n", "ci.max_age.server", 3, "greater than or equal to 0", None),
        ("ci:\n  requires:\n    server: [sreial]\n", "ci.requires.server.0", 3, "required", "serial?"),
        ("ci:\n  requires:\n    sever: [serial]\n", "ci.requires.sever", 3, "is not a class", "server?"),
        ("ci:\n  junk: ['a|b']\n", "ci.junk.0", 2, "neither a bar", None),
        ("ci:\n  junk: [0]\n", "ci.junk.0", 2, "valid string", None),
        (
            "ci:\n  sources:\n    x:\n      max_ages: {}\n",
            "ci.sources.x.max_ages",
            4,
            "is not a key here",
            "Did you mean max_age?",
        ),
        (
            "incident:\n  sources:\n    x:\n      categorys: []\n",
            "incident.sources.x.categorys",
            4,
            "is not a key here",
            "Did you mean categories?",
        ),
        (
            "incident:\n  priority:\n    high: {high: p9}\n",
            "incident.priority.high.high",
            3,
            "not one of",
            "p",
        ),
        ("demands:\n  ci: [CI-STAIL]\n", "demands.ci.0", 2, "is not a check", "Did you mean CI-STALE?"),
        ("matrix:\n  CI-STAIL: hold\n", "matrix.CI-STAIL", 2, "is not a check", "Did you mean CI-STALE?"),
        ("matrix:\n  CI-STALE: halt\n", "matrix.CI-STALE.default", 2, "not one of", "hold"),
        ("matrix:\n  CI-STALE: {default: hald}\n", "matrix.CI-STALE.default", 2, "not one of", "hold?"),
        ("ci:\n  junk: [a]\n  junk: [b]\n", "ci.junk", None, "twice", None),
        ("ci:\n", "ci", 1, "cannot be taken", None),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, text: str, field: str, line: int | None, says: str, next_step: str | None
) -> None:
    with pytest.raises(Problem) as caught:
        load(tmp_path, text)
    problem = caught.value
    assert problem.slug is Slug.INVALID_ARGUMENT
    assert problem.field == field
    assert says in problem.detail
    assert str(tmp_path / "profile.yaml") in problem.detail
    if line is not None:
        assert f"line {line}:" in problem.detail
    if next_step is not None:
        assert next_step in (problem.next_step or "")


@pytest.mark.parametrize("text", ["- a\n", "just text\n", "ci: {\n", "ci: !!python/name:os.system\n"])
def test_what_is_not_a_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Problem) as caught:
        load(tmp_path, text)
    assert caught.value.slug is Slug.INVALID_ARGUMENT
    assert "profile.yaml" in caught.value.detail


def test_a_change_at_run_time_names_the_place_too() -> None:
    with pytest.raises(Problem, match=r"ci\.discovered_within_days") as caught:
        Profile.default().merge({"ci": {"discovered_within_days": "soon"}})
    assert caught.value.field == "ci.discovered_within_days"


def test_a_matrix_for_a_tool_that_does_not_exist() -> None:
    profile = Profile.default().merge({"matrix": {"CI-STALE": {"incident_asign": "allow"}}})
    with pytest.raises(Problem) as caught:
        profile.verify_tools([tool.name for tool in TOOLS])
    assert caught.value.next_step == "Did you mean incident_assign?"
    assert caught.value.field == "matrix.CI-STALE.incident_asign"


def test_a_setting_for_a_source_that_does_not_exist() -> None:
    profile = Profile.default().merge({"incident": {"sources": {"snwo": {"subcategory_required": True}}}})
    with pytest.raises(Problem) as caught:
        profile.verify_sources(["snow", "legacy"])
    assert caught.value.next_step == "Did you mean snow?"
    profile.verify_sources(["snwo"])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"no\.yaml cannot be read: No such file"):
        Profile.load(tmp_path / "no.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"ci: {} # \xfc")
    with pytest.raises(Problem, match=r"latin\.yaml cannot be read: is not UTF-8"):
        Profile.load(tmp_path / "latin.yaml")


def test_what_set_checks_ask_differs_by_environment_and_source() -> None:
    profile = Profile.default().merge(
        {
            "ci": {
                "environments": {"test": {"monitored": [], "identified_by": {"server": ["serial"]}}},
                "sources": {"mon": {"monitored": ["printer"], "shared_addresses": ["10.0.0.1"]}},
            }
        }
    )
    server = profile.ci.among_others("snow", "server", "production")
    assert server == {
        "needs_relation": True,
        "monitored": True,
        "needs_asset": True,
        "owns_address": True,
        "identified_by": "|serial|cloud_id|asset_tag|mac|fqdn|",
    }
    tested = profile.ci.among_others("snow", "server", "test")
    assert (tested["monitored"], tested["identified_by"]) == (False, "|serial|")
    assert profile.ci.among_others("mon", "printer", "test")["monitored"] is True  # the source wins
    assert profile.ci.among_others("snow", None, None)["identified_by"] == "|serial|cloud_id|asset_tag|"
    assert profile.ci.among_others("snow", "service", None)["identified_by"] == "|"
    assert profile.ci.addresses("mon") == ("10.0.0.1",)
    assert "127.0.0.1" in profile.ci.addresses("snow")


def test_only_a_cmdb_that_is_named_one_is_asked_for_what_others_have() -> None:
    assert all(not override.roles for override in Profile.default().source.sources.values())
    assert Profile.default().ci.recommends == {}


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"ci": {"monitored": ["sever"]}}, "ci.monitored.0", "is not a class of CI"),
        ({"ci": {"identified_by": {"server": ["name"]}}}, "ci.identified_by.server.0", "is not a key of CIs"),
        (
            {"ci": {"class_os": {"cmdb_ci_win_server": ["Windows"]}}},
            "ci.class_os.cmdb_ci_win_server.0",
            "small letters",
        ),
        ({"relation": {"rules": {"runs": {}}}}, "relation.rules.runs", "is not a type of relation"),
        ({"relation": {"rules": {"uses": {"all": []}}}}, "relation.rules.uses.all", "is not a class of CI"),
        ({"source": {"sources": {"a": {"roles": ["cmbd"]}}}}, "source.sources.a.roles.0", "words"),
    ],
)
def test_mistakes_in_what_set_checks_ask(changes: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(Problem) as caught:
        Profile.default().merge(changes)
    assert caught.value.field == field
    assert says in caught.value.detail
