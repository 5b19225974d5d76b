"""Who is let in, and to what: nobody and nothing unless it was granted, on every face alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.faces.faces_house import EVERYTHING, House

from interlock.tools.catalogue import GENERAL, TOOLS

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
READER = """
id: {id}
owner: somebody
purpose: Reads incidents
tools: [incident_search, incident_get]
stage: autonomous
read: {{incident: {{}}}}
"""


def mcp(house: House, method: str, params: dict[str, Any], headers: dict[str, str], url: str | None = None) -> Any:
    """One MCP message of 2026-07-28."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
    named = {"mcp-name": params["name"]} if "name" in params else {}
    base = {"mcp-protocol-version": "2026-07-28", "mcp-method": method, "accept": "application/json", **named}
    return house.client.post(f"{url or house.thin}/mcp", json=message, headers={**base, **headers})


Ask = Callable[[House, str, dict[str, str]], httpx.Response]


def rest_call(house: House, url: str, headers: dict[str, str]) -> httpx.Response:
    return house.client.post(f"{url}/v1/tools/whoami", json={}, headers=headers)


def rest_list(house: House, url: str, headers: dict[str, str]) -> httpx.Response:
    return house.client.get(f"{url}/v1/tools", headers=headers)


def mcp_call(house: House, url: str, headers: dict[str, str]) -> httpx.Response:
    answer: httpx.Response = mcp(house, "tools/call", {"name": "whoami", "arguments": {}}, headers, url)
    return answer


def mcp_list(house: House, url: str, headers: dict[str, str]) -> httpx.Response:
    answer: httpx.Response = mcp(house, "tools/list", {}, headers, url)
    return answer


def mcp_discover(house: House, url: str, headers: dict[str, str]) -> httpx.Response:
    answer: httpx.Response = mcp(house, "server/discover", {}, headers, url)
    return answer


def mcp_get(house: House, url: str, headers: dict[str, str]) -> httpx.Response:
    return house.client.get(f"{url}/mcp", headers={**headers, "accept": "text/event-stream"})


def mcp_initialize(house: House, url: str, headers: dict[str, str]) -> httpx.Response:
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    accept = {"accept": "application/json, text/event-stream"}
    return house.client.post(f"{url}/mcp", json=message, headers={**accept, **headers})


WAYS: list[Ask] = [rest_call, rest_list, mcp_call, mcp_list, mcp_discover, mcp_get, mcp_initialize]


@pytest.fixture(params=["thin", "full"])
def url(request: pytest.FixtureRequest, house: House) -> str:
    found: str = getattr(house, request.param)
    return found


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Basic YTpi"},
        {"authorization": "Bearer ilk_aaaaaaaa_" + "x" * 43},
        {"authorization": "Bearer " + "x" * 5000},
        {"authorization": "Bearer \xe9\xff"},
        {"x-api-key": "everything", "x-user": "everything", "x-forwarded-user": "everything"},
    ],
    ids=["none", "empty", "scheme", "basic", "wrong", "long", "latin", "names"],
)
def test_no_valid_key_lets_nobody_in(house: House, url: str, ask: Ask, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = ask(house, url, raw)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["slug"] == "unauthenticated"
    assert not any(tool.name in answer.text for tool in TOOLS)


@pytest.mark.parametrize("ask", WAYS)
def test_a_person_is_no_agent(house: House, url: str, ask: Ask) -> None:
    token = house.person(house.fresh("person"), "administrator", "approver")
    answer = ask(house, url, bearer(token))
    assert (answer.status_code, answer.json()["slug"]) == (403, "refused")
    assert not any(tool.name in answer.text for tool in TOOLS)


@pytest.mark.parametrize("ask", WAYS)
def test_a_suspended_agent_is_refused_at_once_and_a_revoked_key_is_none(house: House, url: str, ask: Ask) -> None:
    id = house.fresh()  # noqa: A001
    token = house.agent(EVERYTHING.format(id=id))
    if ask is not mcp_get:  # a stream of events is not served: 405, see below
        assert ask(house, url, bearer(token)).status_code == 200
    house.store(lambda store: store.suspend(id, by="test"))
    answer = ask(house, url, bearer(token))
    assert (answer.status_code, answer.json()["slug"]) == (403, "refused")
    house.store(lambda store: store.resume(id, by="test"))
    house.store(lambda store: store.revoke(store.keys(id)[0].id, by="test"))
    assert ask(house, url, bearer(token)).status_code == 401


@pytest.mark.parametrize("ask", [rest_call, mcp_call])
def test_an_expired_key_is_none(house: House, url: str, ask: Ask) -> None:
    id = house.fresh()  # noqa: A001
    house.agent(EVERYTHING.format(id=id))
    token = house.store(lambda store: store.issue(id, by="test", lasts_s=0.05).token)
    answer = ask(house, url, bearer(token))
    while answer.status_code == 200:
        answer = ask(house, url, bearer(token))
    assert answer.status_code == 401


def test_a_tool_that_was_not_granted_is_not_listed_and_refused(house: House, url: str) -> None:
    id = house.fresh()  # noqa: A001
    token = house.agent(READER.format(id=id))
    mine = ["incident_search", "incident_get"]
    listed = mcp_list(house, url, bearer(token)).json()["result"]["tools"]
    assert [tool["name"] for tool in listed] == [*GENERAL, *mine]
    assert [tool["name"] for tool in rest_list(house, url, bearer(token)).json()["tools"]] == [*mine, *GENERAL]
    incident = house.call("incident_search", {"limit": 1}).json()["data"][0]["ref"]
    for tool in TOOLS:
        if tool.name in (*mine, *GENERAL):
            continue
        arguments = _least(tool.name, incident)
        answer = house.call(tool.name, arguments, token, url)
        assert (answer.status_code, answer.json()["slug"]) == (403, "refused"), (tool.name, answer.text)
        result = mcp(house, "tools/call", {"name": tool.name, "arguments": arguments}, bearer(token), url).json()
        assert result["result"]["isError"] is True
        assert result["result"]["_meta"]["interlock/problem"]["slug"] == "refused"


def _least(tool: str, incident: str) -> dict[str, Any]:
    """Arguments that are valid, so that only authority can speak against the call."""
    more: dict[str, dict[str, Any]] = {
        "incident_create": {"title": "x"},
        "incident_update": {"ref": incident, "changes": {"title": "x"}},
        "incident_add_note": {"ref": incident, "text": "x", "visibility": "internal"},
        "incident_resolve": {"ref": incident, "close_code": "fixed", "close_notes": "x"},
        "incident_assign": {"ref": incident, "group": "snow:group:Service Desk EMEA"},
        "incident_reopen": {"ref": incident},
        "journal_list": {"ref": incident},
        "ci_get": {"ref": "snow:ci:x"},
        "ci_related": {"ref": "snow:ci:x"},
        "directory_find": {"kind": "group", "text": "x"},
        "taxonomy_values": {"field": "state"},
    }
    return more.get(tool, {})


def test_an_unknown_tool_is_not_found_in_words_of_its_own(house: House, url: str) -> None:
    answer = house.call("incident_delete", {}, url=url)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    result = mcp(house, "tools/call", {"name": "incident_delete", "arguments": {}}, bearer(house.key), url).json()
    problem = result["result"]["_meta"]["interlock/problem"]
    assert (result["result"]["isError"], problem["slug"], problem["field"]) == (True, "not-found", "tool")


def test_a_key_narrows_what_its_agent_may_do(house: House, url: str) -> None:
    id = house.fresh()  # noqa: A001
    house.agent(EVERYTHING.format(id=id))
    token = house.store(lambda store: store.issue(id, by="test", tools=["ci_get"]).token)
    names = [tool["name"] for tool in mcp_list(house, url, bearer(token)).json()["result"]["tools"]]
    assert names == [*GENERAL, "ci_get"]
    assert house.call("ci_search", {}, token, url).status_code == 403


def test_no_scope_is_no_read(house: House) -> None:
    id = house.fresh()  # noqa: A001
    token = house.agent(READER.format(id=id).replace("tools: [incident_search, incident_get]", "tools: [triage]"))
    for tool in ("ci_search", "ci_related", "directory_find"):
        answer = house.call(tool, {**_least(tool, ""), **({"ref": "snow:ci:x"} if tool == "ci_related" else {})}, token)
        assert answer.status_code == 403
        assert answer.json()["reasons"][0]["kind"] == "scope"
    person = house.call("directory_find", {"kind": "person", "text": "a"}).json()["data"][0]["ref"]
    assert house.call("record_get", {"ref": person}, token).status_code == 403


class TestBodies:
    def test_a_large_body_is_refused_however_it_comes(self, house: House, url: str) -> None:
        headers = {**bearer(house.key), "content-type": "application/json"}
        large = b'{"title": "' + b"x" * 1_000_001 + b'"}'

        def pieces() -> Any:
            for start in range(0, len(large), 50_000):
                yield large[start : start + 50_000]

        for content in (large, pieces()):
            for path in ("/v1/tools/incident_create", "/mcp"):
                body = content if isinstance(content, bytes) else pieces()
                answer = house.client.post(f"{url}{path}", content=body, headers=headers)
                assert (answer.status_code, answer.json()["slug"]) == (413, "too-large")

    @pytest.mark.parametrize(
        ("content", "kind"),
        [
            (b"{", "application/json"),
            (b"[]", "application/json"),
            (b"1", "application/json"),
            (b"null", "application/json"),
            (b'{"a": NaN}', "application/json"),
            (b"\xff", "application/json"),
            (b"{}", "text/plain"),
            (b"a=b", "application/x-www-form-urlencoded"),
        ],
    )
    def test_what_is_no_json_object_is_told(self, house: House, url: str, content: bytes, kind: str) -> None:
        headers = {**bearer(house.key), "content-type": kind}
        answer = house.client.post(f"{url}/v1/tools/whoami", content=content, headers=headers)
        assert (answer.status_code, answer.json()["field"]) == (422, "body")


class TestMachines:
    def test_health_needs_no_key_and_says_nothing_of_records(self, house: House, url: str) -> None:
        assert house.client.get(f"{url}/healthz").json()["status"] == "ok"
        ready = house.client.get(f"{url}/readyz")
        assert ready.status_code == 200
        assert set(ready.json()) == {"status", "ledger", "sources"}

    def test_metrics_need_a_key_and_count_calls(self, house: House, url: str) -> None:
        assert house.client.get(f"{url}/metrics").status_code == 401
        house.call("whoami", {}, url=url)
        text = house.client.get(f"{url}/metrics", headers=bearer(house.key)).text
        assert 'tool="whoami"' in text
        assert house.key not in text

    @pytest.mark.parametrize(
        ("method", "path", "allow"),
        [
            ("GET", "/v1/tools/whoami", "POST"),
            ("DELETE", "/v1/approvals", "GET"),
            ("PUT", "/healthz", "GET"),
            ("GET", "/mcp", "POST"),
        ],
    )
    def test_a_wrong_method_is_told_with_what_is_allowed(
        self, house: House, url: str, method: str, path: str, allow: str
    ) -> None:
        modern = {"mcp-protocol-version": "2026-07-28"} if path == "/mcp" else {}
        answer = house.client.request(method, f"{url}{path}", headers={**bearer(house.key), **modern})
        assert (answer.status_code, answer.headers["allow"]) == (405, allow)

    def test_an_unknown_path_is_a_problem(self, house: House, url: str) -> None:
        answer = house.client.get(f"{url}/nothing")
        assert (answer.status_code, answer.json()["slug"]) == (404, "not-found")

    def test_the_document_of_the_routes_is_served(self, house: House, url: str) -> None:
        assert house.client.get(f"{url}/openapi.json").json()["openapi"] == "3.1.0"
