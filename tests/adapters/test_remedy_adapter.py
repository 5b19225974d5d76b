"""Remedy's traps, each against the mock over real sockets."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from mock_servers.faults import Rule
from mock_servers.remedy.from_estate import entries
from mock_servers.remedy.server import MockRemedy
from mock_servers.remedy.services import customised_services
from mock_servers.remedy.wsdl import render
from tests.adapters.remedy_bench import ADAPTER, NUMBER, estate, remedy

from interlock.records.filters import AnyOf, Condition, Query, matches
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Effect
from interlock.sources.source import Source

OPEN = Condition("state", "in", ("new", "in_progress", "on_hold"))
GROUP = "rem:group:Network Operations EMEA"


@pytest.fixture(scope="module")
def wsdls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wsdls")


def stored(mock: MockRemedy, number: str = NUMBER) -> dict[str, Any]:
    found = mock.store.get("HPD:Help Desk", number)
    assert found is not None
    return dict(found)


async def update(source: Source, **changes: Any) -> None:
    await source.send(Effect("incident", "update", NUMBER, changes, "c1"), not_after=time.time() + 30)


async def all_numbers(source: Source, query: Query) -> tuple[list[str], list[str]]:
    found, warnings, cursor = [], [], None
    while True:
        page = await source.search("incident", query, cursor=cursor)
        found += [record["number"] for record in page.records]
        warnings += page.warnings
        cursor = page.cursor
        if cursor is None:
            return found, warnings


# --- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", ["fault", "empty"])
async def test_nothing_found_is_no_fault_and_no_record_is_not_found(wsdls: Path, empty: Any) -> None:
    async with remedy(wsdls) as (source, mock):
        mock.switches.change(empty_list=empty)
        found = await source.search("incident", Query(filter=(Condition("opened_at", "lt", "1999-01-01T00:00:00Z"),)))
        assert (found.records, found.cursor) == ([], None)
        for kind, key in (("incident", "INC000000999999"), ("person", "no.body"), ("person", "~PPL9"), ("ci", "RE-1")):
            with pytest.raises(Problem) as caught:
                await source.get(kind, key)
            assert caught.value.slug is Slug.NOT_FOUND


@pytest.mark.parametrize("locale", ["en_US", "de_DE"])
async def test_errors_are_told_by_number_whatever_the_language(wsdls: Path, locale: str) -> None:
    async with remedy(wsdls, settings={"locale": locale}) as (source, _):
        with pytest.raises(Problem) as caught:
            await source.get("incident", "INC000000999999")
        assert (caught.value.slug, caught.value.native_code) == (Slug.NOT_FOUND, "302")
        assert ("Eintrag" in (caught.value.native_message or "")) is (locale == "de_DE")


async def test_a_wrong_password_is_denied_and_an_anonymous_user_is_never_used(wsdls: Path) -> None:
    async with remedy(wsdls, password="wrong") as (source, mock):
        mock.switches.change(anonymous_user="Demo")
        with pytest.raises(Problem) as caught:
            await source.get("incident", NUMBER)
        assert (caught.value.slug, caught.value.reached) == (Slug.SOURCE_DENIED, "no")
        assert "wrong" not in str(caught.value.body())


async def test_pages_lose_nothing_where_the_server_cuts_them_silently(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, mock):
        wanted = [str(entry["Incident Number"]) for entry in mock.store.rows("HPD:Help Desk")]
        for most in (7, 2000):
            mock.switches.change(max_entries=most)
            found, warnings = await all_numbers(source, Query(limit=20))
            assert found == wanted
            assert warnings == []


async def test_records_that_move_between_pages_are_told(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, mock):
        first = await source.search("incident", Query(limit=10))
        entries = mock.store._entries["HPD:Help Desk"]
        del entries[str(first.records[0]["number"])]
        second = await source.search("incident", Query(limit=10), cursor=first.cursor)
        assert any("moved" in warning for warning in second.warnings)


QUERIES: tuple[Any, ...] = (
    (OPEN,),
    (Condition("state", "ne", "closed"), Condition("impact", "eq", "medium")),
    (Condition("hold_reason", "eq", "vendor"),),
    (Condition("close_code", "eq", "fixed"), Condition("title", "contains", "vpn")),
    (Condition("updated_at", "ge", "2026-10-20T00:00:00Z"), Condition("updated_at", "lt", "2026-10-30T12:00:00Z")),
    (AnyOf((Condition("priority", "eq", "p1"), Condition("reopen_count", "gt", 0))),),
    (Condition("group", "in", ("rem:group:Service Desk EMEA", GROUP)), Condition("assignee", "empty")),
    (Condition("group", "ne", "rem:group:Service Desk EMEA"),),
    (Condition("parent", "not_empty"),),
    (Condition("caller", "eq", 'rem:person:o"neil'),),
    (Condition("number", "eq", NUMBER.lower()),),
    (Condition("due_at", "empty"), Condition("channel", "not_in", ("phone", "email"))),
)


async def test_a_pushed_query_finds_what_a_full_scan_finds(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, _):
        everything: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = await source.search("incident", Query(limit=100), cursor=cursor)
            everything += page.records
            cursor = page.cursor
            if cursor is None:
                break
        for clauses in QUERIES:
            wanted = [record["number"] for record in everything if matches(clauses, record)]
            found, _warnings = await all_numbers(source, Query(filter=clauses, limit=50))
            assert found == wanted, clauses


async def test_cis_carry_what_their_class_adds_and_one_row_for_each_identity(wsdls: Path) -> None:

    async with remedy(wsdls) as (source, mock):
        mock.store.load(entries(estate(), raw=True))  # the discovery dataset, too
        by_name = {ci.name: ci for ci in estate().cis if ci.cls in ("server", "virtual_machine")}
        records: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = await source.search("ci", Query(limit=100), cursor=cursor)
            records += page.records
            cursor = page.cursor
            if cursor is None:
                break
        assert len(records) == len(estate().cis) == len({record["ref"] for record in records})
        checked = 0
        for record in records:
            ci = by_name.get(record["name"])
            if ci is not None and ci.serial == (record["serial"] or ""):
                assert (record["cls"], record.get("ip"), record.get("os")) == (ci.cls, ci.ip or None, ci.os or None)
                checked += 1
        assert checked > 50
        one = await source.get("ci", records[0]["ref"].split(":", 2)[2])
        assert one.record == records[0]


async def test_relations_read_as_the_estate_means_them(wsdls: Path) -> None:

    async with remedy(wsdls) as (source, _):
        page = await source.search("relationship", Query(limit=100))
        meant = {f"OR-{each.id.upper()}": each.type for each in estate().relations}
        assert {r["ref"].rpartition(":")[2]: r["type"] for r in page.records}.items() <= meant.items()
        row = next(r for r in page.records if r["type"] in ("depends_on", "runs_on"))
        back = await source.search(
            "relationship", Query(filter=(Condition("subject", "eq", row["subject"]["ref"]),), limit=50)
        )
        assert row["ref"] in [each["ref"] for each in back.records]


async def test_the_journal_is_newest_first_and_goes_on(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, _):
        both = frozenset({"public", "internal"})
        for n in range(5):
            effect = Effect(
                "incident", "note", NUMBER, {}, f"c{n}", f"[interlock {n}]", f"note {n} [interlock {n}]", "internal"
            )
            await source.send(effect, not_after=time.time() + 30)
            assert await source.probe(effect) == [NUMBER]
        whole = await source.journal("incident", NUMBER, visibility=both, limit=100)
        assert [entry["text"].split(" [")[0] for entry in whole.entries[:5]] == [f"note {n}" for n in (4, 3, 2, 1, 0)]
        entries, cursor = [], None
        while True:
            page = await source.journal("incident", NUMBER, visibility=both, cursor=cursor, limit=2)
            entries += page.entries
            cursor = page.cursor
            if cursor is None:
                break
        assert entries == whole.entries
        public = await source.journal("incident", NUMBER, visibility=frozenset({"public"}), limit=100)
        assert all(entry["visibility"] == "public" for entry in public.entries)


async def test_choices_are_the_wsdls_without_dividers(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, _):
        found = {choice.value: choice.canonical for choice in await source.choices("incident", "state")}
        assert found["Assigned"] == found["New"] == "new"
        with pytest.raises(Problem, match="list of choices"):
            await source.choices("incident", "category")


START = """
import sys
from pathlib import Path
from interlock.clock import SystemClock
from interlock.config import SourceConfig
from interlock.sources.opening import build_source
from interlock.telemetry import silent_telemetry
account = {"username": "u", "password": "p"}
config = {"adapter": "remedy", "environment": "test", "base_url": "http://127.0.0.1:9", "settings": {"server": "a"}}
model = SourceConfig.model_validate({**config, "auth": {"basic": account}})
clock = SystemClock()
build_source("rem", model, Path(sys.argv[1]), clock, silent_telemetry(clock), cache=Path(sys.argv[2]))
print("zeep" in sys.modules)
"""


def test_a_start_with_known_wsdls_imports_no_zeep(tmp_path: Path) -> None:
    def started() -> bytes:
        command = [sys.executable, "-c", START, str(ADAPTER), str(tmp_path)]
        return subprocess.run(command, capture_output=True, check=True).stdout.strip()

    assert [started(), started()] == [b"True", b"False"]


# --- writing ---------------------------------------------------------------------------------------


async def test_an_update_empties_nothing_else(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, mock):
        before = stored(mock)
        await update(source, due_at="2026-12-24T18:00:00Z", title='New <title> & "quotes"')
        after = stored(mock)
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        assert changed == {"Description", "Required Resolution DateTime", "Last Modified By", "Last Modified Date"}
        assert after["Description"] == 'New <title> & "quotes"'
        assert await source.probe(Effect("incident", "update", NUMBER, {"due_at": "2026-12-24T18:00:00Z"}, "c")) == [
            NUMBER
        ]
        await update(source, due_at=None)
        assert "Required Resolution DateTime" not in stored(mock)


async def test_a_new_group_takes_its_organisation_along_and_leaves_the_assignee(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, mock):
        await update(source, state="new", group=GROUP)
        after = stored(mock)
        assert (after["Assigned Group"], after.get("Assignee Login ID"), after.get("Assignee")) == (
            GROUP.rpartition(":")[2], None, None,
        )  # fmt: skip
        with pytest.raises(Problem) as caught:
            await update(source, group="rem:group:No Such Group")
        assert (caught.value.slug, caught.value.reached, caught.value.field) == (Slug.INVALID_ARGUMENT, "no", "group")


async def test_why_it_waits_and_how_it_was_solved_share_a_field(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, mock):
        await update(source, state="on_hold", hold_reason="vendor")
        held = (await source.get("incident", NUMBER)).record
        assert (held["state"], held["hold_reason"], held["close_code"]) == ("on_hold", "vendor", None)
        await update(source, state="in_progress")
        assert "Status_Reason" not in stored(mock)
        await update(source, state="resolved", close_code="workaround", close_notes="Done.")
        solved = (await source.get("incident", NUMBER)).record
        assert (solved["hold_reason"], solved["close_code"]) == (None, "workaround")
        with pytest.raises(Problem, match="cannot be written while Status is Resolved"):
            await update(source, hold_reason="caller")


async def test_a_create_is_found_again_by_our_key(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, mock):
        ref = (await source.get("incident", NUMBER)).record["ci"]["ref"]
        changes = {
            "title": "New <one>", "impact": "high", "urgency": "low", "caller": "rem:person:zaneta.golab", "ci": ref,
            "group": GROUP,
        }  # fmt: skip
        effect = Effect("incident", "create", None, changes, "interlock-0123456789abcdef")
        assert await source.probe(effect) == []
        number = await source.send(effect, not_after=time.time() + 30)
        assert number is not None
        assert await source.probe(effect) == [number]
        entry = stored(mock, number)
        assert (entry["First Name"], entry["Customer Login ID"]) == ("Żaneta", "zaneta.golab")
        record = (await source.get("incident", number)).record
        assert {name: record[name] for name in ("title", "impact", "urgency", "state")} == {
            "title": "New <one>", "impact": "high", "urgency": "low", "state": "new",
        }  # fmt: skip
        assert record["ci"]["ref"] == ref
        with pytest.raises(Problem) as caught:
            await source.send(effect, not_after=time.time() + 30)
        assert (caught.value.slug, caught.value.native_code, caught.value.reached) == (
            Slug.SOURCE_REJECTED,
            "382",
            "yes",
        )


async def test_a_rule_of_the_source_is_a_rejection_with_its_words(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, _):
        with pytest.raises(Problem) as caught:
            await update(source, state="resolved")
        assert (caught.value.slug, caught.value.reached) == (Slug.SOURCE_REJECTED, "yes")
        assert "status reason" in (caught.value.native_message or "")


async def test_nothing_leaves_after_its_time_and_a_failed_read_before_it_reached_nothing(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, mock):
        before = stored(mock)
        await source.get("incident", NUMBER)
        with pytest.raises(Problem) as caught:
            await source.send(Effect("incident", "update", NUMBER, {"title": "x"}, "c"), not_after=time.time() - 1)
        assert caught.value.reached == "no"
        mock.faults.set([Rule("error_before", body="HelpDesk_Query_Service>")])
        with pytest.raises(Problem) as caught:
            await update(source, title="x")
        assert caught.value.reached == "no"
        assert stored(mock) == before


@pytest.mark.parametrize(
    ("rule", "slug", "reached", "committed"),
    [
        (Rule("error_after", body="Modify", variant="timed_out"), Slug.SOURCE_UNAVAILABLE, "maybe", True),
        (Rule("error_before", body="Modify", variant="sql"), Slug.SOURCE_FAULT, "maybe", False),
        (Rule("html", body="Modify"), Slug.SOURCE_DENIED, "no", False),
        (Rule("drop_after", body="Modify"), Slug.SOURCE_UNAVAILABLE, "maybe", True),
        (Rule("truncate", body="Modify"), Slug.SOURCE_UNAVAILABLE, "maybe", True),
        (Rule("truncate", body="Modify", variant="clean"), Slug.SOURCE_FAULT, "maybe", True),
        (Rule("timeout_after", body="Modify"), Slug.SOURCE_UNAVAILABLE, "maybe", True),
        (Rule("session_expired", body="Modify"), Slug.SOURCE_UNAVAILABLE, "no", False),
    ],
    ids=lambda value: value.fault + value.variant if isinstance(value, Rule) else None,
)
async def test_what_is_known_of_a_write_that_failed(
    wsdls: Path, rule: Rule, slug: Slug, reached: str, committed: bool
) -> None:
    async with remedy(wsdls, timeout_s=1) as (source, mock):
        mock.faults.set([rule])
        with pytest.raises(Problem) as caught:
            await update(source, title="written")
        assert (caught.value.slug, caught.value.reached) == (slug, reached)
        assert (stored(mock)["Description"] == "written") is committed
        mock.faults.set([])
        effect = Effect("incident", "update", NUMBER, {"title": "written"}, "c")
        assert bool(await source.probe(effect)) is committed


BROKEN: tuple[tuple[str, Slug | None], ...] = (
    ("encoding", Slug.SOURCE_FAULT),
    ("doctype", Slug.SOURCE_FAULT),
    ("entities", Slug.SOURCE_FAULT),
    ("unclosed", Slug.SOURCE_FAULT),
    ("huge", Slug.TOO_LARGE),
    ("soap12", Slug.SOURCE_FAULT),
    ("fault200", Slug.SOURCE_UNAVAILABLE),
    ("empty", Slug.SOURCE_FAULT),
    ("utf16", None),
    ("cp1252", Slug.SOURCE_FAULT),  # HTTP says UTF-8, the document Latin-1, and it is neither
    ("control", None),
    ("newline", None),
    ("extra", None),
    ("reordered", None),
)


async def test_broken_answers_are_a_clear_problem_or_read_right(wsdls: Path) -> None:
    async with remedy(wsdls) as (source, mock):
        right = (await source.get("incident", NUMBER)).record
        for variant, slug in BROKEN:
            mock.faults.set([Rule("broken", variant=variant)])
            if slug is None:
                assert (await source.get("incident", NUMBER)).record == right, variant
                continue
            with pytest.raises(Problem) as caught:
                await source.get("incident", NUMBER)
            assert caught.value.slug is slug, variant
            assert caught.value.next_step, variant


# --- customised instances --------------------------------------------------------------------------

TICKET: dict[str, Any] = {
    "key": "TicketNo",
    "soap": {
        "wsdl": "XX_Ticket_WS.wsdl",
        "get": {"operation": "TicketLesen", "key": "TicketNo"},
        "list": {"operation": "TicketSuchen", "keys": {"TicketNo": "'Incident Number'"}},
        "create": None,
        "update": {"operation": "TicketAendern", "key": "TicketNo", "always": {"Aktion": "MODIFY"}},
        "note": {
            "operation": "TicketNotiz", "key": "TicketNo", "text": "Notiz_Text", "merge": False,
            "always": {"Aktion": "MODIFY"},
            "by": {"internal": {"Notiz_Sicht": "Internal"}, "public": {"Notiz_Sicht": "Public"}},
        },
        "notes": {
            "operation": "TicketNotizen", "id": "Notiz_ID", "text": "Notiz_Text", "author": "Notiz_Autor",
            "created_at": "Notiz_Zeit", "visibility": "Notiz_Sicht",
        },
        "beside": {
            "caller": None,
            "assignee": {"Bearbeiter": "Full_Name"},
            "group": {"Firma": "Company", "Organisation": "Support_Organization"},
            "ci": {"CI_Name": "Name"},
            "service": None,
        },
        "split": {
            "Status_Reason": {
                "by": "TicketStatus",
                "into": {"Pending": "Hold_Reason", "Resolved": "Close_Reason", "Closed": "Close_Reason"},
            }
        },
    },
    "fields": {
        "number": {"read": "TicketNo", "filter": "'Incident Number'"},
        "title": {"at": "Kurzbeschreibung", "filter": "'Description'"},
        "description": {"at": "Beschreibung", "filter": "no"},
        "state": {"at": "TicketStatus", "codes": "state", "filter": "'Status'"},
        "impact": {"at": "Auswirkung", "codes": "impact", "filter": "'Impact'"},
        "urgency": {"at": "Dringlichkeit", "codes": "urgency", "filter": "'Urgency'"},
        "priority": {"read": "Prioritaet", "codes": "priority", "filter": "'Priority'"},
        "channel": {"read": "Reported_Source", "codes": "channel", "filter": "'Reported Source'"},
        "category": {"at": "Kategorie_1", "filter": "'Categorization Tier 1'"},
        "subcategory": {"at": "Kategorie_2", "filter": "'Categorization Tier 2'"},
        "service": None,
        "ci": {"at": "CI_ReconID", "ref": "ci", "name": "CI_Name", "filter": "'HPD_CI_ReconID'"},
        "caller": {"read": "Kunde_Login", "ref": "person", "key": "Kunde_Login", "filter": "'Customer Login ID'"},
        "opened_by": None,
        "assignee": {
            "at": "Bearbeiter_Login", "ref": "person", "key": "Bearbeiter_Login", "filter": "'Assignee Login ID'",
        },
        "group": {"at": "Gruppe", "ref": "group", "key": "Gruppe", "filter": "'Assigned Group'"},
        "parent": None,
        "opened_at": {"read": "Eroeffnet", "filter": "'Reported Date'"},
        "created_at": {"read": "Angelegt", "filter": "'Submit Date'"},
        "updated_at": {"read": "Geaendert", "filter": "'Last Modified Date'"},
        "resolved_at": {"read": "Geloest", "filter": "'Last Resolved Date'"},
        "closed_at": {"read": "Geschlossen", "filter": "'Closed Date'"},
        "due_at": None,
        "close_notes": {"at": "Loesung", "filter": "no"},
        "reopen_count": None,
        "reassignment_count": None,
        "external_id": {"read": "Ext_Ref", "filter": "'External Reference'"},
        "updated_by": None,
        "version": {"read": "Geaendert", "filter": "no"},
    },
}  # fmt: skip


async def test_a_site_with_services_of_its_own_is_an_overlay(wsdls: Path, tmp_path: Path) -> None:
    for name, service in customised_services().items():
        (tmp_path / f"{name}.wsdl").write_bytes(render(service, "http://10.1.2.3:8080/arsys/services/ARService"))
    person = {
        "key": "Login",
        "id": "Personalnummer",
        "soap": {
            "wsdl": "XX_Person_WS.wsdl", "get": None,
            "list": {"operation": "PersonenSuchen", "keys": {"Personalnummer": "'Person ID'"}},
        },
        "fields": {
            "user_name": {"read": "Login", "filter": "'Remedy Login ID'"},
            "name": {"read": "Nachname", "filter": "'Last Name'"},
            "email": {"read": "EMail", "filter": "'Internet E-mail'"},
            "active": {"read": "ProfilStatus", "codes": "active", "filter": "no"},
            "location": {"read": "Standort", "filter": "'Site'"},
            "title": None, "department": None, "manager": None, "updated_at": None,
        },
    }  # fmt: skip
    ticket = {
        **TICKET,
        "soap": {**TICKET["soap"], "beside": {**TICKET["soap"]["beside"], "assignee": {"Bearbeiter": "Nachname"}}},
    }
    site = {
        "services": customised_services(),
        "settings": {"wsdl_folder": str(tmp_path)},
        "mapping": {"incident": ticket, "person": person, "change": None},  # the site publishes no changes
    }
    async with remedy(wsdls, **site) as (source, mock):
        record = (await source.get("incident", NUMBER)).record
        assert (record["number"], record["state"]) == (NUMBER, "in_progress")
        before = stored(mock)
        note = Effect("incident", "note", NUMBER, {}, "c", "[interlock c]", "Notiz [interlock c]", "public")
        await source.send(note, not_after=time.time() + 30)
        assert await source.probe(note) == [NUMBER]
        await update(source, state="resolved", close_code="fixed", close_notes="Neu installiert.")
        after = stored(mock)
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        assert changed <= {
            "Status", "Status_Reason", "Resolution", "Last Modified By", "Last Modified Date", "Last Resolved Date",
            "Responded Date",
        }  # fmt: skip
        assert after["Resolution"] == "Neu installiert."
