"""A recording: nothing of the source stands in it, and it answers the read rules as the source did."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from mock_servers.estate import Size, generate
from mock_servers.estate.assumptions import DEFAULT_AS_OF
from mock_servers.estate.servicenow import tables
from mock_servers.servicenow.server import MockServiceNow
from mock_servers.servicenow.settings import User
from mock_servers.servicenow.store import Store
from typer.testing import CliRunner, Result

from interlock.cli.main import app
from interlock.clock import SystemClock
from interlock.config import SourceConfig
from interlock.conformance.bench import Bench
from interlock.conformance.pseudonyms import Pseudonyms
from interlock.conformance.recording import Recorder
from interlock.conformance.run import prepared
from interlock.places import place
from interlock.records.filters import Query

ADAPTERS = place("adapters")
PRIVATE = (
    "user_name", "name", "first_name", "last_name", "email", "employee_number", "serial_number", "asset_tag", "fqdn",
    "ip_address", "mac_address", "short_description", "description", "close_notes", "comments", "text", "workaround",
    "cause_notes", "justification", "implementation_plan", "backout_plan", "test_plan", "sys_created_by",
    "sys_updated_by", "display_name", "full_name", "street", "city", "title",
)  # fmt: skip
TABLES = (
    "sys_user", "cmn_", "core_company", "cmdb_ci", "cmdb_model", "service_offering", "incident", "change_request",
    "problem", "kb_knowledge", "sc_request",
)  # fmt: skip
SECRET = "Zq7-rather-long-password"


def estate() -> dict[str, list[dict[str, Any]]]:
    return tables(generate(1, Size.of(200), DEFAULT_AS_OF))


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["adapter", "check", *map(str, arguments)])


async def _record(folder: Path) -> tuple[str, Result]:
    store = Store()
    store.load(estate())
    async with MockServiceNow(
        store, users=[User("kit-reader", SECRET, frozenset({"admin", "itil"}), full_name="Kit Reader")]
    ) as mock:
        config = folder.parent / "interlock.yaml"
        source = {
            "adapter": "servicenow",
            "environment": "test",
            "base_url": mock.url,
            "auth": {"basic": {"username": "kit-reader", "password": SECRET}},
            "limits": {"per_second": None},
        }
        config.write_bytes(orjson.dumps({"sources": {"desk": source}}))
        arguments = (folder, "--source", "desk", "--config", config, "--record", "--json", folder.parent / "live.json")
        return mock.url, await asyncio.to_thread(invoke, *arguments)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An adapter's folder with a recording of the mock, made over sockets, and the address of the mock."""
    folder = tmp_path_factory.mktemp("kit") / "servicenow"
    shutil.copytree(ADAPTERS / "servicenow", folder, ignore=shutil.ignore_patterns("__pycache__", "recordings"))
    url, result = asyncio.run(_record(folder))
    assert (folder / "recordings/source.json").is_file(), result.output
    return folder, url


def results(file: Path) -> dict[str, str]:
    return {f"{each['rule']}/{each['kind']}": each["outcome"] for each in orjson.loads(file.read_bytes())["results"]}


def exchanges(folder: Path, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads((folder / "recordings" / f"{kind}.json").read_bytes())
    return found


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif value is not None:
        yield str(value)


def test_nothing_of_people_machines_and_texts_stands_in_a_recording(made: tuple[Path, str]) -> None:
    folder, _ = made
    known = estate()
    originals = {
        str(row[column])
        for table, rows in known.items()
        if table.startswith(TABLES)
        for row in rows
        for column in PRIVATE
        if len(row.get(column) or "") > 1  # a serial number 0 is a count elsewhere
    } | {row[column] for row in known["sys_journal_field"] for column in ("value", "sys_created_by")}
    assert len(originals) > 1000
    recorded = {
        leaf for file in (folder / "recordings").glob("*.json") for leaf in leaves(orjson.loads(file.read_bytes()))
    }
    assert len(recorded) > 1000
    assert recorded & originals == set()
    everything = "\n".join(recorded).casefold()
    ours = (folder / "mapping/ci.yaml").read_text()  # an account is called discovery, and a column discovery_source
    assert [each for each in originals if len(each) > 8 and each.casefold() in everything and each not in ours] == []


def test_no_credential_and_no_address_stands_in_a_recording(made: tuple[Path, str]) -> None:
    folder, url = made
    text = "".join(file.read_text() for file in (folder / "recordings").glob("*.json")).lower()
    for word in ("kit-reader", SECRET.lower(), "authorization", "cookie", url.removeprefix("http://"), "127.0.0.1"):
        assert word not in text


def rows(folder: Path, kind: str) -> list[dict[str, Any]]:
    pages = [each["answer"]["body"]["result"] for each in exchanges(folder, kind) if each["answer"]["status"] == 200]
    return [row for page in pages if isinstance(page, list) for row in page if "sys_id" in row]


def test_equal_values_have_equal_pseudonyms_in_all_files(made: tuple[Path, str]) -> None:
    folder, _ = made
    names = {row["sys_id"]["value"]: row["user_name"]["value"] for row in rows(folder, "person") if "user_name" in row}
    callers = {
        (row["caller_id"]["value"], row["caller_id.user_name"]["value"])
        for row in rows(folder, "incident")
        if "caller_id.user_name" in row and row["caller_id"]["value"] in names
    }
    assert len(callers) > 10
    assert all(names[handle] == name for handle, name in callers)


LOGINS: list[dict[str, Any]] = [
    {"basic": {"username": "admin", "password": "admin"}},
    {"oauth2": {"client_id": "interlock-client", "client_secret": "interlock-secret"}},
]


@pytest.mark.parametrize("auth", LOGINS)
async def test_a_request_by_a_pseudonym_reaches_the_source_with_the_value(auth: dict[str, Any], tmp_path: Path) -> None:
    folder = ADAPTERS / "servicenow"
    store = Store()
    store.load(estate())
    async with MockServiceNow(store) as mock:
        body = {"adapter": "servicenow", "environment": "test", "base_url": mock.url, "auth": auth}
        config = SourceConfig.model_validate(body)
        product, declaration = prepared(folder, "kit", config)
        assert product is not None
        recorder = Recorder(product, config)
        bench = Bench(folder, product, declaration, SystemClock(), tmp_path, config=config, recorder=recorder)
        first, _ = bench.open()
        found = (await first.search("person", Query(limit=5))).records[-1]
        second, _ = bench.open()  # it knows no handle of a key yet
        again = await second.get("person", found["user_name"])
        await first.close()
        await second.close()
    assert again.record["email"] == found["email"]
    original = next(row for row in store.rows("sys_user") if row["sys_id"] == again.handle)
    assert original["user_name"] != found["user_name"]
    recorder.save(tmp_path, "2026-03-01T00:00:00Z")
    text = "".join(file.read_text() for file in (tmp_path / "recordings").glob("*.json"))
    assert f"user_name={found['user_name']}" in text
    assert original["user_name"] not in text
    assert "token" not in text


def test_a_replay_runs_the_read_rules_as_the_source_did_without_a_socket(
    made: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = made

    def refused(*_: object) -> None:
        raise AssertionError("a socket was connected")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket.socket, "connect_ex", refused)
    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", refused)
    shown = invoke(folder, "--only", "READ", "--json", folder.parent / "replayed.json")
    live, replayed = results(folder.parent / "live.json"), results(folder.parent / "replayed.json")
    assert "failed" not in replayed.values(), shown.output
    assert {name: replayed[name] for name in live} == live
    assert sum(outcome == "passed" for outcome in replayed.values()) > 40
    assert set(replayed) - set(live) == {"READ-CREDENTIALS/None"}
    assert replayed["READ-CREDENTIALS/None"] == "skipped"


def test_an_adapter_that_asks_otherwise_than_when_it_was_recorded_fails(made: tuple[Path, str], tmp_path: Path) -> None:
    folder = tmp_path / "servicenow"
    shutil.copytree(made[0], folder)
    mapping = folder / "mapping/group.yaml"
    mapping.write_text(mapping.read_text().replace("  email: {read: email}\n", ""))
    invoke(folder, "--only", "READ-CONTRACT", "--json", tmp_path / "r.json")
    found = {each["kind"]: each for each in orjson.loads((tmp_path / "r.json").read_bytes())["results"]}
    assert {kind for kind, each in found.items() if each["outcome"] == "failed"} == {"group"}
    assert "the recording does not hold" in found["group"]["seen"]


def test_what_cannot_be_recorded_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "interlock.yaml"
    login = {"basic": {"username": "a", "password": "b"}}
    common = {"environment": "test", "base_url": "http://127.0.0.1:9", "auth": login}
    sources = {
        "soap": {**common, "adapter": "remedy"},
        "own": {**common, "adapter": "servicenow", "settings": {"language": "de"}},
    }
    config.write_bytes(orjson.dumps({"sources": sources}))
    for name, source in sources.items():
        refused = invoke(source["adapter"], "--source", name, "--config", config, "--record")
        assert refused.exit_code != 0
        assert "cannot be recorded" in str(refused.exception or refused.output)
    assert "needs a source" in str((found := invoke("servicenow", "--record")).exception or found.output)


def test_pseudonyms_keep_the_form() -> None:
    words = Pseudonyms()
    assert words.of("Jane.Doe@acme.example").count("@") == 1
    assert all(0 <= int(part) <= 255 for part in words.of("172.16.254.1").split("."))
    mac = words.of("00:1A:2B:3C:4D:5E")
    assert len(bytes.fromhex(mac.replace(":", ""))) == 6
    assert words.of("SRV-0042") == words.of("SRV-0042") != words.of("SRV-0043")
    assert words.back(f"name={words.of('SRV-0042')}^a=b") == "name=SRV-0042^a=b"
    assert Pseudonyms().of("SRV-0042 in Basel") != words.of("SRV-0042 in Basel")
    long = "Call Jane Doe.\n" * 20
    assert "Jane" not in words.of(long)
    assert len(long) * 0.9 < len(words.of(long)) <= len(long) + 32


def test_a_value_that_a_query_cannot_hold_is_not_put_back() -> None:
    words = Pseudonyms(refuse=["^(?i:javascript:)"])
    made = words.of("javascript:gs.name")
    assert words.back(f"name={made}") == f"name={made}"
