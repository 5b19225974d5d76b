"""Changes, problems, clocks and files of the ServiceNow adapter against the mock's sockets: what can go wrong."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.adapters.test_servicenow_adapter import Bench, bench, refused

from interlock.adapterkit.native import NativeWrite
from interlock.records.problems import Slug

CI, TASK, FILE = "c" * 32, "1" * 32, "f" * 32


def loaded(snow: Bench, size: str = "4", content: bytes = b"\x00abc") -> None:
    snow.mock.store.load(
        {
            "incident": [{"sys_id": TASK, "number": "INC0900001"}],
            "sys_attachment": [
                {
                    "sys_id": FILE,
                    "table_name": "incident",
                    "table_sys_id": TASK,
                    "file_name": "a.bin",
                    "size_bytes": size,
                    "content_type": "text/html",
                }
            ],
            "sys_attachment_content": [{"attachment": FILE, "content": base64.b64encode(content).decode()}],
        }
    )


async def created(snow: Bench, kind: str = "normal", **payload: Any) -> str:
    told = {"short_description": "x", "type": kind, **payload}
    written = await snow.adapter.write(NativeWrite("change", "create", None, told, correlation="il-key"))
    return str(written.handle)


async def test_a_change_is_written_through_the_change_api_only() -> None:
    async with bench() as snow:
        handle = await created(snow)
        await snow.adapter.write(NativeWrite("change", "update", handle, {"state": "-4"}))
        await snow.adapter.write(NativeWrite("change", "note", handle, {"work_notes": "geprüft"}))
        sent = [call.url.removeprefix(snow.mock.url) for call in snow.wire.calls if call.method != "GET"]
        assert sent == ["/api/sn_chg_rest/v1/change/normal", *[f"/api/sn_chg_rest/v1/change/{handle}"] * 2]
        row = snow.mock.store.get("change_request", handle) or {}
        assert (row["state"], row["correlation_id"], row["type"]) == ("-4", "il-key", "normal")
        (note,) = (await snow.adapter.notes("change", handle, None, 5))[0]
        assert (note.text, note.visibility) == ("geprüft", "internal")
        assert len(await snow.adapter.find_written("change", "il-key")) == 1


async def test_an_illegal_step_is_the_instances_own_refusal() -> None:
    async with bench() as snow:
        handle = await created(snow)
        call = snow.adapter.write(NativeWrite("change", "update", handle, {"state": "0"}))
        problem = await refused(call)
        assert (problem.slug, problem.reached) == (Slug.SOURCE_REJECTED, "yes")
        assert "Check State Transition" in (problem.native_message or "")
        assert await snow.adapter.next_states("change", handle) == ["assess", "cancelled"]
        assert (await refused(snow.adapter.next_states("incident", handle))).slug is Slug.UNSUPPORTED


async def test_a_standard_change_needs_its_template() -> None:
    async with bench() as snow:
        problem = await refused(created(snow, "standard"))
        assert (problem.slug, problem.reached) == (Slug.INVALID_ARGUMENT, "no")
        assert not snow.wire.calls
        template = "d" * 32
        snow.mock.store.load({"std_change_record_producer": [{"sys_id": template, "name": "Reboot"}]})
        snow.adapter.settings = {"standard_change_template": template}
        handle = await created(snow, "standard")
        assert (snow.mock.store.get("change_request", handle) or {})["type"] == "standard"
        assert await snow.adapter.next_states("change", handle) == ["scheduled", "cancelled"]


async def test_conflicts_are_what_was_found_not_what_the_status_says() -> None:
    window = {"cmdb_ci": CI, "start_date": "2026-05-01 10:00:00", "end_date": "2026-05-01 12:00:00"}
    async with bench() as snow:
        handle = await created(snow, **window)
        assert await snow.adapter.conflicts("change", handle) == ("No Conflict", [])
        other = await created(snow, "emergency", **window)
        status, (found,) = await snow.adapter.conflicts("change", handle)
        assert (status, found.kind, found.change, found.ci) == ("Conflict", "same_ci", other, CI)


async def test_a_check_that_does_not_end_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(conflict_polls=1000) as snow:
        handle = await created(snow)
        monkeypatch.setitem(type(snow.adapter._changes).conflicts.__globals__, "_POLLS", (0.001,) * 3)
        problem = await refused(snow.adapter.conflicts("change", handle))
        assert (problem.slug, problem.retryable) == (Slug.SOURCE_UNAVAILABLE, True)


async def test_a_problem_is_updated() -> None:
    async with bench() as snow:
        snow.mock.store.load({"problem": [{"sys_id": "7" * 32, "number": "PRB0000007", "state": "103"}]})
        written = await snow.adapter.write(NativeWrite("problem", "update", "7" * 32, {"workaround": "Neustart"}))
        assert written.handle == "7" * 32
        assert (snow.mock.store.get("problem", "7" * 32) or {})["workaround"] == "Neustart"


async def test_clocks_of_others_are_never_told() -> None:
    async with bench() as snow:
        rows = [
            {
                "sys_id": "2" * 32,
                "task": TASK,
                "stage": "paused",
                "has_breached": "false",
                "business_percentage": "12.5",
            },
            {"sys_id": "3" * 32, "task": "9" * 32, "stage": "in_progress"},
            {"sys_id": "4" * 32, "task": TASK, "stage": "of their own"},
        ]
        snow.mock.store.load({"task_sla": rows})
        (clock,) = await snow.adapter.slas("incident", TASK)
        assert (clock.stage, clock.breached, clock.percentage, clock.due_at) == ("paused", False, 12.5, None)


async def test_a_file_is_read_whole_or_not_at_all() -> None:
    async with bench() as snow:
        loaded(snow)
        (about,) = await snow.adapter.attachments("incident", TASK)
        assert (about.name, about.size) == ("a.bin", 4)
        assert await snow.adapter.attachment("incident", TASK, FILE, 10) == b"\x00abc"
        snow.wire.calls.clear()
        assert (await refused(snow.adapter.attachment("incident", TASK, FILE, 3))).slug is Slug.TOO_LARGE
        assert not [call for call in snow.wire.calls if call.url.endswith("/file")], "not a byte of it"
        assert (await refused(snow.adapter.attachment("incident", CI, FILE, 10))).slug is Slug.NOT_FOUND
        assert (await refused(snow.adapter.attachment("incident", TASK, "../x", 10))).slug is Slug.NOT_FOUND


async def test_a_file_that_was_cut_is_not_taken_for_whole() -> None:
    async with bench() as snow:
        loaded(snow, size="9")
        assert (await refused(snow.adapter.attachment("incident", TASK, FILE, 10))).slug is Slug.SOURCE_FAULT
