"""The Nautobot adapter on answers as Nautobot 3.2.7 gives them; the real server is asked by nautobot_live.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest
import respx
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from interlock.adapterkit.auth import ApiKey
from interlock.adapterkit.loader import open_adapter
from interlock.adapterkit.native import NativeWrite
from interlock.adapterkit.product import Product, compile_product
from interlock.adapterkit.rest import encoded
from interlock.adapterkit.retry import Retries
from interlock.adapterkit.session import open_session
from interlock.clock import ManualClock
from interlock.config import SourceConfig
from interlock.places import place
from interlock.records.filters import AnyOf, Condition, Query, Sort
from interlock.records.problems import Problem, Slug
from interlock.sources.answers import Effect
from interlock.sources.source import Facts, Source
from interlock.telemetry import silent_telemetry

BASE = "https://cmdb.example"
FOLDER = place("adapters") / "nautobot"
ONE, TWO, THREE = (f"{n}0000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
DEVICES, MACHINES = "/api/dcim/devices/", "/api/virtualization/virtual-machines/"
LINKS = "/api/extras/relationship-associations/"
DEVICE = {
    "id": ONE,
    "object_type": "dcim.device",
    "display": "web01",
    "url": f"{BASE}{DEVICES}{ONE}/",
    "name": "web01",
    "serial": "",
    "asset_tag": None,
    "device_type": {"id": TWO, "model": "R750", "manufacturer": {"id": TWO, "name": "Dell"}},
    "status": {"id": TWO, "object_type": "extras.status", "name": "Active"},
    "role": {"id": TWO, "object_type": "extras.role", "name": "Server"},
    "location": {"id": TWO, "object_type": "dcim.location", "name": "DC1"},
    "platform": None,
    "primary_ip4": {"id": TWO, "address": "10.0.0.5/24", "host": "10.0.0.5", "mask_length": 24},
    "software_version": None,
    "created": "2026-11-22T11:16:22.765694Z",
    "last_updated": "2026-11-22T11:16:22.765715Z",
    "custom_fields": {"ci_id": "CI0001"},
    "tags": [],
}
MACHINE = {
    "id": TWO,
    "object_type": "virtualization.virtualmachine",
    "name": "vm1",
    "status": {"name": "Kaputt"},
    "role": None,
    "platform": {"name": "Debian"},
    "last_updated": "2026-11-22T11:16:22Z",
    "custom_fields": {"ci_id": None},
}
LINK = {
    "id": THREE,
    "object_type": "extras.relationshipassociation",
    "relationship": {"id": TWO, "key": "depends_on", "label": "Depends on"},
    "source_type": "dcim.device",
    "source_id": ONE,
    "destination_type": "virtualization.virtualmachine",
    "destination_id": TWO,
    "last_updated": "2026-11-22T11:16:22Z",
}


def product(**more: Any) -> Product:
    return compile_product(FOLDER, source="naut", settings={"base_url": BASE}, **more)


PRODUCT = product()
CI = PRODUCT.mappings["ci"]


def adapter(made: Product = PRODUCT) -> Any:
    clock = ManualClock(1000.0)
    session = open_session(
        BASE, clock, auth=ApiKey("Authorization", SecretStr("hush"), "Token "), transport="httpx"
    )  # fmt: skip
    found: Any = open_adapter(FOLDER, made, session, {}, clock)
    found.retries = Retries(deadline_s=0.01)
    return found


def listed(rows: list[dict[str, Any]], following: str | None = None, count: int | None = None) -> httpx.Response:
    found = {"count": len(rows) if count is None else count, "next": following, "previous": None, "results": rows}
    return httpx.Response(200, json=found)


def no_such(**words: str) -> httpx.Response:
    said = {
        name: [f"Select a valid choice. {word} is not one of the available choices."] for name, word in words.items()
    }
    return httpx.Response(400, json=said)


@pytest.fixture
def wire() -> Iterator[respx.Router]:
    with respx.mock(assert_all_called=False) as router:
        yield router


def answer(wire: respx.Router, path: str, *answers: Any, method: str = "GET") -> respx.Route:
    made = list(answers)
    reply: Callable[[httpx.Request], httpx.Response] | None = made[0] if callable(made[0]) else None
    route = wire.route(method=method, path=path)
    return route.mock(side_effect=reply or made)


def empty_parts(wire: respx.Router) -> None:
    for path in ("ipam/services", "dcim/software-versions", "dcim/locations"):
        answer(wire, f"/api/{path}/", lambda request: listed([]))


def asked(route: respx.Route, index: int = -1) -> dict[str, list[str]]:
    return parse_qs(urlsplit(str(route.calls[index].request.url)).query, keep_blank_values=True)


async def all_of(made: Any, kind: str, query: Query, limit: int = 10) -> list[str]:
    plan, found, cursor = made.product.mappings[kind].plan(query), [], None
    for _ in range(40):
        page = await made.page(kind, plan, cursor, limit)
        found += [row["id"] for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError("no end")


# --- reads ----------------------------------------------------------------------------------------------


async def test_a_device_is_a_ci(wire: respx.Router) -> None:
    route = answer(wire, f"{DEVICES}{ONE}/", httpx.Response(200, json=DEVICE))
    row = await adapter().read("ci", f"dcim.device/{ONE}", (), by_handle=True)
    assert CI.decode(row) == {
        "ref": f"naut:ci:dcim.device/{ONE}",
        "name": "web01",
        "native_class": "dcim.device",
        "cls": "server",
        "category": "Server",
        "status": "live",
        "serial": None,
        "asset_tag": None,
        "model": "R750",
        "vendor": "Dell",
        "location": "DC1",
        "os": None,
        "os_version": None,
        "ip": "10.0.0.5",
        "created_at": "2026-11-22T11:16:22Z",
        "updated_at": "2026-11-22T11:16:22Z",
        "external_id": "CI0001",
        "version": "2026-11-22T11:16:22.765715Z",
        "url": f"{BASE}/dcim/devices/{ONE}/",
    }
    assert asked(route) == {"depth": ["2"]}
    assert route.calls[0].request.headers["authorization"] == "Token hush"


def test_words_of_an_instance_that_no_table_has_are_kept() -> None:
    record = CI.decode(MACHINE)
    assert (record["cls"], record["status"], record["native"]) == ("virtual_machine", "unmapped", {"status": "Kaputt"})


async def test_a_handle_that_cannot_be_is_not_asked_for(wire: respx.Router) -> None:
    for handle in ("web01", "dcim.device/x", f"dcim.rack/{ONE}", f"dcim.device/{ONE}/../{TWO}", f"dcim.device/{ONE}?"):
        with pytest.raises(Problem) as told:
            await adapter().read("ci", handle, (), by_handle=True)
        assert told.value.slug is Slug.NOT_FOUND
    assert not wire.calls


async def test_another_record_than_asked_for_is_a_fault(wire: respx.Router) -> None:
    answer(wire, f"{DEVICES}{TWO}/", httpx.Response(200, json=DEVICE))
    with pytest.raises(Problem) as told:
        await adapter().read("ci", f"dcim.device/{TWO}", (), by_handle=True)
    assert told.value.slug is Slug.SOURCE_FAULT


async def test_pages_go_through_every_model_and_by_the_rows_that_came(wire: respx.Router) -> None:
    def capped(request: httpx.Request) -> httpx.Response:  # an instance whose largest page is two rows
        skip = int(parse_qs(request.url.query.decode())["offset"][0])
        rows = [{**DEVICE, "id": f"d{n}"} for n in range(5)][skip : skip + 2]
        return listed(rows, f"{BASE}{DEVICES}?offset={skip + 2}" if skip + 2 < 5 else None, 5)

    devices = answer(wire, DEVICES, capped)
    answer(wire, MACHINES, listed([MACHINE]))
    empty_parts(wire)
    assert await all_of(adapter(), "ci", Query(), limit=4) == ["d0", "d1", "d2", "d3", "d4", TWO]
    assert [asked(devices, n)["offset"] for n in range(3)] == [["0"], ["2"], ["4"]]
    assert asked(devices)["sort"] == ["created,id"]


async def test_a_page_that_does_not_lead_on(wire: respx.Router) -> None:
    answer(wire, DEVICES, listed([], f"{BASE}{DEVICES}?offset=0"))
    plan = CI.plan(Query(filter=(Condition("cls", "eq", "server"),)))
    with pytest.raises(Problem) as told:
        await adapter().page("ci", plan, None, 10)
    assert told.value.slug is Slug.SOURCE_FAULT
    for cursor in ({"branch": 7, "skip": 0}, {"branch": 0, "skip": -1}):
        with pytest.raises(Problem) as told:
            await adapter().page("ci", plan, cursor, 10)
        assert told.value.slug is Slug.INVALID_ARGUMENT


async def test_words_that_the_instance_does_not_know_are_taken_out(wire: respx.Router) -> None:
    def known(request: httpx.Request) -> httpx.Response:
        given = parse_qs(request.url.query.decode())
        for word in given.get("status", []):
            if word != "Retired":
                return no_such(status=word)
        return listed([DEVICE])

    devices = answer(wire, DEVICES, known)
    machines = answer(wire, MACHINES, lambda request: no_such(status=parse_qs(request.url.query.decode())["status"][0]))
    empty_parts(wire)
    retired = Query(filter=(Condition("status", "eq", "retired"),))
    assert await all_of(adapter(), "ci", retired) == [ONE]
    assert asked(devices)["status"] == ["Retired"]
    assert len(machines.calls) == 5  # one word after the other, then nothing can match
    assert len(CI.spec.fields["status"].codes.asks["retired"]) == 5  # type: ignore[union-attr]


async def test_other_refusals_of_a_query_are_problems(wire: respx.Router) -> None:
    plan = CI.plan(Query(filter=(Condition("cls", "eq", "server"),)))
    for refusal, slug, said in [
        (httpx.Response(400, json={"role": ["Unknown filter field"]}), Slug.UNSUPPORTED, "role"),
        (no_such(name__ie="Server"), Slug.SOURCE_REJECTED, "name__ie"),
        (no_such(role="Another"), Slug.SOURCE_REJECTED, "Another"),
        (httpx.Response(400, json=[{"role": ["x"]}]), Slug.SOURCE_REJECTED, "role: x"),
        (httpx.Response(400, json={"__all__": ["a", "b"]}), Slug.SOURCE_REJECTED, "a b"),
        (httpx.Response(404, json={"detail": "No Device matches the given query."}), Slug.NOT_FOUND, "No Device"),
        (httpx.Response(500, json={"error": "boom", "exception": "ValueError"}), Slug.SOURCE_FAULT, "boom"),
        (httpx.Response(200, json={"results": 3}), Slug.SOURCE_FAULT, None),
        (httpx.Response(200, html="<html>login</html>"), Slug.SOURCE_DENIED, None),
    ]:
        answer(wire, DEVICES, lambda request, refusal=refusal: refusal)
        with pytest.raises(Problem) as told:
            await adapter().page("ci", plan, None, 10)
        assert told.value.slug is slug
        assert said is None or said in (told.value.native_message or "")
        assert "hush" not in str(told.value.body())


async def test_a_wrong_token_is_a_403_and_so_are_missing_rights(wire: respx.Router) -> None:
    for detail, reached, word in [
        ("Invalid token", "no", "token"),
        ("Authentication credentials were not provided.", "no", "token"),
        ("You do not have permission to perform this action.", "yes", "rights"),
    ]:
        answer(wire, f"{DEVICES}{ONE}/", lambda request, detail=detail: httpx.Response(403, json={"detail": detail}))
        with pytest.raises(Problem) as told:
            await adapter().read("ci", f"dcim.device/{ONE}", (), by_handle=True)
        assert (told.value.slug, told.value.reached) == (Slug.SOURCE_DENIED, reached)
        assert word in (told.value.next_step or "")


async def test_an_address_that_is_too_long_is_refused_before_it_is_sent(wire: respx.Router) -> None:
    values = tuple(f"serial-{n:040}" for n in range(100))
    plan = CI.plan(Query(filter=(Condition("serial", "in", values),)))
    with pytest.raises(Problem) as told:
        await adapter().page("ci", plan, None, 10)
    assert (told.value.slug, told.value.field) == (Slug.INVALID_ARGUMENT, "filter")
    assert not wire.calls


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
@pytest.mark.parametrize("down", [True, False])
@pytest.mark.parametrize("cap", [2, 1000])
async def test_models_are_merged_by_time(wire: respx.Router, limit: int, down: bool, cap: int) -> None:
    moments = {
        "dcim/devices": ["dcim.device", 10, 20, 20, 50],
        "virtualization/virtual-machines": ["virtualization.virtualmachine", 5, 20, 30, None],
        "ipam/services": ["ipam.service"],
        "dcim/software-versions": ["dcim.softwareversion", 51],
        "dcim/locations": ["dcim.location", 1, 2, 3, 4, 5],
    }
    for path, (model, *seconds) in moments.items():
        rows = [
            {"id": f"{model}-{n}", "object_type": model, "last_updated": s and f"2026-11-22T11:16:{s:02}.5Z"}
            for n, s in enumerate(seconds)
        ]
        rows.sort(key=lambda row: (row["last_updated"] is None, row["last_updated"] or ""), reverse=down)

        def paged(request: httpx.Request, rows: list[dict[str, Any]] = rows) -> httpx.Response:
            given = parse_qs(request.url.query.decode())
            assert given["sort"] == ["-last_updated,id" if down else "last_updated,id"]
            skip, size = int(given["offset"][0]), min(cap, int(given["limit"][0]))
            return listed(rows[skip : skip + size], "more" if skip + size < len(rows) else None, len(rows))

        answer(wire, f"/api/{path}/", paged)
    found = await all_of(adapter(), "ci", Query(sort=(Sort("updated_at", down),)), limit)
    told = {f"{model}-{n}": s for model, *seconds in moments.values() for n, s in enumerate(seconds)}
    assert sorted(found) == sorted(told)
    values = [(told[each] is None, told[each] or 0) for each in found]
    assert values == sorted(values, reverse=down)


async def test_a_cursor_of_another_search_is_refused(wire: respx.Router) -> None:
    plan = CI.plan(Query(sort=(Sort("updated_at"),)))
    for cursor in ({"skips": [0]}, {"skips": [0, 0, -1, 0, 0]}):
        with pytest.raises(Problem) as told:
            await adapter().page("ci", plan, cursor, 10)
        assert told.value.slug is Slug.INVALID_ARGUMENT


async def test_only_one_model_is_sorted(wire: respx.Router) -> None:
    devices = answer(wire, DEVICES, lambda request: listed([DEVICE]))
    query = Query(filter=(Condition("serial", "contains", "x"),), sort=(Sort("updated_at", True), Sort("name")))
    await all_of(adapter(), "ci", query)
    assert asked(devices)["sort"] == ["-last_updated,name,id"]
    assert asked(devices)["serial__ic"] == ["x"]


@settings(max_examples=300, deadline=None)
@given(value=st.text(max_size=20) | st.sampled_from(["a&role=x", "null", "x&limit=0", "%26", "a+b", " ", "#", "?"]))
def test_a_hostile_value_is_one_parameter_or_not_sent(value: str) -> None:
    for name, parameter in (("serial", "serial__ie"), ("external_id", "cf_ci_id__ie")):
        clause = Condition(name, "eq", value)
        plan = CI.plan(Query(filter=(clause, Condition("cls", "eq", "server"))))
        for branch in plan.branches:
            read = parse_qs(
                encoded({**branch.pushed, "limit": "10"}), keep_blank_values=True, strict_parsing=True, errors="strict"
            )
            assert set(read) <= {parameter, "role", "limit"}
            assert read["limit"] == ["10"]
            assert read.get(parameter, [value]) == [value]
            assert parameter in read or clause in plan.post
            assert read.get(parameter, [""])[0].lower() != "null"


# --- relations ------------------------------------------------------------------------------------------


async def test_relations_are_asked_from_either_end_and_given_once(wire: respx.Router) -> None:
    here = f"naut:ci:dcim.device/{ONE}"
    itself = {**LINK, "id": TWO, "destination_type": "dcim.device", "destination_id": ONE}

    def ends(request: httpx.Request) -> httpx.Response:
        given = parse_qs(request.url.query.decode())
        rows = [LINK, itself] if given.get("source_id") == [ONE] else [itself]
        assert ("source_id" in given) != ("destination_id" in given)
        return listed(rows)

    route = answer(wire, LINKS, ends)
    either = AnyOf((Condition("subject", "eq", here), Condition("object", "eq", here)))
    assert await all_of(adapter(), "relationship", Query(filter=(either,))) == [THREE, TWO]
    assert len(route.calls) == 2
    assert PRODUCT.mappings["relationship"].decode(LINK) == {
        "ref": f"naut:relationship:{THREE}",
        "type": "depends_on",
        "native_type": "Depends on",
        "subject": {"ref": here, "name": None},
        "object": {"ref": f"naut:ci:virtualization.virtualmachine/{TWO}", "name": None},
        "updated_at": "2026-11-22T11:16:22Z",
        "version": "2026-11-22T11:16:22Z",
    }


async def test_a_relation_is_made_without_our_key(wire: respx.Router) -> None:
    mapping = PRODUCT.mappings["relationship"]
    changes = {"type": "depends_on", "subject": f"naut:ci:dcim.device/{ONE}", "object": f"naut:ci:dcim.device/{TWO}"}
    route = answer(wire, LINKS, httpx.Response(201, json=LINK), method="POST")
    written = await adapter().write(
        NativeWrite("relationship", "create", None, mapping.encode(changes, "create"), "k" * 20)
    )
    assert written.handle == THREE
    assert orjson.loads(route.calls[0].request.content) == {
        "relationship": {"key": "depends_on"},
        "source_type": "dcim.device",
        "source_id": ONE,
        "destination_type": "dcim.device",
        "destination_id": TWO,
    }
    with pytest.raises(Problem) as told:
        await adapter().find_written("relationship", "k" * 20)
    assert told.value.slug is Slug.UNSUPPORTED


async def test_a_lost_relation_is_found_by_what_it_joins(wire: respx.Router) -> None:
    clock, manifest = ManualClock(1000.0), PRODUCT.manifest
    facts = Facts("naut", "nautobot", "test", 240.0, 30.0, probes=manifest.write.probe.kinds)
    config = SourceConfig.model_validate({"adapter": "nautobot", "environment": "test", "base_url": BASE})
    source = Source(facts, config, adapter(), PRODUCT.mappings, clock, silent_telemetry(clock))
    subject, joined = f"naut:ci:dcim.device/{ONE}", f"naut:ci:virtualization.virtualmachine/{TWO}"
    changes = {"type": "depends_on", "subject": subject, "object": joined}
    route = answer(wire, LINKS, lambda request: listed([LINK]))
    effect = Effect("relationship", "create", None, changes, "k" * 20)
    assert source.finds(effect)
    assert await source.probe(effect) == [THREE]
    assert asked(route)["source_id"] == [ONE]
    for other in ({"type": "runs_on"}, {"object": f"naut:ci:dcim.device/{ONE}"}):
        assert await source.probe(replace(effect, changes={**changes, **other})) == []


# --- writes ---------------------------------------------------------------------------------------------

NEW = {"name": "n", "cls": "server", "status": "planned", "model": "R750", "location": "DC1"}


def creating(changes: dict[str, Any] = NEW, made: Product = PRODUCT) -> NativeWrite:
    return NativeWrite("ci", "create", None, made.mappings["ci"].encode(changes, "create"), "key-1")


async def test_a_create_carries_our_key_and_goes_to_its_model(wire: respx.Router) -> None:
    look = answer(wire, DEVICES, listed([]))
    route = answer(wire, DEVICES, httpx.Response(201, json={**DEVICE, "id": THREE}), method="POST")
    written = await adapter().write(creating())
    assert written.handle == f"dcim.device/{THREE}"
    assert asked(look)["cf_ci_id__ie"] == ["key-1"]
    assert orjson.loads(route.calls[0].request.content) == {
        "name": "n",
        "role": {"name": "Server"},
        "status": {"name": "Planned"},
        "device_type": {"model": "R750"},
        "location": {"name": "DC1"},
        "custom_fields": {"ci_id": "key-1"},
    }


async def test_constants_of_a_site_go_with_a_create(wire: respx.Router) -> None:
    lab = {"ci": {"parts": {"virtualization.virtualmachine": {"write": {"create": {"cluster": {"name": "Lab"}}}}}}}
    made = product(overlay=lab)
    answer(wire, MACHINES, listed([]))
    route = answer(wire, MACHINES, httpx.Response(201, json=MACHINE), method="POST")
    write = creating({"name": "n", "cls": "virtual_machine"}, made)
    assert (await adapter(made).write(write)).handle == f"virtualization.virtualmachine/{TWO}"
    assert orjson.loads(route.calls[0].request.content) == {
        "name": "n", "cluster": {"name": "Lab"}, "custom_fields": {"ci_id": "key-1"},
    }  # fmt: skip


async def test_no_create_where_the_key_would_be_dropped(wire: respx.Router) -> None:
    answer(wire, DEVICES, httpx.Response(400, json={"cf_ci_id__ie": ["Unknown filter field"]}))
    post = answer(wire, DEVICES, httpx.Response(201, json=DEVICE), method="POST")
    with pytest.raises(Problem) as told:
        await adapter().write(creating())
    assert (told.value.slug, told.value.reached) == (Slug.UNSUPPORTED, "no")
    assert "dcim.device" in (told.value.next_step or "")
    assert not post.calls
    foreign = creating({**NEW, "external_id": "theirs"})
    with pytest.raises(Problem) as told:
        await adapter().write(foreign)
    assert (told.value.field, told.value.reached) == ("external_id", "no")


async def test_an_update_goes_to_the_record_and_its_echo_must_be_it(wire: respx.Router) -> None:
    payload = CI.encode({"status": "retired", "serial": None}, "update", key=f"dcim.device/{ONE}")
    write = NativeWrite("ci", "update", f"dcim.device/{ONE}", payload)
    route = answer(wire, f"{DEVICES}{ONE}/", httpx.Response(200, json=DEVICE), method="PATCH")
    assert (await adapter().write(write)).handle == f"dcim.device/{ONE}"
    assert orjson.loads(route.calls[0].request.content) == {"status": {"name": "Retired"}, "serial": ""}
    assert payload["object_type"] == "dcim.device"  # what was handed in is not changed
    answer(wire, f"{DEVICES}{ONE}/", httpx.Response(200, json={**DEVICE, "id": TWO}), method="PATCH")
    with pytest.raises(Problem) as told:
        await adapter().write(write)
    assert (told.value.slug, told.value.reached) == (Slug.SOURCE_FAULT, "maybe")
    elsewhere = NativeWrite("ci", "update", f"virtualization.virtualmachine/{ONE}", payload)
    with pytest.raises(Problem) as told:
        await adapter().write(elsewhere)
    assert told.value.slug is Slug.INVALID_ARGUMENT


async def test_a_refused_write_names_every_field(wire: respx.Router) -> None:
    answer(wire, DEVICES, listed([]))
    said = {"device_type": ["This field is required."], "status": ["Related object not found"]}
    answer(wire, DEVICES, httpx.Response(400, json=said), method="POST")
    with pytest.raises(Problem) as told:
        await adapter().write(creating())
    assert (told.value.slug, told.value.reached) == (Slug.SOURCE_REJECTED, "yes")
    assert told.value.native_message == "device_type: This field is required.; status: Related object not found"


async def test_a_lost_create_is_found_by_exactly_its_key(wire: respx.Router) -> None:
    mine = {**DEVICE, "custom_fields": {"ci_id": "key-1"}}
    answer(wire, DEVICES, listed([mine, {**DEVICE, "custom_fields": {"ci_id": "KEY-1"}}]))
    unknown = httpx.Response(400, json={"cf_ci_id__ie": ["Unknown filter field"]})
    answer(wire, MACHINES, lambda request: unknown)
    empty_parts(wire)
    assert await adapter().find_written("ci", "key-1") == [mine]
    for path in ("dcim/devices", "ipam/services", "dcim/software-versions", "dcim/locations"):
        answer(wire, f"/api/{path}/", lambda request: unknown)
    with pytest.raises(Problem) as told:
        await adapter().find_written("ci", "key-1")
    assert told.value.slug is Slug.UNSUPPORTED


# --- choices --------------------------------------------------------------------------------------------


async def test_choices_of_all_models_that_have_the_field(wire: respx.Router) -> None:
    def statuses(request: httpx.Request) -> httpx.Response:
        model = parse_qs(request.url.query.decode())["content_types"][0]
        more = [{"name": "Kaputt", "display": "Kaputt!"}] if model == "dcim.device" else []
        return listed([{"name": "Active", "display": "Active"}, *more])

    route = answer(wire, "/api/extras/statuses/", statuses)
    found = await adapter().choices("ci", "status")
    assert [(c.value, c.label, c.canonical) for c in found] == [
        ("Active", "Active", "live"), ("Kaputt", "Kaputt!", None),
    ]  # fmt: skip
    assert len(route.calls) == 4  # services have none
    with pytest.raises(Problem) as told:
        await adapter().choices("ci", "name")
    assert told.value.slug is Slug.UNSUPPORTED
