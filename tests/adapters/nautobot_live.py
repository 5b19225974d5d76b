"""The Nautobot adapter on a real server. One command: ``.ci/systems/nautobot``.

It makes what it needs (at least 1,000 virtual machines, once) and deletes what else it made.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from mock_servers.estate import Size, generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF
from mock_servers.estate.servicenow import tables
from mock_servers.remedy.from_estate import entries
from mock_servers.remedy.server import MockRemedy
from mock_servers.remedy.store import Store as RemedyStore
from mock_servers.servicenow import MockServiceNow
from mock_servers.servicenow import Store as SnowStore

from interlock.clock import SystemClock
from interlock.config import read_config
from interlock.gateway.runtime import open_runtime
from interlock.gateway.versions import merged_over
from interlock.principals.models import Agent, Scope
from interlock.quality.matching import keys_of
from interlock.quality.profile import Profile
from interlock.records.filters import AnyOf, Condition, Filter, Query, Sort, matches
from interlock.records.problems import Problem, Slug
from interlock.records.refs import Ref
from interlock.sources.answers import Effect
from interlock.sources.opening import open_sources
from interlock.sources.readback import reads_back
from interlock.sources.source import Source
from interlock.telemetry import silent_telemetry
from interlock.tools.catalogue import TOOL_SETS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.shared,
    pytest.mark.skipif("INTERLOCK_SHARED" not in os.environ, reason="INTERLOCK_SHARED names no folder of systems"),
    pytest.mark.skipif("INTERLOCK_NAUTOBOT_TOKEN" not in os.environ, reason="INTERLOCK_SHARED: no server was started"),
]
URL = os.environ.get("INTERLOCK_NAUTOBOT_URL", "http://127.0.0.1:8103")
TOKEN = os.environ.get("INTERLOCK_NAUTOBOT_TOKEN", "")
MANY = 1_000
MODELS = {
    "dcim.device": "dcim/devices",
    "virtualization.virtualmachine": "virtualization/virtual-machines",
    "ipam.service": "ipam/services",
    "dcim.softwareversion": "dcim/software-versions",
    "dcim.location": "dcim/locations",
}
NASTY = ["a&b=c", "x y+z", "100%", 'say "hi", it\'s', "Zürich-é", "a/b\\c", "null-ish", "-dash;semi", "{v}", "#hash?"]


class Server:
    """The server's own API, as an administrator uses it, and what was made through it."""

    def __init__(self) -> None:
        self.http = httpx.Client(
            base_url=f"{URL}/api", headers={"Authorization": f"Token {TOKEN}"}, timeout=300, limits=httpx.Limits()
        )
        self.made: list[str] = []

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self.http.get(f"/{path}/", params=params)
        answer.raise_for_status()
        return dict(answer.json())

    def post(self, path: str, body: Any) -> Any:
        answer = self.http.post(f"/{path}/", json=body)
        assert answer.status_code == 201, answer.text
        rows = answer.json()
        self.made += [f"/{path}/{row['id']}/" for row in (rows if isinstance(rows, list) else [rows])]
        return rows

    def patch(self, path: str, body: Any) -> None:
        answer = self.http.patch(f"/{path}/", json=body)
        assert answer.status_code == 200, answer.text

    def ensure(self, path: str, body: dict[str, Any], **by: Any) -> dict[str, Any]:
        found = self.get(path, **by)["results"]
        if found:
            return dict(found[0])
        answer = self.http.post(f"/{path}/", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def count(self, path: str, **by: Any) -> int:
        return int(self.get(path, limit=1, **by)["count"])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    field = next(row for row in made.get("extras/custom-fields", limit=0)["results"] if row["key"] == "ci_id")
    made.patch(f"extras/custom-fields/{field['id']}", {"content_types": list(MODELS)})
    made.ensure("virtualization/cluster-types", {"name": "KVM"}, name="KVM")
    made.ensure("virtualization/clusters", {"name": "Lab", "cluster_type": {"name": "KVM"}}, name="Lab")
    platform = made.ensure("dcim/platforms", {"name": "Debian"}, name="Debian")
    software = {"version": "12.1", "platform": {"id": platform["id"]}, "status": {"name": "Active"}}
    made.ensure("dcim/software-versions", software, version="12.1")
    missing = MANY - made.count("virtualization/virtual-machines", name__isw="load-")
    if missing > 0:
        rows = [vm(f"load-{uuid.uuid4().hex[:12]}") for _ in range(missing)]
        with ThreadPoolExecutor(2) as two:
            list(two.map(lambda part: made.post("virtualization/virtual-machines", part), (rows[::2], rows[1::2])))
        made.made.clear()  # kept: the next run needs as many
    yield made
    for address in reversed(made.made):
        made.http.delete(address)


def vm(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "cluster": {"name": "Lab"}, "status": {"name": "Active"}, **more}


def device(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "device_type": {"model": "R750"},
        "role": {"name": "Server"},
        "location": {"name": "DC1"},
        "status": {"name": "Active"},
        **more,
    }


def configured(**more: Any) -> dict[str, Any]:
    source = {
        "adapter": "nautobot",
        "environment": "test",
        "base_url": URL,
        "timeout_s": 120,
        "scan_limit": 100_000,
        "auth": {"api_key": {"header": "Authorization", "prefix": "Token ", "key": TOKEN}},
        "limits": {"per_second": None},
        "mapping": {
            "ci": {"parts": {"virtualization.virtualmachine": {"write": {"create": {"cluster": {"name": "Lab"}}}}}}
        },
        **more,
    }
    return {"sources": {"naut": source}}


async def opened(**more: Any) -> Source:
    config = read_config(configured(**more), Path.cwd())
    return (await open_sources(config, SystemClock(), silent_telemetry(SystemClock())))["naut"]


@pytest.fixture
async def source(server: Server) -> AsyncIterator[Source]:
    made = await opened()
    yield made
    await made.close()


async def everything(source: Source, *clauses: Any, limit: int = 1000, kind: str = "ci") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: Any = None
    while True:
        page = await source.search(kind, Query(filter=tuple(clauses), limit=limit), cursor=cursor)
        found += page.records
        cursor = page.cursor
        if cursor is None:
            return found


def key(record: dict[str, Any]) -> str:
    return Ref.parse(record["ref"]).key


def create(source: Source, changes: dict[str, Any], kind: str = "ci") -> Effect:
    return Effect(kind, "create", None, changes, f"live-{uuid.uuid4().hex}")


async def send(source: Source, effect: Effect) -> str:
    handle = await source.send(effect, not_after=SystemClock().now() + 120)
    assert handle is not None
    return handle


def remember(server: Server, handle: str, path: str | None = None) -> None:
    model, _, inner = handle.rpartition("/")
    server.made.append(f"/{path or MODELS[model]}/{inner}/")


# --- pages and questions --------------------------------------------------------------------------------


async def test_pages_over_a_thousand_objects_give_each_once(server: Server, source: Source) -> None:
    wanted = {
        f"naut:ci:{model}/{row['id']}" for model, path in MODELS.items() for row in server.get(path, limit=0)["results"]
    }
    total = sum(server.count(path) for path in MODELS.values())
    assert total > MANY
    refs = [record["ref"] for record in await everything(source, limit=300)]
    assert len(refs) == len(set(refs)) == total
    assert wanted <= set(refs)  # limit=0 gives at most a page of the largest size of each model


QUESTIONS: list[Filter] = [
    (Condition("cls", "eq", "virtual_machine"),),
    (Condition("cls", "in", ("server", "location", "software")),),
    (Condition("cls", "ne", "virtual_machine"),),
    (Condition("cls", "eq", "database"),),
    (Condition("status", "eq", "live"), Condition("name", "contains", "LOAD-1")),
    (Condition("status", "in", ("retired", "planned")),),  # several of its words do not exist in the instance
    (Condition("status", "ne", "live"),),
    (Condition("name", "starts", "load-f"),),
    (Condition("name", "eq", "WEB01"),),
    (Condition("serial", "empty"), Condition("cls", "eq", "server")),
    (Condition("serial", "contains", "s"),),
    (Condition("model", "eq", "r750"),),
    (Condition("vendor", "eq", "Dell"),),
    (Condition("location", "eq", "dc1"),),
    (Condition("os_version", "eq", "12.1"),),
    (Condition("external_id", "eq", "ci0001"),),
    (Condition("updated_at", "ge", "2026-11-24T00:00:00Z"),),
    (AnyOf((Condition("name", "eq", "web01"), Condition("serial", "eq", "S-LIVE"))),),
    (AnyOf((Condition("cls", "eq", "location"), Condition("name", "starts", "load-0"))),),
]


async def test_what_is_asked_and_checked_equals_a_scan_of_everything(server: Server, source: Source) -> None:
    server.post("dcim/devices", device(f"q-{uuid.uuid4().hex[:8]}", serial="S-LIVE"))
    all_of_it = await everything(source)
    edge = sorted(record["updated_at"] for record in all_of_it)[len(all_of_it) // 2]
    edges = [(Condition("updated_at", op, edge),) for op in ("gt", "ge", "lt", "le")]
    counts = []
    for question in [*QUESTIONS, *edges]:
        found = sorted(record["ref"] for record in await everything(source, *question))
        wanted = sorted(record["ref"] for record in all_of_it if matches(question, record))
        assert found == wanted, question
        counts.append(len(found))
    assert sum(count > 0 for count in counts) > 15


async def test_hostile_values_stay_values(server: Server, source: Source) -> None:
    mark = uuid.uuid4().hex[:6]
    names = [f"{mark} {name}" for name in NASTY]
    server.post("virtualization/virtual-machines", [vm(name) for name in names])
    for name in names:
        [found] = await everything(source, Condition("name", "eq", name))
        assert found["name"] == name
        assert [r["name"] for r in await everything(source, Condition("name", "contains", name[3:]))] == [name]
    found = await source.search("ci", Query(text=mark, limit=50))
    assert {record["name"] for record in found.records} >= set(names)


async def test_times_sort_over_all_models_and_names_in_one(source: Source) -> None:
    machines = (Condition("cls", "eq", "virtual_machine"),)
    for sort in (Sort("updated_at", True), Sort("name"), Sort("created_at")):
        query = Query(filter=machines, sort=(sort,), limit=60)
        first = await source.search("ci", query)
        more = await source.search("ci", query, cursor=first.cursor)
        values = [record[sort.field] for record in (*first.records, *more.records)]
        assert values == sorted(values, reverse=sort.descending)
        assert len({record["ref"] for record in (*first.records, *more.records)}) == 120
    timed = Query(sort=(Sort("updated_at", True),), limit=400)
    cursor, found = None, []
    while True:
        page = await source.search("ci", timed, cursor=cursor)
        found += page.records
        cursor = page.cursor
        if cursor is None:
            break
    moments = [record["updated_at"] for record in found]
    assert moments == sorted(moments, reverse=True)
    assert len({record["ref"] for record in found}) == len(found) > MANY
    unsorted = await source.search("ci", Query(sort=(Sort("name"),), limit=5))
    assert any("Not sorted by name" in warning for warning in unsorted.warnings)


async def test_every_model_is_read_as_a_ci(server: Server, source: Source) -> None:
    [web] = await everything(source, Condition("name", "eq", "web01"))
    again = (await source.get("ci", key(web))).record
    assert again == web
    assert (web["cls"], web["status"], web["model"], web["vendor"], web["location"]) == (
        "server", "live", "R750", "Dell", "DC1",
    )  # fmt: skip
    assert web["external_id"] == "CI0001"
    assert web["url"] == f"{URL}/dcim/devices/{key(web).rpartition('/')[2]}/"
    service = server.post(
        "ipam/services",
        {"name": "https", "device": key(web).rpartition("/")[2], "protocol": "tcp", "ports": [443]},
    )
    found = (await source.get("ci", f"ipam.service/{service['id']}")).record
    assert (found["cls"], found["name"], found["category"]) == ("service", "https", "tcp")
    [software] = await everything(source, Condition("cls", "eq", "software"), Condition("os_version", "eq", "12.1"))
    assert (software["name"], software["os"]) == ("Debian - 12.1", "Debian")
    [place] = await everything(source, Condition("cls", "eq", "location"), Condition("name", "eq", "DC1"))
    assert place["status"] == "live"


async def test_choices_are_those_of_the_instance(source: Source) -> None:
    statuses = {choice.value: choice.canonical for choice in await source.choices("ci", "status")}
    assert statuses["Active"] == "live"
    assert len(statuses) > 5
    assert {choice.value for choice in await source.choices("ci", "cls")} >= {"Server"}
    with pytest.raises(Problem) as told:
        await source.choices("ci", "name")
    assert told.value.slug is Slug.UNSUPPORTED


# --- relations ------------------------------------------------------------------------------------------


async def test_relations_both_ways(server: Server, source: Source) -> None:
    mark = uuid.uuid4().hex[:6]
    app, db, disk = server.post("dcim/devices", [device(f"{mark}-{name}") for name in ("app", "db", "disk")])
    refs = {row["id"]: f"naut:ci:dcim.device/{row['id']}" for row in (app, db, disk)}
    for one, other in ((app, db), (db, disk)):
        effect = create(
            source, {"type": "depends_on", "subject": refs[one["id"]], "object": refs[other["id"]]}, "relationship"
        )
        handle = await send(source, effect)
        remember(server, handle, "extras/relationship-associations")
        read = (await source.get("relationship", handle)).record
        assert read["subject"]["ref"] == refs[one["id"]]
    here = refs[db["id"]]
    needs, needed_by = Condition("subject", "eq", here), Condition("object", "eq", here)

    async def ends(clause: Any) -> set[tuple[str, str, str]]:
        return {
            (row["subject"]["ref"], row["type"], row["object"]["ref"])
            for row in await everything(source, clause, kind="relationship")
        }

    below = (here, "depends_on", refs[disk["id"]])
    above = (refs[app["id"]], "depends_on", here)
    assert await ends(needs) == {below}
    assert await ends(needed_by) == {above}
    assert await ends(AnyOf((needs, needed_by))) == {above, below}
    typed = (AnyOf((needs, needed_by)), Condition("type", "eq", "depends_on"))
    assert len(await everything(source, *typed, kind="relationship", limit=1)) == 2
    assert await everything(source, needs, Condition("type", "eq", "manages"), kind="relationship") == []
    page = await source.search("relationship", Query(filter=(AnyOf((needs, needed_by)),), limit=20))
    assert not page.truncated


# --- writes ---------------------------------------------------------------------------------------------


async def test_create_is_read_back_found_by_its_key_and_never_twice(server: Server, source: Source) -> None:
    for changes in (
        {"name": "c1", "cls": "server", "status": "planned", "model": "R750", "vendor": "Dell", "location": "DC1",
         "serial": "X 1&2", "asset_tag": None},
        {"name": f"c2-{uuid.uuid4().hex[:6]}", "cls": "virtual_machine", "status": "live"},
    ):  # fmt: skip
        effect = create(source, changes)
        assert await source.probe(effect) == []
        handle = await send(source, effect)
        remember(server, handle)
        assert await source.probe(effect) == [handle]
        record = (await source.get("ci", f"~{handle}")).record
        assert key(record) == handle
        assert record["external_id"] == effect.correlation
        assert reads_back(source.norm("ci", changes), record, source._cache) == []


async def test_a_refused_create_names_what_is_missing(source: Source) -> None:
    cases: list[tuple[dict[str, Any], Slug, str]] = [
        ({"name": "x", "cls": "server"}, Slug.SOURCE_REJECTED, "device_type"),
        ({"name": "x", "cls": "server", "status": "live", "model": "R750", "location": "Atlantis"},
         Slug.SOURCE_REJECTED, "location"),
        ({"name": "x", "cls": "mainframe"}, Slug.INVALID_ARGUMENT, "mainframe"),
        ({"name": "x"}, Slug.INVALID_ARGUMENT, "cls"),
        ({"name": "x", "cls": "virtual_machine", "status": "ordered"}, Slug.UNMAPPED_VALUE, "ordered"),
    ]  # fmt: skip
    for changes, slug, word in cases:
        effect = create(source, changes)
        with pytest.raises(Problem) as told:
            await source.send(effect, not_after=SystemClock().now() + 60)
        assert told.value.slug is slug, told.value.body()
        assert word in str(told.value.body())
        assert told.value.reached in ("no", "yes")
        assert await source.probe(effect) == []


async def test_a_key_that_the_instance_would_drop_stops_the_create_before_it_is_sent(
    server: Server, source: Source
) -> None:
    overlay = {"ci": {"fields": {"external_id": {"create": "custom_fields.gone", "filter": {"eq": "cf_gone__ie"}}}}}
    other = await opened(mapping=overlay)
    before = server.count("dcim/devices")
    changes = {"name": "k1", "cls": "server", "status": "live", "model": "R750", "location": "DC1"}
    with pytest.raises(Problem) as told:
        await other.send(create(other, changes), not_after=SystemClock().now() + 60)
    await other.close()
    assert (told.value.slug, told.value.reached) == (Slug.UNSUPPORTED, "no")
    assert "custom field" in (told.value.next_step or "")
    assert server.count("dcim/devices") == before


async def test_update_reads_back_and_moves_the_version(server: Server, source: Source) -> None:
    row = server.post("dcim/devices", device(f"u-{uuid.uuid4().hex[:6]}"))
    handle = f"dcim.device/{row['id']}"
    before = (await source.get("ci", handle)).record
    changes = {"status": "retired", "serial": "N-1", "cls": "network_device"}
    role = server.ensure("extras/roles", {"name": "Switch", "content_types": ["dcim.device"]}, name="Switch")
    assert role
    gone = server.ensure("extras/statuses", {"name": "Retired", "content_types": ["dcim.device"]}, name="Retired")
    if "dcim.device" not in gone["content_types"]:
        server.patch(f"extras/statuses/{gone['id']}", {"content_types": [*gone["content_types"], "dcim.device"]})
    effect = Effect("ci", "update", handle, changes, "live")
    assert await source.probe(effect) == []
    assert await send(source, effect) == handle
    assert await source.probe(effect) == [handle]
    after = (await source.get("ci", handle)).record
    assert {name: after[name] for name in changes} == changes
    assert after["version"] != before["version"]
    await send(source, Effect("ci", "update", handle, {"serial": None}, "live"))
    assert (await source.get("ci", handle)).record["serial"] is None


async def test_an_update_over_anothers_change_is_a_conflict(server: Server, source: Source) -> None:
    row = server.post("dcim/devices", device(f"v-{uuid.uuid4().hex[:6]}", serial="one"))
    handle = f"dcim.device/{row['id']}"
    seen = (await source.get("ci", handle)).record
    server.patch(f"dcim/devices/{row['id']}", {"serial": "two"})
    current = (await source.get("ci", handle)).record
    with pytest.raises(Problem) as told:
        merged_over(seen["version"], current, seen, {"serial": "three"}, ())
    assert told.value.slug is Slug.VERSION_CONFLICT
    assert told.value.more["difference"]["serial"] == {"base": "one", "current": "two", "asked": "three"}
    assert merged_over(seen["version"], current, seen, {"name": "n"}, ()) == ["serial"]


async def test_an_update_of_what_the_model_does_not_have_is_refused_before_it_is_sent(
    server: Server, source: Source
) -> None:
    machine = server.post("virtualization/virtual-machines", vm(f"w-{uuid.uuid4().hex[:6]}"))
    effect = Effect("ci", "update", f"virtualization.virtualmachine/{machine['id']}", {"serial": "1"}, "live")
    with pytest.raises(Problem) as told:
        await source.send(effect, not_after=SystemClock().now() + 60)
    assert (told.value.slug, told.value.field, told.value.reached) == (Slug.INVALID_ARGUMENT, "serial", "no")


# --- failures -------------------------------------------------------------------------------------------


async def test_a_wrong_token_is_told_as_such(server: Server) -> None:
    wrong = {"api_key": {"header": "Authorization", "prefix": "Token ", "key": "0" * 40}}
    for auth in (wrong, {}):
        source = await opened(auth=auth)
        with pytest.raises(Problem) as told:
            await source.search("ci", Query(limit=1))
        effect = create(source, {"name": "x", "cls": "virtual_machine", "status": "live"})
        with pytest.raises(Problem) as refused:
            await source.send(effect, not_after=SystemClock().now() + 60)
        await source.close()
        assert (told.value.slug, told.value.reached) == (Slug.SOURCE_DENIED, "no")
        assert (refused.value.slug, refused.value.reached) == (Slug.SOURCE_DENIED, "no")
        assert told.value.native_code == "403"
        assert "token" in (told.value.next_step or "").lower()
        assert "0" * 40 not in str(told.value.body())


async def test_an_unknown_filter_is_named_and_finds_nothing_by_accident(server: Server) -> None:
    source = await opened(mapping={"ci": {"fields": {"name": {"at": "name", "filter": {"eq": "nosuch"}}}}})
    with pytest.raises(Problem) as told:
        await source.search("ci", Query(filter=(Condition("name", "eq", "web01"),), limit=5))
    await source.close()
    assert told.value.slug is Slug.UNSUPPORTED
    assert "nosuch: Unknown filter field" in (told.value.native_message or "")


async def test_what_is_not_there_is_not_found(source: Source) -> None:
    for wrong in (f"dcim.device/{uuid.uuid4()}", "dcim.device/x", f"dcim.rack/{uuid.uuid4()}", "web01", "dcim.device/"):
        with pytest.raises(Problem) as told:
            await source.get("ci", wrong)
        assert told.value.slug is Slug.NOT_FOUND, wrong


# --- through a whole gateway ----------------------------------------------------------------------------


async def test_an_agent_makes_relates_weighs_and_changes_cis(server: Server, source: Source, tmp_path: Path) -> None:
    """Receipts that were read back, impact by distance, and a conflict that is told before a byte is sent."""
    mark = uuid.uuid4().hex[:6]
    config = read_config({**configured(), "state": str(tmp_path / "state")}, tmp_path)
    scopes = {kind: Scope() for kind in ("ci", "relationship")}
    bot = Agent("bot", "olga", "Live.", frozenset(TOOL_SETS["cmdb-steward"]), scopes, stage="autonomous")
    async with open_runtime(config, silent_telemetry(SystemClock())) as runtime:

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            return (await runtime.pipeline.handle(bot, tool, arguments)).body

        made = {"status": "live", "model": "R750", "vendor": "Dell", "location": "DC1", "cls": "server"}
        refs = {}
        for name in ("db", "app", "shop"):
            body = await call("ci_create", name=f"{mark}-{name}", **made)
            assert body["receipt"]["outcome"] == "applied", body
            refs[name] = body["receipt"]["ref"]
            remember(server, Ref.parse(refs[name]).key)
        # Nautobot does not say when a device was seen: what cannot be checked is held, and a person decides.
        held = await call("ci_relate", subject=refs["app"], type="depends_on", object=refs["db"])
        assert held["receipt"]["outcome"] == "held", held
        assert {"unchecked", "CI-MISS-REQ"} == {reason["code"] for reason in held["receipt"]["reasons"]}
        for above, below in (("app", "db"), ("shop", "app")):
            effect = create(
                source, {"type": "depends_on", "subject": refs[above], "object": refs[below]}, "relationship"
            )
            remember(server, await send(source, effect), "extras/relationship-associations")

        found = await call("ci_impact", ref=refs["db"])
        assert [(node["ref"], node["distance"], node["via"]) for node in found["data"]["nodes"]] == [
            (refs["app"], 1, []),
            (refs["shop"], 2, [refs["app"]]),
        ]
        assert (found["data"]["complete"], found["data"]["sources"]) == (True, ["naut"])
        assert (await call("ci_impact", ref=refs["shop"]))["data"]["nodes"] == []

        seen = (await call("ci_get", ref=refs["app"]))["data"]
        inner = Ref.parse(refs["app"]).key.rpartition("/")[2]
        server.patch(f"dcim/devices/{inner}", {"serial": "theirs"})
        body = await call("ci_update", ref=refs["app"], changes={"serial": "ours"}, expected_version=seen["version"])
        assert (body["slug"], body["difference"]["serial"]["current"]) == ("version-conflict", "theirs")
        assert (await call("ci_get", ref=refs["app"]))["data"]["serial"] == "theirs"


async def test_what_must_be_unique_is_refused_by_the_server_and_told_as_such(server: Server, source: Source) -> None:
    """Nautobot keeps asset tags unique and answers a second one with 400: nothing was made, and the field is named."""
    tag = f"P{uuid.uuid4().hex[:8]}"
    server.post("dcim/devices", device(f"a-{tag}", asset_tag=tag))
    before = server.count("dcim/devices")
    changes = {"name": f"b-{tag}", "cls": "server", "status": "live", "model": "R750", "location": "DC1"}
    effect = create(source, {**changes, "asset_tag": tag})
    with pytest.raises(Problem) as told:
        await send(source, effect)
    assert (told.value.slug, told.value.native_code, told.value.reached) == (Slug.SOURCE_REJECTED, "400", "yes")
    assert "asset_tag" in (told.value.native_message or "")
    assert server.count("dcim/devices") == before
    assert await source.probe(effect) == []


async def test_impact_crosses_from_two_other_products(server: Server, tmp_path: Path) -> None:
    """The same server in ServiceNow, Remedy (both mocks) and Nautobot, which alone knows what depends on it."""
    estate = generate(11, Size.of(300), DEFAULT_AS_OF)
    here, there = SnowStore(), RemedyStore()
    here.load(tables(estate))
    there.load(entries(estate))
    # One that nothing depends on in the mocks, so that what is found comes from Nautobot.
    touched = {end for relation in estate.relations for end in (relation.object, relation.subject)}
    junk = frozenset(Profile.default().ci.junk)
    twin = next(
        ci for ci in estate.cis if ci.id not in touched and ci.mac and "serial" in keys_of({"serial": ci.serial}, junk)
    )
    mark = uuid.uuid4().hex[:6]
    rows = [device(f"{mark}-base", serial=twin.serial.lower()), device(f"{mark}-app"), device(f"{mark}-shop")]
    refs = [f"naut:ci:dcim.device/{row['id']}" for row in server.post("dcim/devices", rows)]
    snow = MockServiceNow(here)
    with snow.in_thread():
        async with MockRemedy(there) as remedy:
            body = configured()
            body["sources"]["snow"] = {
                "adapter": "servicenow",
                "environment": "test",
                "base_url": snow.url,
                "auth": {"basic": {"username": "admin", "password": "admin"}},
            }
            body["sources"]["rem"] = {
                "adapter": "remedy",
                "environment": "test",
                "base_url": remedy.url,
                "auth": {"basic": {"username": "integration", "password": "integration"}},
                "settings": {"server": "arserver"},
            }
            config = read_config({**body, "state": str(tmp_path / "state")}, tmp_path)
            scopes = {kind: Scope() for kind in ("ci", "relationship")}
            bot = Agent("bot", "olga", "Live.", frozenset(TOOL_SETS["cmdb-steward"]), scopes, stage="autonomous")
            async with open_runtime(config, silent_telemetry(SystemClock())) as runtime:
                for above, below in ((refs[1], refs[0]), (refs[2], refs[1])):
                    changes = {"type": "depends_on", "subject": above, "object": below}
                    naut = runtime.sources["naut"]
                    handle = await send(naut, create(naut, changes, "relationship"))
                    remember(server, handle, "extras/relationship-associations")
                reply = await runtime.pipeline.handle(bot, "ci_get", {"ref": f"snow:ci:{twin.id}"})
                same = {each["ref"].partition(":")[0]: each for each in reply.body["data"]["same_as"]}
                assert same.keys() == {"rem", "naut"}, reply.body["warnings"]
                assert (same["naut"]["ref"], same["naut"]["by"][0], same["naut"]["same"]) == (refs[0], "serial", True)
                for start in (f"snow:ci:{twin.id}", same["rem"]["ref"]):
                    found = (await runtime.pipeline.handle(bot, "ci_impact", {"ref": start})).body
                    assert [(node["ref"], node["distance"], node["via"]) for node in found["data"]["nodes"]] == [
                        (refs[1], 1, []),
                        (refs[2], 2, [refs[1]]),
                    ], found["warnings"]
                    assert (found["data"]["complete"], set(found["data"]["sources"])) == (True, {"snow", "rem", "naut"})
