"""Flags through REST: who may look and act, what an act needs, and that it is in the ledger as that person."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import quote

import pytest
from tests.faces.faces_house import House

from interlock.clock import SystemClock
from interlock.quality.flags import FlagStore
from interlock.records import times

DAY = 86_400.0
REF = "snow:ci:srv web/01"  # a key as sources write them
CODES = ("CI-STALE", "CI-ORPHAN")
OTHER = "snow:incident:=1+1"
OURS = f"ref={quote(REF)}&ref={quote(OTHER)}"  # the gateway is shared: others raise flags too


@pytest.fixture(scope="module")
def people(house: House) -> dict[str, str]:
    roles = ("viewer", "steward", "approver", "administrator")
    return {role: house.person(f"flag-{role}", role) for role in roles} | {"nobody": house.person("flag-nobody")}


@pytest.fixture
def store(house: House) -> Any:
    """The store as another process has it, with two fresh flags on REF and one that reads like a formula."""
    opened = FlagStore(house.runtime.config.state)
    now = SystemClock().now()
    codes = [*CODES, "TKT-PRIO"]
    opened.replace(REF, [], codes, now)
    opened.replace(REF, [(code, "old: last_discovered @1700000000") for code in CODES], codes, now)
    opened.replace(OTHER, [("TKT-PRIO", "=cmd|calc")], codes, now)
    yield opened
    opened.close()


def ask(house: House, token: str | None, method: str, path: str, body: Any = None) -> Any:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return house.client.request(method, f"{house.thin}{path}", json=body, headers=headers)


def path(what: str = "", code: str = "CI-STALE") -> str:
    return f"/v1/flags/{quote(REF, safe='')}/{code}{what}"


@pytest.mark.usefixtures("store")
def test_who_may_look_and_who_may_act(house: House, people: dict[str, str]) -> None:
    for who in ("viewer", "steward", "approver", "administrator"):
        assert ask(house, people[who], "GET", "/v1/flags").status_code == 200
        assert ask(house, people[who], "GET", path()).status_code == 200
        assert ask(house, people[who], "GET", "/v1/flags/export").status_code == 200
        acted = ask(house, people[who], "POST", path("/ack"), {})
        assert acted.status_code == (403 if who == "viewer" else 200)
    for token, status in ((people["nobody"], 403), (house.key, 403), (None, 401)):
        for method, where in (
            ("GET", "/v1/flags"),
            ("GET", path()),
            ("GET", "/v1/flags/export"),
            ("POST", path("/ack")),
        ):
            assert ask(house, token, method, where, {} if method == "POST" else None).status_code == status


@pytest.mark.usefixtures("store")
def test_a_waiver_by_a_steward(house: House, people: dict[str, str]) -> None:
    until = times.to_text(SystemClock().now() + 30 * DAY)
    waived = ask(house, people["steward"], "POST", path("/waive"), {"reason": "in the cellar", "until": until})
    assert waived.status_code == 200, waived.text
    flag = waived.json()
    assert (flag["status"], flag["waived_until"]) == ("waived", until)
    assert flag["evidence"] == "old: last_discovered 2023-11-14T22:13:20Z"
    assert flag["lifts"]
    last = flag["events"][-1]
    assert (last["what"], last["by"], last["reason"], last["until"]) == (
        "waive",
        "flag-steward",
        "in the cellar",
        until,
    )
    entry = _entries(house)[-1]
    assert (entry["kind"], entry["principal"], entry["refs"]) == ("decision", "flag-steward", [REF])
    assert entry["detail"] == {"act": "waive", "flag": "CI-STALE", "until": until}, "no free text in the chain"
    listed = ask(house, people["viewer"], "GET", f"/v1/flags?status=waived&ref={quote(REF)}").json()["data"]
    assert [row["code"] for row in listed] == ["CI-STALE"]
    assert ask(house, people["steward"], "POST", path("/reopen"), {"reason": "found it"}).json()["status"] == "open"


def _entries(house: House) -> list[dict[str, Any]]:
    import sqlite3

    db = sqlite3.connect(house.runtime.config.state / "ledger.sqlite")
    rows = db.execute("SELECT body FROM chain ORDER BY seq").fetchall()
    db.close()
    return [json.loads(body) for (body,) in rows if '"decision"' in str(body)]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("what", "body", "status", "field"),
    [
        ("waive", {"reason": "x"}, 422, "until"),
        ("waive", {"reason": "x", "until": "2020-01-01"}, 422, "until"),
        ("waive", {"reason": "x", "until": "2099-01-01"}, 422, "until"),
        ("waive", {"reason": "x", "until": "soon"}, 422, "until"),
        ("waive", {"reason": " ", "until": "2099-01-01"}, 422, "reason"),
        ("waive", {"until": "2099-01-01"}, 422, "reason"),
        ("assign", {}, 422, "assignee"),
        ("ack", {"by": "somebody-else"}, 422, "by"),
    ],
)
def test_an_act_that_cannot_be_is_neither_done_nor_recorded(
    house: House, people: dict[str, str], what: str, body: Any, status: int, field: str
) -> None:
    before = len(_entries(house))
    answer = ask(house, people["steward"], "POST", path(f"/{what}"), body)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert len(_entries(house)) == before
    assert ask(house, people["viewer"], "GET", path()).json()["status"] == "open"


@pytest.mark.usefixtures("store")
def test_unknown_flags_and_states(house: House, people: dict[str, str], store: FlagStore) -> None:
    assert ask(house, people["viewer"], "GET", "/v1/flags/snow:ci:none/CI-STALE").status_code == 404
    assert ask(house, people["steward"], "POST", "/v1/flags/snow:ci:none/CI-STALE/ack", {}).status_code == 404
    store.replace(REF, [], CODES, SystemClock().now())
    assert ask(house, people["steward"], "POST", path("/ack"), {}).status_code == 409
    for query in ("status=lost", "severity=worst", "limit=0", "limit=1001", "order=age", "cursor=x", "cursor=W10"):
        assert ask(house, people["viewer"], "GET", f"/v1/flags?{query}").status_code == 422, query
    assert ask(house, people["viewer"], "GET", "/v1/flags/export?format=doc").status_code == 422


@pytest.mark.usefixtures("store")
def test_pages_end(house: House, people: dict[str, str]) -> None:
    seen, cursor = [], ""
    while True:
        page = ask(house, people["viewer"], "GET", f"/v1/flags?limit=1&{OURS}{cursor}").json()
        seen += [(row["ref"], row["code"]) for row in page["data"]]
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"
    assert sorted(seen) == sorted([(REF, code) for code in CODES] + [(OTHER, "TKT-PRIO")])


@pytest.mark.usefixtures("store")
def test_files(house: House, people: dict[str, str]) -> None:
    def take(format: str) -> Any:  # noqa: A002
        answer = ask(house, people["viewer"], "GET", f"/v1/flags/export?format={format}&{OURS}")
        assert answer.status_code == 200, answer.text
        return answer

    rows = [json.loads(line) for line in take("jsonl").text.splitlines()]
    assert {(row["ref"], row["code"]) for row in rows} == {(REF, code) for code in CODES} | {(OTHER, "TKT-PRIO")}
    table = list(csv.DictReader(io.StringIO(take("csv").text)))
    assert [row["ref"] for row in table] == [row["ref"] for row in rows]
    assert table[-1]["evidence"] == "'=cmd|calc", "no cell begins as a formula"
    import pyarrow.parquet as pq

    assert pq.read_table(io.BytesIO(take("parquet").content)).to_pylist() == rows
    from openpyxl import load_workbook

    sheet = load_workbook(io.BytesIO(take("xlsx").content)).active
    cells = [[cell.value for cell in line] for line in sheet.iter_rows()]
    assert cells[0][0] == "ref"
    assert len(cells) == len(rows) + 1
    assert all(cell.data_type != "f" for line in sheet.iter_rows() for cell in line)
