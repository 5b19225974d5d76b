"""The Table and Aggregate API over real sockets: shapes, paging, ACLs, errors, classes, accounts."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from mock_servers.servicenow import MockServiceNow, Store, Switches

INC = "/api/now/table/incident"
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # http only: no time spent on loading authorities
KIM, DESK, SRV = "1" * 32, "2" * 32, "3" * 32

TABLES: dict[str, list[dict[str, str]]] = {
    "sys_user": [{"sys_id": KIM, "user_name": "kim", "name": "Kim Roe", "email": "kim@example.org"}],
    "sys_user_group": [{"sys_id": DESK, "name": "Service Desk"}],
    "cmdb_ci": [
        {
            "sys_id": SRV,
            "name": "srv-01",
            "sys_class_name": "cmdb_ci_linux_server",
            "os": "Debian",
            "operational_status": "1",
        },
        {"sys_id": "4" * 32, "name": "lap-01", "sys_class_name": "cmdb_ci_computer", "u_colour": "grey"},
    ],
    "incident": [
        {
            "sys_id": f"{i:032x}",
            "number": f"INC{i:07d}",
            "state": "2",
            "active": "true",
            "impact": "2",
            "urgency": "2",
            "priority": "3",
            "short_description": f"Incident {i}",
            "opened_at": "2026-03-01 09:15:00",
            "caller_id": KIM,
            "assigned_to": KIM if i % 2 else "",
            "cmdb_ci": SRV,
            "sys_updated_on": "2026-03-01 09:15:00",
            "sys_mod_count": "1",
        }
        for i in range(1, 41)
    ],
    "sys_journal_field": [
        {
            "sys_id": "5" * 32,
            "name": "incident",
            "element": "work_notes",
            "element_id": f"{7:032x}",
            "value": "older",
            "sys_created_on": "2026-03-01 09:00:00",
            "sys_created_by": "kim",
        },
        {
            "sys_id": "6" * 32,
            "name": "incident",
            "element": "work_notes",
            "element_id": f"{7:032x}",
            "value": "newer",
            "sys_created_on": "2026-03-01 10:00:00",
            "sys_created_by": "kim",
        },
    ],
}


def a_store() -> Store:
    store = Store()
    store.load({name: [dict(row) for row in rows] for name, rows in TABLES.items()})
    return store


@pytest.fixture
async def mock() -> AsyncIterator[MockServiceNow]:
    async with MockServiceNow(a_store()) as running:
        yield running


@pytest.fixture
async def client(mock: MockServiceNow) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=PLAIN, base_url=mock.url, auth=("integration", "integration")) as session:
        yield session


async def result(client: httpx.AsyncClient, path: str, **parameters: str) -> Any:
    answer = await client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


@pytest.mark.parametrize("exclude", ["false", "true"])
@pytest.mark.parametrize("mode", ["false", "true", "all"])
async def test_three_modes_with_and_without_links(client: httpx.AsyncClient, mode: str, exclude: str) -> None:
    fields = "number,state,assigned_to,assignment_group,caller_id.email,cmdb_ci,no_such,active"
    row = await result(
        client,
        f"{INC}/{7:032x}",
        sysparm_display_value=mode,
        sysparm_exclude_reference_link=exclude,
        sysparm_fields=fields,
    )
    base = f"{str(client.base_url).rstrip('/')}/api/now/table"
    person, item = f"{base}/sys_user/{KIM}", f"{base}/cmdb_ci/{SRV}"
    expected: dict[tuple[str, str], tuple[Any, Any, Any, Any]] = {
        ("false", "false"): ("2", {"link": person, "value": KIM}, "", {"link": item, "value": SRV}),
        ("false", "true"): ("2", KIM, "", SRV),
        ("true", "false"): (
            "In Progress",
            {"display_value": "Kim Roe", "link": person},
            "",
            {"display_value": "srv-01", "link": item},
        ),
        ("true", "true"): ("In Progress", "Kim Roe", "", "srv-01"),
        ("all", "false"): (
            {"display_value": "In Progress", "value": "2"},
            {"display_value": "Kim Roe", "link": person, "value": KIM},
            {"display_value": "", "value": ""},
            {"display_value": "srv-01", "link": item, "value": SRV},
        ),
        ("all", "true"): (
            {"display_value": "In Progress", "value": "2"},
            {"display_value": "Kim Roe", "value": KIM},
            {"display_value": "", "value": ""},
            {"display_value": "srv-01", "value": SRV},
        ),
    }
    state, assigned, group, item_shown = expected[mode, exclude]
    both = mode == "all"
    assert row == {
        "number": {"display_value": "INC0000007", "value": "INC0000007"} if both else "INC0000007",
        "state": state,
        "assigned_to": assigned,
        "assignment_group": group,
        "caller_id.email": {"display_value": "kim@example.org", "value": "kim@example.org"}
        if both
        else "kim@example.org",
        "cmdb_ci": item_shown,
        "active": {"display_value": "true", "value": "true"} if both else "true",
    }


async def test_a_whole_record_is_strings_only(client: httpx.AsyncClient) -> None:
    row = await result(client, f"{INC}/{7:032x}", sysparm_exclude_reference_link="TRUE")
    assert len(row) > 80
    assert {type(value) for value in row.values()} == {str}
    assert row["work_notes"] == ""


async def test_journal_fields_show_their_history_newest_first(client: httpx.AsyncClient) -> None:
    row = await result(client, f"{INC}/{7:032x}", sysparm_display_value="all", sysparm_fields="work_notes")
    assert row["work_notes"] == {
        "value": "",
        "display_value": "2026-03-01 10:00:00 - Kim Roe (Work notes)\nnewer\n\n"
        "2026-03-01 09:00:00 - Kim Roe (Work notes)\nolder\n\n",
    }
    query = f"element_id={7:032x}^element=work_notes^ORDERBYsys_created_on"
    entries = await result(client, "/api/now/table/sys_journal_field", sysparm_query=query)
    assert [entry["value"] for entry in entries] == ["older", "newer"]


async def test_paging_headers(client: httpx.AsyncClient) -> None:
    answer = await client.get(INC, params={"sysparm_limit": 2, "sysparm_offset": 2, "sysparm_query": "ORDERBYnumber"})
    assert answer.headers["X-Total-Count"] == "40"
    base = f"{str(client.base_url).rstrip('/')}{INC}?sysparm_query=ORDERBYnumber&sysparm_limit=2&sysparm_offset="
    assert answer.headers["Link"] == (
        f'<{base}0>;rel="first",<{base}0>;rel="prev",<{base}4>;rel="next",<{base}38>;rel="last"'
    )
    last = await client.get(INC, params={"sysparm_limit": 2, "sysparm_offset": 38})
    assert 'rel="prev"' in last.headers["Link"]
    assert 'rel="next"' not in last.headers["Link"]
    bare = await client.get(
        INC, params={"sysparm_limit": 2, "sysparm_no_count": "true", "sysparm_suppress_pagination_header": "true"}
    )
    assert "X-Total-Count" not in bare.headers
    assert "Link" not in bare.headers


async def test_unordered_pages_overlap_and_keyset_pages_do_not(client: httpx.AsyncClient) -> None:
    seen = []
    for offset in range(0, 40, 5):
        rows = await result(client, INC, sysparm_limit="5", sysparm_offset=str(offset), sysparm_fields="sys_id")
        seen += [row["sys_id"] for row in rows]
    assert len(set(seen)) < 40
    keyed: list[str] = []
    while True:
        query = f"sys_id>{keyed[-1] if keyed else ''}^ORDERBYsys_id"
        rows = await result(client, INC, sysparm_limit="7", sysparm_query=query, sysparm_fields="sys_id")
        if not rows:
            break
        keyed += [row["sys_id"] for row in rows]
    assert keyed == [f"{i:032x}" for i in range(1, 41)]


async def test_row_acls_cut_after_the_limit(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    mock.switches.change(row_acl={"incident": "assigned_toISNOTEMPTY"})
    answer = await client.get(INC, params={"sysparm_limit": 10, "sysparm_query": "ORDERBYsys_id"})
    assert len(answer.json()["result"]) == 5
    assert answer.headers["X-Total-Count"] == "40"
    one = await client.get(INC, params={"sysparm_limit": 1, "sysparm_offset": 1, "sysparm_query": "ORDERBYsys_id"})
    assert one.json()["result"] == []  # an empty page before readable rows
    assert (await client.get(f"{INC}/{2:032x}")).status_code == 404
    assert (await client.patch(f"{INC}/{2:032x}", json={"urgency": "1"})).status_code == 404
    assert (await client.get(f"{INC}/{2:032x}", auth=("admin", "admin"))).status_code == 200


async def test_unreadable_and_omitted_columns_are_absent(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    mock.switches.change(column_acl={"task": ["impact"]})
    mock.store.load({}, omit={"incident": {"close_notes"}})
    row = await result(client, f"{INC}/{7:032x}")
    assert not {"impact", "close_notes"} & set(row)
    as_admin = (await client.get(f"{INC}/{7:032x}", auth=("admin", "admin"))).json()["result"]
    assert "impact" in as_admin
    assert "close_notes" not in as_admin
    mock.switches.change(invalid_query="403")
    assert (await client.get(INC, params={"sysparm_query": "impact=1"})).status_code == 403


async def test_invalid_queries_in_three_modes(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    async def answer() -> httpx.Response:
        return await client.get(INC, params={"sysparm_query": "stat=1"})

    assert len((await answer()).json()["result"]) == 40
    mock.switches.change(invalid_query="empty")
    assert (await answer()).json() == {"result": []}
    mock.switches.change(invalid_query="403")
    assert (await answer()).json() == {
        "error": {
            "message": "Insufficient rights to query records",
            "detail": "Field(s) present in the query do not have permission to be read",
        },
        "status": "failure",
    }


async def test_a_parent_table_shows_its_children_with_its_own_columns(
    mock: MockServiceNow, client: httpx.AsyncClient
) -> None:
    rows = await result(client, "/api/now/table/cmdb_ci", sysparm_query="ORDERBYname")
    assert [(row["name"], row["sys_class_name"]) for row in rows] == [
        ("lap-01", "cmdb_ci_computer"),
        ("srv-01", "cmdb_ci_linux_server"),
    ]
    assert "os" not in rows[1]
    assert (await result(client, "/api/now/table/cmdb_ci_server"))[0]["os"] == "Debian"
    assert (await result(client, f"/api/now/table/cmdb_ci_linux_server/{SRV}"))["name"] == "srv-01"
    assert (await client.get(f"/api/now/table/cmdb_ci_win_server/{SRV}")).status_code == 404
    mock.switches.change(parent_columns_only=False)
    assert (await result(client, f"/api/now/table/cmdb_ci/{SRV}"))["os"] == "Debian"


async def test_the_dictionary_describes_what_is_there(client: httpx.AsyncClient) -> None:
    table = "/api/now/table/sys_dictionary"
    own = await result(client, table, sysparm_query="element=u_colour", sysparm_fields="name,internal_type")
    assert own == [{"name": "cmdb_ci", "internal_type": "string"}]
    (state,) = await result(client, table, sysparm_query="name=task^element=assigned_to")
    assert (state["internal_type"], state["reference"]) == ("reference", "sys_user")
    (entry,) = await result(
        client, "/api/now/table/sys_db_object", sysparm_query="name=incident", sysparm_display_value="true"
    )
    assert entry["super_class"]["display_value"] == "Task"


async def test_choices_depend_and_may_be_closed(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    query = "name=incident^element=subcategory^dependent_value=network^ORDERBYsequence"
    rows = await result(client, "/api/now/table/sys_choice", sysparm_query=query)
    assert [row["value"] for row in rows] == ["dhcp", "dns", "ip address", "vpn", "wireless"]
    mock.switches.change(denied_tables=["sys_choice"])
    assert (await client.get("/api/now/table/sys_choice")).status_code == 403


async def test_parameters_as_filter_accept_labels(client: httpx.AsyncClient) -> None:
    assert len(await result(client, INC, state="in progress", number="INC0000003")) == 1


@pytest.mark.parametrize(
    ("path", "status", "message", "detail"),
    [
        ("/api/now/table/foo", 400, "Invalid table foo", None),
        (
            f"{INC}?sysparm_limit=0",
            400,
            "Invalid value given for sysparm_limit",
            "sysparm_limit value must be a positive integer",
        ),
        (
            f"{INC}?sysparm_limit=ten",
            400,
            "Invalid value given for sysparm_limit",
            "sysparm_limit value must be a positive integer",
        ),
        (
            f"{INC}/none",
            404,
            "No Record found",
            "Record doesn't exist or ACL restricts the record retrieval",
        ),
        (
            "/api/now/v1/table/incident?sysparm_query=number=none",
            404,
            "No Record found",
            "Record doesn't exist or ACL restricts the record retrieval",
        ),
        ("/api/now/nothing/here", 400, "Requested URI does not represent any resource", None),
        ("/api/x_rhtpp/thing", 400, "Requested URI does not represent any resource", None),
    ],
)
async def test_errors_are_worded_as_the_product_does(
    client: httpx.AsyncClient, path: str, status: int, message: str, detail: str | None
) -> None:
    answer = await client.get(path)
    assert answer.status_code == status
    assert answer.json() == {"error": {"message": message, "detail": detail}, "status": "failure"}


async def test_versions_differ_in_what_nothing_is(client: httpx.AsyncClient) -> None:
    for path in ("/api/now/v2/table/incident", INC):
        assert (await client.get(path, params={"sysparm_query": "number=none"})).json() == {"result": []}


async def test_other_errors_of_the_transport(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    assert (await client.post(f"{INC}/{7:032x}", json={})).status_code == 405
    assert (await client.post(INC, content="<a/>", headers={"Content-Type": "text/html"})).status_code == 415
    assert (await client.get(INC, headers={"Accept": "text/html"})).status_code == 406
    bad = await client.post(INC, content="{", headers={"Content-Type": "application/json"})
    assert (bad.status_code, bad.json()["error"]["message"]) == (400, "Exception while reading request")
    mock.switches.change(max_body=10)
    large = await client.post(INC, json={"short_description": "x" * 20})
    assert "Max allowed: 10 bytes" in large.json()["error"]["detail"]
    long = await client.get(INC, params={"sysparm_query": "x" * 20_000})
    assert "<html" in long.text
    xml = await client.get(
        f"{INC}/{7:032x}", headers={"Accept": "application/xml"}, params={"sysparm_fields": "number"}
    )
    assert xml.text.endswith("<response><result><number>INC0000007</number></result></response>")


async def test_accounts(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    async with httpx.AsyncClient(verify=PLAIN, base_url=mock.url) as nobody:
        refused = await nobody.get(INC)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == 'Basic realm="Service-now"'
        assert refused.json()["error"] == {
            "message": "User is not authenticated",
            "detail": "Required to provide Auth information",
        }
        assert (await nobody.get(INC, auth=("integration", "wrong"))).status_code == 401
        assert (await nobody.get(INC, headers={"x-sn-apikey": "interlock-api-key"})).status_code == 200
        mock.switches.change(api_key_paths=["/api/now/stats"])
        assert (await nobody.get(INC, headers={"x-sn-apikey": "interlock-api-key"})).status_code == 401
        assert (await nobody.post(INC, json={}, auth=("reader", "reader"))).status_code == 403


async def test_oauth_keeps_one_token_for_its_life(mock: MockServiceNow) -> None:
    mock.clock.set(1_700_000_000, frozen=True)
    secret = {"client_id": "interlock-client", "client_secret": "interlock-secret"}
    password = {"grant_type": "password", "username": "integration", "password": "integration", **secret}
    async with httpx.AsyncClient(verify=PLAIN, base_url=mock.url) as session:
        first = (await session.post("/oauth_token.do", data=password)).json()
        assert (first["token_type"], first["expires_in"], first["scope"]) == ("Bearer", 1799, "useraccount")
        mock.clock.advance(100)
        again = (await session.post("/oauth_token.do", data=password)).json()
        assert again["access_token"] == first["access_token"]
        assert again["expires_in"] == 1699
        bearer = {"Authorization": f"Bearer {first['access_token']}"}
        assert (await session.get(INC, headers=bearer)).status_code == 200
        mock.clock.advance(1800)
        assert (await session.get(INC, headers=bearer)).status_code == 401
        refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], **secret}
        renewed = (await session.post("/oauth_token.do", data=refresh)).json()
        assert renewed["access_token"] != first["access_token"]
        machine = await session.post(
            "/oauth_token.do",
            data={"grant_type": "client_credentials"},
            auth=("interlock-client", "interlock-secret"),
        )
        assert "refresh_token" not in machine.json()
        for wrong in ({**password, "password": "no"}, {**password, "client_secret": "no"}):
            refused = await session.post("/oauth_token.do", data=wrong)
            assert (refused.status_code, refused.json()["error"]) == (401, "server_error")
        assert (await session.post("/oauth_token.do", json=password)).status_code == 401


async def test_rate_limit(mock: MockServiceNow, client: httpx.AsyncClient) -> None:
    mock.clock.set(3600 * 1000 + 600, frozen=True)
    mock.switches.change(rate_limit=2)
    first = await client.get(INC, params={"sysparm_limit": 1})
    assert first.headers["X-RateLimit-Limit"] == "2"
    await client.get(INC, params={"sysparm_limit": 1})
    refused = await client.get(INC)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "3000"
    assert refused.json()["error"]["detail"] == "Rate limit of 2 requests per hour for Table API exceeded"
    mock.switches.change(rate_limit_bare=True)
    bare = await client.get(INC)
    assert (bare.status_code, bare.content, "Retry-After" in bare.headers) == (429, b"", False)
    mock.clock.advance(3000)
    assert (await client.get(INC)).status_code == 200


async def test_links_are_of_the_instance_not_of_the_request() -> None:
    switches = Switches(link_base="https://acme.example.com")
    async with MockServiceNow(a_store(), switches=switches) as mock, httpx.AsyncClient() as session:
        answer = await session.get(f"{mock.url}{INC}/{7:032x}", auth=("admin", "admin"))
        assert answer.json()["result"]["caller_id"]["link"] == f"https://acme.example.com/api/now/table/sys_user/{KIM}"


async def test_aggregates(client: httpx.AsyncClient) -> None:
    stats = "/api/now/stats/incident"
    assert await result(client, stats, sysparm_count="true") == {"stats": {"count": "40"}}
    grouped = await result(
        client,
        stats,
        sysparm_count="true",
        sysparm_avg_fields="sys_mod_count",
        sysparm_group_by="assigned_to",
        sysparm_display_value="all",
    )
    assert grouped == [
        {
            "stats": {"count": "20", "avg": {"sys_mod_count": "1.0000"}},
            "groupby_fields": [{"field": "assigned_to", "value": "", "display_value": ""}],
        },
        {
            "stats": {"count": "20", "avg": {"sys_mod_count": "1.0000"}},
            "groupby_fields": [{"field": "assigned_to", "value": KIM, "display_value": "Kim Roe"}],
        },
    ]
    having = await result(
        client, stats, sysparm_count="true", sysparm_group_by="number", sysparm_having="count^number^>^3"
    )
    assert having == []


async def test_https_with_an_authority_of_its_own() -> None:
    async with MockServiceNow(a_store(), https_port=0) as mock:
        assert mock.ca_file is not None
        trust = ssl.create_default_context(cafile=mock.ca_file)
        async with httpx.AsyncClient(verify=trust, auth=("admin", "admin")) as session:
            answer = await session.get(f"{mock.https_url}{INC}/{7:032x}")
            assert answer.json()["result"]["caller_id"]["link"].startswith(mock.https_url)
        async with httpx.AsyncClient() as distrusting:
            with pytest.raises(httpx.ConnectError):
                await distrusting.get(mock.https_url)


def test_from_a_thread() -> None:
    with MockServiceNow(a_store()).in_thread() as mock:
        answer = httpx.get(f"{mock.url}{INC}", params={"sysparm_limit": 1}, auth=("admin", "admin"))
        assert len(answer.json()["result"]) == 1
    with pytest.raises(httpx.ConnectError):
        httpx.get(mock.url)
