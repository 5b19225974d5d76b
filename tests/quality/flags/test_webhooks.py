"""What happens to flags is posted, signed, in order and at least once, whatever the receiver does."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import respx
from pydantic import ValidationError

from interlock.clock import ManualClock
from interlock.config.webhooks import Webhook
from interlock.quality.flags import FlagStore
from interlock.quality.flags import webhooks as webhooks_module
from interlock.quality.flags.webhooks import FIRST_WAIT_S, Webhooks
from interlock.telemetry import Log

URL = "http://127.0.0.1:9/hook"
CONFIG = Webhook.model_validate({"url": URL, "secret": "s3cret"})


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as made:
        yield made


class House:
    def __init__(self, folder: Path, client: httpx.AsyncClient) -> None:
        self.clock = ManualClock(1_000_000.0)
        self.folder, self.client, self.lines = folder, client, list[bytes]()
        self.store = FlagStore(folder, self.clock)

    def webhooks(self, config: Webhook = CONFIG) -> Webhooks:
        return Webhooks(self.folder, [config], self.clock, Log(self.lines.append, self.clock), self.client)

    def find(self, *refs: str, code: str = "CI-STALE") -> None:
        for ref in refs:
            self.store.replace(ref, [(code, "stale: cls server")], [code], self.clock.now())


@pytest.fixture
def house(tmp_path: Path, client: httpx.AsyncClient) -> House:
    return House(tmp_path / "state", client)


def _events(call: Any) -> list[dict[str, Any]]:
    return list(orjson.loads(call.request.content)["events"])


@respx.mock
async def test_events_are_posted_once_in_order_and_signed(house: House) -> None:
    route = respx.post(URL).respond(204)
    hooks = house.webhooks()
    house.find("snow:ci:1", "snow:ci:2")
    house.store.act("waive", "snow:ci:1", "CI-STALE", "eva", reason="in the cellar", until=1_500_000.0)
    assert await hooks.run_once() == 1
    assert await hooks.run_once() == 0
    (call,) = route.calls
    told = [(event["what"], event["ref"], event["by"]) for event in _events(call)]
    assert told == [("open", "snow:ci:1", "gate"), ("open", "snow:ci:2", "gate"), ("waive", "snow:ci:1", "eva")]
    head, body = call.request.headers, call.request.content
    text = b".".join((head["webhook-id"].encode(), head["webhook-timestamp"].encode(), body))
    expected = base64.b64encode(hmac.new(b"s3cret", text, hashlib.sha256).digest()).decode()
    assert head["webhook-signature"] == f"v1,{expected}"
    assert head["webhook-timestamp"] == "1000000"


@respx.mock
async def test_a_receiver_that_is_down_gets_the_same_message_later_and_nothing_else_first(house: House) -> None:
    route = respx.post(URL).mock(side_effect=[httpx.ConnectError("no"), httpx.Response(500), httpx.Response(200)])
    hooks = house.webhooks()
    house.find("snow:ci:1")
    assert await hooks.run_once() == 0
    house.find("snow:ci:2")
    assert await hooks.run_once() == 0  # not due yet
    assert route.call_count == 1
    house.clock.advance(FIRST_WAIT_S)
    assert await hooks.run_once() == 0
    house.clock.advance(FIRST_WAIT_S * 2)
    assert await hooks.run_once() == 1
    ids = [call.request.headers["webhook-id"] for call in route.calls]
    assert len(set(ids)) == 1
    assert [event["ref"] for event in _events(route.calls[-1])] == ["snow:ci:1", "snow:ci:2"]
    assert b"s3cret" not in b"".join(house.lines)
    assert b"webhook not taken" in b"".join(house.lines)


@respx.mock
async def test_one_process_sends_and_after_a_crash_another_goes_on(house: House) -> None:
    respx.post(URL).respond(200)
    one, other = house.webhooks(), house.webhooks()
    house.find("snow:ci:1")
    assert (await one.run_once(), await other.run_once()) == (1, 0)
    house.find("snow:ci:2")
    assert await other.run_once() == 0  # the first one may only be slow
    house.clock.advance(webhooks_module.LEASE_S + 1)
    assert await other.run_once() == 1


@respx.mock
async def test_only_what_was_asked_for_and_counts_for_who_is_far_behind(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    route = respx.post(URL).respond(200)
    hooks = house.webhooks(CONFIG.model_copy(update={"events": ("resolve",)}))
    house.find("snow:ci:1")
    assert await hooks.run_once() == 0
    house.store.replace("snow:ci:1", [], ["CI-STALE"], house.clock.now())
    assert await hooks.run_once() == 1
    assert [event["what"] for event in _events(route.calls[-1])] == ["resolve"]
    monkeypatch.setattr(webhooks_module, "FAR_BEHIND", 3)
    everything = house.webhooks(CONFIG.model_copy(update={"url": "http://localhost:9/all"}))
    all_ = respx.post("http://localhost:9/all").respond(200)
    house.find(*(f"snow:ci:{n}" for n in range(10, 15)))
    assert await everything.run_once() == 1
    said = orjson.loads(all_.calls[-1].request.content)
    assert (said["type"], said["counts"]) == ("flags.many", [{"what": "open", "code": "CI-STALE", "events": 5}])


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"url": "http://flags.example/x", "secret": "env:HOOK"}, "must be https"),
        ({"url": "https://flags.example/x", "secret": "written out"}, "env:NAME"),
        ({"url": "https://eva:pw@flags.example/x", "secret": "written out"}, "pattern"),
    ],
)
def test_what_leaves_the_machine_is_encrypted_and_its_secret_is_not_in_the_file(
    given: dict[str, str], why: str
) -> None:
    with pytest.raises(ValidationError, match=why):
        Webhook.model_validate(given, context={"environ": {"HOOK": "s3cret"}})
