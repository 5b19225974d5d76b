"""What ``interlock sources test`` finds, over real sockets: each fault is seen at its step, and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from mock_servers.faults import Rule
from mock_servers.servicenow import certificates
from mock_servers.servicenow.gs_dates import FORMAT
from mock_servers.servicenow.server import MockServiceNow
from mock_servers.servicenow.settings import User
from tests.adapterkit.http_sockets import Proxy, listening, reply
from tests.adapters.remedy_bench import remedy

from interlock.adapterkit.product import compile_product
from interlock.adapterkit.wire import Answer
from interlock.adapterkit.yamlfile import MappingError
from interlock.clock import AsOfClock, Clock, SystemClock
from interlock.config import SourceConfig
from interlock.conformance.declaration import load_declaration
from interlock.conformance.doctor.answers import limits
from interlock.conformance.doctor.examine import examine
from interlock.conformance.doctor.finding import Finding
from interlock.conformance.doctor.trial import Heard
from interlock.conformance.mocks import mocked
from interlock.places import place
from interlock.telemetry import silent_telemetry

SECRET = "Sehr-Geheim-77"
CHANGED = "2026-03-01 08:00:00"
ROW = {"sys_updated_on": CHANGED, "sys_created_on": CHANGED}
TABLES: dict[str, list[dict[str, Any]]] = {
    "incident": [{"sys_id": "1" * 32, "number": "INC0000001", "short_description": "VPN down", **ROW}],
    "cmdb_ci": [{"sys_id": "c" * 32, "name": "web01", "sys_class_name": "cmdb_ci_server", **ROW}],
}


@contextlib.asynccontextmanager
async def instance(**more: Any) -> AsyncIterator[MockServiceNow]:
    """A mock with one integration account."""
    account = User("integration", SECRET, frozenset({"itil"}))
    async with MockServiceNow(users=[User("admin", "admin", frozenset({"admin"})), account], **more) as mock:
        mock.store.load(TABLES)
        yield mock


async def examined(
    base_url: str, *, adapter: str = "servicenow", clock: Clock | None = None, **changes: Any
) -> dict[str, Finding]:
    clock = clock or SystemClock()
    body = {
        "adapter": adapter,
        "environment": "test",
        "base_url": base_url,
        "auth": {"basic": {"username": "integration", "password": SECRET}},
        "timeout_s": 3,
        **changes,
    }
    config = SourceConfig.model_validate(body, context={"folder": Path()})
    found = await examine("snow", config, place("adapters") / adapter, clock, silent_telemetry(clock))
    assert SECRET not in repr(found)
    assert all(each.do for each in found if each.result == "wrong")
    steps = {each.id: each for each in found}
    assert len(steps) == len(found)
    return steps


def wrong(steps: dict[str, Finding]) -> list[str]:
    return [each.id for each in steps.values() if each.result == "wrong"]


async def test_nothing_is_wrong_with_a_healthy_source_and_nothing_is_written() -> None:
    async with instance(https_port=0) as mock:
        before = {name: mock.store.get(name, TABLES[name][0]["sys_id"]) for name in TABLES}
        steps = await examined(mock.https_url, ca_file=str(mock.ca_file))
        assert {name: mock.store.get(name, TABLES[name][0]["sys_id"]) for name in TABLES} == before
    assert wrong(steps) == ["choice.ci.discovery_source"]  # an instance as shipped lacks our choice
    assert "discovery_source" in steps["choice.ci.discovery_source"].do
    for step in ("settings", "name", "connect", "tls", "http", "credentials", "clock", "limits", "time_zone"):
        assert steps[step].result == "ok", steps[step]
    assert "29 days" in steps["tls"].means
    assert steps["write.incident"].result == "cannot_tell"
    assert steps["read.problem"].result == "cannot_tell"  # no rows: hidden, or none


async def test_the_choice_that_writes_of_cis_need() -> None:
    async with instance() as mock:
        steps = await examined(mock.url, settings={"data_source": "ServiceNow"})
    assert steps["choice.ci.discovery_source"].result == "ok"
    assert wrong(steps) == []


async def test_a_wrong_password_is_tried_once() -> None:
    async with instance() as mock:
        account = {"basic": {"username": "integration", "password": "not-the-password"}}
        steps = await examined(mock.url, auth=account)
    assert wrong(steps) == ["credentials"]
    assert steps["http"].result == "ok"
    assert steps["read"].result == "skipped"
    assert "not-the-password" not in repr(steps)


async def test_a_denied_table_is_a_matter_of_rights() -> None:
    async with instance() as mock:
        mock.switches.change(denied_tables=["kb_knowledge", "incident"])
        steps = await examined(mock.url, settings={"data_source": "ServiceNow"})
    assert wrong(steps) == ["read.article", "read.incident", "write.incident"]
    assert steps["credentials"].result == "ok"
    assert "right to read incident" in steps["read.incident"].do


async def test_hidden_fields_are_named() -> None:
    async with instance() as mock:
        mock.switches.change(column_acl={"incident": ["short_description"]})
        steps = await examined(mock.url)
    assert steps["read.incident"].result == "cannot_tell"
    assert "title" in steps["read.incident"].means


@pytest.mark.parametrize(
    ("variant", "word"), [("hibernate", "hibernating"), ("maintenance", "maintenance"), ("login", "login page")]
)
async def test_a_page_instead_of_data(variant: str, word: str) -> None:
    async with instance() as mock:
        mock.faults.set([Rule("html", variant=variant)])
        steps = await examined(mock.url)
    assert wrong(steps) == ["http"]
    assert word in steps["http"].means
    assert steps["credentials"].result == steps["read"].result == "skipped"


async def test_a_redirect_to_single_sign_on() -> None:
    async with listening(_redirecting) as port:
        steps = await examined(f"http://127.0.0.1:{port}")
    assert wrong(steps) == ["http"]
    assert "sso.example" in steps["http"].means
    assert "token" not in steps["http"].means


async def _redirecting(reader: Any, writer: Any) -> None:
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(b"", "302 Found", "Location: https://sso.example/login?token=abc"))
        await writer.drain()


@pytest.mark.parametrize(("shift", "word"), [(300.0, "300 s ahead of"), (-7200.0, "7200 s behind")])
async def test_clocks_that_differ(shift: float, word: str) -> None:
    async with instance() as mock:
        clock = AsOfClock(SystemClock().now() + shift)
        steps = await examined(mock.url, clock=clock, settings={"data_source": "ServiceNow"})
    assert wrong(steps) == ["clock"]
    seconds, side = word.split(" s ")
    assert side in steps["clock"].means
    assert any(f" {int(seconds) + by} s " in steps["clock"].means for by in (-2, -1, 0, 1, 2))


@pytest.mark.parametrize("hours", [-5, 5.5])
async def test_an_account_in_another_zone(hours: float) -> None:
    """The mock takes times in queries for UTC whatever the account's zone; what stands before it shifts them."""
    async with instance() as mock:

        async def shifting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            to = urlsplit(mock.url)
            answers, requests = await asyncio.open_connection(to.hostname, to.port)
            back = asyncio.ensure_future(_passed_on(answers, writer))
            with contextlib.suppress(asyncio.IncompleteReadError):
                while True:
                    requests.write(_shifted(await reader.readuntil(b"\r\n\r\n"), timedelta(hours=hours)))
            requests.close()
            await back

        async with listening(shifting) as port:
            steps = await examined(f"http://127.0.0.1:{port}", settings={"data_source": "ServiceNow"})
    assert wrong(steps) == ["time_zone"]
    assert "GMT" in steps["time_zone"].do


def _shifted(head: bytes, by: timedelta) -> bytes:
    def shift(found: re.Match[bytes]) -> bytes:
        moment = datetime.strptime(unquote(found[0].decode()), FORMAT) - by  # noqa: DTZ007 - local to the account
        return quote(moment.strftime(FORMAT)).encode()

    return re.sub(rb"\d{4}-\d\d-\d\d%20\d\d%3A\d\d%3A\d\d", shift, head)


async def _passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)


async def test_a_record_from_the_future() -> None:
    async with instance() as mock:
        moment = (datetime.now(UTC) + timedelta(hours=3)).strftime("%Y-%m-%d %H:%M:%S")
        mock.store.load({"incident": [{"sys_id": "2" * 32, "number": "INC0000002", "sys_updated_on": moment}]})
        steps = await examined(mock.url, settings={"data_source": "ServiceNow"})
    assert wrong(steps) == ["time_zone"]
    assert "3.0 hours from now" in steps["time_zone"].means


async def test_a_certificate_that_has_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    class Past(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) - timedelta(days=90)

    monkeypatch.setattr(certificates, "datetime", Past)
    async with instance(https_port=0) as mock:
        steps = await examined(mock.https_url, ca_file=str(mock.ca_file))
    assert wrong(steps) == ["tls"]
    assert "has expired" in steps["tls"].means
    assert steps["http"].result == steps["credentials"].result == "skipped"


async def test_a_certificate_of_an_unknown_authority() -> None:
    async with instance(https_port=0) as mock:
        steps = await examined(mock.https_url)
    assert wrong(steps) == ["tls"]
    assert "not trusted" in steps["tls"].means
    assert "ca_file" in steps["tls"].do


async def test_http_on_the_port_of_https() -> None:
    async with instance() as mock:
        steps = await examined(mock.url.replace("http://", "https://"))
    assert wrong(steps) == ["tls"]
    assert "speaks https" in steps["tls"].do


async def test_nobody_listens() -> None:
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))  # bound, so that nobody else takes it, but not listening
        steps = await examined(f"http://127.0.0.1:{kept.getsockname()[1]}")
    assert wrong(steps) == ["connect"]
    assert "refuses" in steps["connect"].means


async def test_a_name_that_nobody_knows() -> None:
    steps = await examined("https://snow.invalid")
    assert wrong(steps) == ["name"]
    assert "DNS" in steps["name"].do
    assert {each.result for name, each in steps.items() if name not in ("settings", "name")} == {"skipped"}


@pytest.mark.parametrize("bare", [False, True])
async def test_a_limit_that_is_passed(bare: bool) -> None:
    async with instance() as mock:
        mock.switches.change(rate_limit=1, rate_limit_bare=bare)
        steps = await examined(mock.url)
    assert wrong(steps) == ["limits"]
    assert ("asks to wait" in steps["limits"].means) is not bare
    assert "limits.per_hour" in steps["limits"].do


@pytest.mark.parametrize(("left", "result"), [("3", "wrong"), ("80", "ok")])
def test_a_limit_that_is_near(left: str, result: str) -> None:
    headers = {"x-ratelimit-limit": "100", "x-ratelimit-remaining": left}
    config = SourceConfig(adapter="servicenow", base_url="https://snow.invalid")
    found = limits([Heard(Answer(200, headers, b"{}", 0.1), 0.0)], config)
    assert (found.result, f"{left} are left" in found.means) == (result, True)
    assert "limits" in found.do


async def test_a_proxy_that_asks_for_an_account() -> None:
    proxy = Proxy(authorization="Basic abc")
    async with instance() as mock, listening(proxy.serve) as port:
        steps = await examined(mock.url, proxy=f"http://127.0.0.1:{port}")
    assert wrong(steps) == ["http"]
    assert "proxy" in steps["http"].means.lower()


async def test_settings_that_cannot_work(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    steps = await examined("https://snow.invalid", ca_file=str(tmp_path / "ca.pem"))
    assert wrong(steps) == ["settings"]
    assert "ca_file" in steps["settings"].means


async def test_an_export_has_records_and_no_line(tmp_path: Path) -> None:
    folder = place("adapters") / "export"
    part = load_declaration(folder).mock
    assert part is not None
    clock = SystemClock()
    async with mocked("export", part, tmp_path) as (config, _):
        found = await examine("legacy", config, folder, clock, silent_telemetry(clock))
        (tmp_path / "cis.json").unlink()
        gone = await examine("legacy", config, folder, clock, silent_telemetry(clock))
    assert [each.id for each in found] == [
        "settings",
        *(f"read.{kind}" for kind in ("ci", "group", "incident", "person")),
        "time_zone",
    ]
    assert not any(each.result == "wrong" for each in found), found
    assert [each.id for each in gone if each.result == "wrong"] == ["read.ci"]


async def test_a_soap_source(tmp_path: Path) -> None:
    async with remedy(tmp_path) as (_, mock):
        settings = {"server": "arserver"}
        account = {"username": "integration", "password": "integration"}
        clock = AsOfClock(SystemClock().now())
        good = await examined(mock.url, adapter="remedy", settings=settings, auth={"basic": account}, clock=clock)
        bad = await examined(mock.url, adapter="remedy", settings=settings)
    assert good["credentials"].result == good["read.incident"].result == "ok"
    assert wrong(bad) == ["credentials"]


async def test_a_source_that_echoes_the_password_does_not_make_us_print_it() -> None:
    async def echoing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            body = b'{"error": {"message": "User Not Authenticated: ' + SECRET.encode() + b'"}}'
            writer.write(reply(body, "401 Unauthorized", "Content-Type: application/json"))
            await writer.drain()

    async with listening(echoing) as port:
        steps = await examined(f"http://127.0.0.1:{port}")  # looks for the secret itself
    assert wrong(steps) == ["credentials"]
    assert "***" in steps["credentials"].means


def test_what_is_needed_must_be_mapped(tmp_path: Path) -> None:
    folder = tmp_path / "servicenow"
    shutil.copytree(place("adapters") / "servicenow", folder)
    path = folder / "conformance.yaml"
    path.write_text(path.read_text().replace("field: discovery_source", "field: discovery_sorce"))
    with pytest.raises(MappingError, match="discovery_sorce"):
        load_declaration(folder, compile_product(folder, source="snow"))
