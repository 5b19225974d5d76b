"""``serve`` as a process: ready, one folder one gateway, a clean end; MCP over stdin and stdout; the demo."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson
import pytest
from tests.cli.commands import Shell

from interlock.cli.demo_night import run_night
from interlock.cli.demo_story import run_story
from interlock.governance.ledger import verify

AGENT = "{id: bot, owner: olga, purpose: Tests., tools: [triage-read], read: {incident: {}}}"
RUN = [sys.executable, "-c", "from interlock.cli.main import main; main()"]


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")} | more


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A running ``interlock serve`` and its address, from its own ready line."""
    process = subprocess.Popen(
        [*RUN, "serve", *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    try:
        assert process.stderr is not None
        line = orjson.loads(process.stderr.readline())
        assert (line["event"], line["level"]) == ("ready", "info")
        yield process, line["url"]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def serve(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUN, "serve", *words], cwd=folder, capture_output=True, text=True, timeout=30, env=environment()
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_is_ready_and_ends_cleanly(shell: Shell, number: int) -> None:
    shell.ok("agents", "add", shell.write("bot.yaml", AGENT))
    key = shell.ok("agents", "token", "bot").strip()
    with serving(shell.folder) as (process, url):
        assert httpx.get(f"{url}/healthz", trust_env=False).json()["status"] == "ok"
        call = ("call", "--url", url, "--key", key)
        assert orjson.loads(shell.ok(*call, "whoami"))["data"]["id"] == "bot"
        assert "Did you mean incident_search?" in shell.fails(*call, "tool_describe", "name=incident_serch")
        assert "source_list" in shell.fails(*call, "incident_search")  # there are no sources
        assert "401" not in shell.fails("call", "whoami", "--url", url, "--key", "wrong")
        if number == signal.SIGTERM:
            busy = serve(shell.folder, "--port", "0")
            assert busy.returncode == 1
            assert str(process.pid) in busy.stderr
            assert "Traceback" not in busy.stderr
        process.send_signal(number)
        _, rest = process.communicate(timeout=15)
        assert process.returncode == 0, rest
        assert b"Traceback" not in rest
        assert key.encode() not in rest
    report = verify(shell.folder / "state")
    assert report.ok
    assert report.entries >= 5  # start, the acts, the calls, stop


def test_an_address_that_is_taken_is_one_clear_line(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = serve(shell.folder, "--port", port)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr
    assert serve(shell.folder, "--port", "99999").returncode == 2


def test_stdio_wants_the_key_of_an_agent(shell: Shell) -> None:
    assert "INTERLOCK_KEY" in shell.fails("serve", "--stdio")
    shell.monkeypatch.setenv("INTERLOCK_KEY", "wrong")
    told = shell.fails("serve", "--stdio")
    assert "wrong" not in told


async def test_mcp_over_stdin_and_stdout(shell: Shell) -> None:
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    shell.ok("agents", "add", shell.write("bot.yaml", AGENT))
    key = shell.ok("agents", "token", "bot").strip()
    server = StdioServerParameters(
        command=RUN[0], args=[*RUN[1:], "serve", "--stdio"], cwd=shell.folder, env=environment(INTERLOCK_KEY=key)
    )
    with open(os.devnull, "w") as quiet:  # noqa: ASYNC230
        async with Client(stdio_client(server, errlog=quiet)) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"whoami", "incident_search"} <= names
            assert "incident_resolve" not in names
            answer = await client.call_tool("whoami", {})
            assert "bot" in str(answer.content)
    began = time.monotonic()
    while True:  # it ends with its client, and lets go of its folder
        if serve_is_free(shell.folder):
            break
        assert time.monotonic() - began < 10
        time.sleep(0.05)  # noqa: ASYNC251


def serve_is_free(folder: Path) -> bool:
    from interlock.state.errors import StateError
    from interlock.state.files import WriterLock

    try:
        lock = WriterLock(folder / "state" / "ledger.sqlite")
    except StateError:
        return False
    lock.release()
    return True


async def test_the_demo_s_story_comes_out_as_it_should(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run_story(300, 7, tmp_path / "state", keep=False)
    told = capsys.readouterr().out
    assert "NOT ok" not in told
    assert "the ledger verifies" in told


@pytest.mark.slow
async def test_the_demo_s_night_comes_out_as_it_should(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run_night(300, 7, tmp_path / "state")
    told = capsys.readouterr().out
    assert "NOT ok" not in told
    assert "held, waived, applied" in told


def test_the_demo_says_what_sizes_there_are(shell: Shell) -> None:
    assert shell.run("demo", "--size", "5").code == 2
    assert "nowhere" in shell.fails("demo", "--data", "nowhere")
