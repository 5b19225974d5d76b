"""Faults: the plan, and each fault seen from the client's side of a socket."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from mock_servers.servicenow import Faults, MockServiceNow, Rule, Store

INC = "/api/now/table/incident"
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # http only: no time spent on loading authorities
ROWS = [{"sys_id": f"{i:032x}", "number": f"INC{i:07d}", "short_description": "s"} for i in range(1, 11)]


@pytest.fixture
async def mock() -> AsyncIterator[MockServiceNow]:
    store = Store()
    store.load({"incident": [dict(row) for row in ROWS]})
    async with MockServiceNow(store) as running:
        yield running


@pytest.fixture
async def client(mock: MockServiceNow) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        verify=PLAIN, base_url=mock.url, auth=("integration", "integration"), timeout=0.2
    ) as session:
        yield session


async def count(client: httpx.AsyncClient, key: str = "k") -> int:
    stats = (await client.get("/__mock__/stats")).json()
    return int(stats["correlation_ids"].get(key, 0))


async def create(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post(INC, json={"correlation_id": "k"})


def test_a_plan_repeats_and_counts() -> None:
    rule = Rule("error_before", methods=("POST",), path="incident", probability=0.5, count=3, skip=1)

    def draws(seed: int) -> list[bool]:
        plan = Faults([rule], seed)
        return [plan.draw("POST", INC)[1] is not None for _ in range(40)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
    assert sum(draws(1)) == 3
    assert draws(1)[0] is False
    plan = Faults([Rule("latency", seconds=2), Rule("drop_before", body="secret"), Rule("html", path="/x")])
    assert plan.draw("GET", "/x") == (2, Rule("html", path="/x"))
    assert plan.draw("POST", "/y", b"a secret") == (2, Rule("drop_before", body="secret"))
    assert plan.draw("GET", "/y") == (2, None)
    assert plan.fired == {"latency": 3, "html": 1, "drop_before": 1}


@pytest.mark.parametrize("wrong", [{"fault": "nope"}, {"fault": "html", "colour": "red"}, {}])
def test_a_wrong_rule_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no such"):
        Rule.read(wrong)


@pytest.mark.parametrize(
    ("rule", "status", "committed"),
    [
        (Rule("error_before", status=500), 500, 0),
        (Rule("error_before", status=502), 502, 0),
        (Rule("error_after", status=500), 500, 1),
        (Rule("error_after", status=502), 502, 1),
        (Rule("rate_limit", seconds=7), 429, 0),
        (Rule("rate_limit", variant="bare"), 429, 0),
        (Rule("html", variant="login"), 200, 0),
        (Rule("html", variant="maintenance", status=503), 503, 0),
        (Rule("session_expired"), 401, 0),
        (Rule("dropped_202"), 202, 0),
        (Rule("broken", variant="b"), 201, 1),
    ],
    ids=lambda value: f"{value.fault}-{value.variant or value.status}" if isinstance(value, Rule) else "",
)
async def test_what_a_fault_answers_and_whether_it_commits(
    mock: MockServiceNow, client: httpx.AsyncClient, rule: Rule, status: int, committed: int
) -> None:
    mock.faults.set([rule])
    answer = await create(client)
    assert answer.status_code == status
    assert await count(client) == committed
    if rule.fault == "html" or status == 502:
        assert answer.headers["Content-Type"].startswith("text/html")
    if rule.fault == "rate_limit":
        assert answer.headers.get("Retry-After") == (None if rule.variant else "7")


@pytest.mark.parametrize(
    ("fault", "error", "committed"),
    [
        ("drop_before", httpx.RemoteProtocolError, 0),
        ("drop_after", httpx.RemoteProtocolError, 1),
        ("timeout_before", httpx.ReadTimeout, 0),
        ("timeout_after", httpx.ReadTimeout, 1),
        ("truncate", httpx.RemoteProtocolError, 1),
    ],
)
async def test_what_breaks_the_connection(
    mock: MockServiceNow, client: httpx.AsyncClient, fault: Any, error: type[Exception], committed: int
) -> None:
    mock.faults.set([Rule(fault, methods=("POST",))])
    with pytest.raises((error, httpx.ReadError)):
        await create(client)
    assert await count(client) == committed


async def test_a_late_commit_comes_after_the_client_gave_up(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    mock.faults.set([Rule("late_commit", methods=("POST",), seconds=0.15, count=1)])
    with pytest.raises(httpx.ReadTimeout):
        await create(client)
    await asyncio.sleep(0.05)
    assert await count(client) == 0
    assert (await client.get("/__mock__/stats")).json()["pending"] == 1
    await asyncio.sleep(0.25)
    assert await count(client) == 1
    assert (await client.get("/__mock__/stats")).json()["pending"] == 0
    assert (await create(client)).status_code == 201


async def test_broken_pages(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    async def page(variant: str) -> httpx.Response:
        mock.faults.set([Rule("broken", variant=variant)])
        answer = await client.get(INC, params={"sysparm_fields": "number"})
        assert answer.status_code == 200
        return answer

    rows_and_error = (await page("a")).json()
    assert len(rows_and_error["result"]) == 5
    assert rows_and_error["error"]["message"] == "Transaction cancelled: maximum execution time exceeded"
    assert (await page("b")).json()["result"] == []
    assert isinstance((await page("c")).json()["result"][-1], str)
    with pytest.raises(ValueError):
        (await page("d")).json()


async def test_a_clean_truncation_parses_as_http_and_not_as_json(
    mock: MockServiceNow, client: httpx.AsyncClient
) -> None:
    mock.faults.set([Rule("truncate", variant="clean")])
    answer = await client.get(INC)
    with pytest.raises(ValueError):
        answer.json()


async def test_the_session_expires_once(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    mock.faults.set([Rule("session_expired", count=1)])
    assert [(await client.get(INC)).status_code for _ in range(2)] == [401, 200]


async def test_faults_are_set_and_reset_at_run_time(client: httpx.AsyncClient) -> None:
    rules = [{"fault": "latency", "seconds": 0.05}, {"fault": "html", "methods": ["GET"], "count": 1}]
    assert (await client.post("/__mock__/faults", json={"rules": rules, "seed": 3})).json() == {"rules": 2}
    assert "instance-hibernating-page" in (await client.get(INC)).text
    assert (await client.get(INC)).status_code == 200
    stats = (await client.get("/__mock__/stats")).json()
    assert (stats["faults"], stats["requests"]) == ({"latency": 2, "html": 1}, {"GET": 2})
    assert (await client.post("/__mock__/reset")).status_code == 200
    assert (await client.get("/__mock__/stats")).json()["faults"] == {}
    wrong = await client.post("/__mock__/faults", json={"rules": [{"fault": "nope"}]})
    assert (wrong.status_code, "no such fault" in wrong.json()["error"]) == (400, True)
    assert (await client.get("/__mock__/nothing")).status_code == 404


async def test_the_clock_and_switches_at_run_time(client: httpx.AsyncClient) -> None:
    await client.post("/__mock__/clock", json={"now": "2026-03-01 09:15:00", "frozen": True})
    first = (await create(client)).json()["result"]
    await client.post("/__mock__/clock", json={"advance": 61})
    second = (await create(client)).json()["result"]
    assert (first["sys_updated_on"], second["sys_updated_on"]) == ("2026-03-01 09:15:00", "2026-03-01 09:16:01")
    assert (await client.post("/__mock__/switches", json={"denied_tables": ["incident"]})).status_code == 200
    assert (await client.get(INC)).status_code == 403
    wrong = await client.post("/__mock__/switches", json={"no_such": 1})
    assert "no such switch: no_such" in wrong.json()["error"]
    records = (await client.get("/__mock__/records", params={"table": "incident", "query": "correlation_id=k"})).json()
    assert len(records["records"]) == 2


async def test_one_session_runs_one_request_at_a_time_and_drops_a_long_queue(mock: MockServiceNow) -> None:
    mock.switches.change(session_queue=2)
    async with httpx.AsyncClient(verify=PLAIN, base_url=mock.url, auth=("admin", "admin")) as session:
        first = await session.get(INC, params={"sysparm_limit": 1})
        assert "JSESSIONID" in first.headers["Set-Cookie"]
        mock.faults.set([Rule("latency", seconds=0.05)])
        answers = await asyncio.gather(*(session.get(INC, params={"sysparm_limit": 1}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 202, 202, 202]


async def test_closing_does_not_wait_for_clients_that_hang() -> None:
    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient(verify=PLAIN, auth=("admin", "admin")) as session:
        async with MockServiceNow(Store(), faults=Faults([Rule("timeout_before")])) as mock:
            hanging = asyncio.create_task(session.get(f"{mock.url}{INC}"))
            await asyncio.sleep(0.05)
            started = loop.time()
        assert loop.time() - started < 1
        with pytest.raises(httpx.HTTPError):
            await hanging
