"""Every command: its help, what it does, and one clear line for what cannot be done."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import orjson
import pytest
import typer
from tests.cli.commands import Shell

from interlock.cli.main import app
from interlock.config.load import load_config
from interlock.tools.catalogue import BY_NAME
from interlock.tools.contracts import VERSION

AGENT = """
id: triage
owner: olga
purpose: Sorts tickets.
tools: [triage-read, incident_add_note]
read: {incident: {hide: [caller]}, ci: {}}
stage: reviewed
"""


def commands() -> list[list[str]]:
    group = typer.main.get_command(app)
    found: list[list[str]] = [[]]
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        found.append([name])
        found += [[name, sub] for sub in getattr(command, "commands", ())]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_says_what_it_is_for(shell: Shell, words: list[str]) -> None:
    out = shell.ok(*words, "--help")
    assert "Usage:" in out
    assert re.search(r"[a-z]{4,}.*\.\s", out)
    assert out == shell.ok(*words, "-h")


def test_the_issue_s_commands_are_all_there() -> None:
    names = {" ".join(words) for words in commands()}
    wanted = "serve demo call tools sources contracts adapter checks agents people approvals ledger connect"
    assert set(wanted.split()) <= names
    assert {"contracts export", "adapter list", "adapter try", "checks build", "ledger verify"} <= names


def test_version_and_unknown_commands(shell: Shell) -> None:
    assert re.fullmatch(r"interlock \d+\.\d+\.\d+\n", shell.ok("--version"))
    assert shell.run("serv").code == 2
    assert shell.run().code in (0, 2)  # the help


CONFIGURED = [
    ["serve"],
    ["serve", "--stdio"],
    ["agents", "list"],
    ["agents", "token", "x"],
    ["people", "list"],
    ["sources", "list"],
    ["ledger", "verify"],
]


@pytest.mark.parametrize("words", CONFIGURED, ids=" ".join)
def test_without_a_configuration_it_says_how_to_make_one(shell: Shell, words: list[str]) -> None:
    (shell.folder / "interlock.yaml").unlink()
    told = shell.fails(*words)
    assert "there is no configuration interlock.yaml" in told
    assert "interlock serve --help" in told
    assert "other.yaml" in shell.fails(*words, "--config", "other.yaml")


def test_the_example_of_the_help_is_a_configuration(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    out = shell.ok("serve", "--help")
    example = textwrap.dedent(out[out.index(" state: ") : out.index("╭")])
    monkeypatch.setenv("SNOW_PASSWORD", "x")
    config = load_config(shell.folder / shell.write("made.yaml", example))
    assert config.sources["snow"].adapter == "servicenow"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stat: x", ["interlock.yaml", "stat"]),
        ("state: x\nsources:\n  snow:\n    adapter: servicenov\n    base_url: http://x\n", [":4", "servicenow"]),
        ("state: [", ["interlock.yaml"]),
        ("state: x\nlisten: {port: 99999}", [":2", "port"]),
    ],
)
def test_a_wrong_configuration_names_the_place(shell: Shell, text: str, words: list[str]) -> None:
    shell.write("interlock.yaml", text)
    told = shell.run("agents", "list").err
    assert told.startswith("error: ")
    assert all(word in told for word in words), told


class TestPrincipals:
    def test_the_life_of_an_agent(self, shell: Shell) -> None:
        file = shell.write("triage.yaml", AGENT)
        assert "added" in shell.ok("agents", "add", file)
        assert "changed" in shell.ok("agents", "add", file)
        listed = shell.ok("agents", "list")
        assert re.search(r"triage\s.*active.*reviewed.*olga.*ci, incident", listed)
        done = shell.run("agents", "token", "triage", "--days", "1")
        (token,) = done.out.splitlines()
        key = done.err.split()[1]
        assert "valid 1 days" in done.err
        assert token not in done.err
        rotated = shell.run("agents", "rotate", key, "--overlap", "5")
        assert rotated.out.strip() not in ("", token)
        assert "revoked" in shell.ok("agents", "revoke", key)
        assert "suspended" in shell.ok("agents", "suspend", "triage")
        assert "suspended" in shell.ok("agents", "list")
        assert "active" in shell.ok("agents", "resume", "triage")
        # Nothing that was printed but once is in the state in the clear.
        raw = b"".join(path.read_bytes() for path in (shell.folder / "state").glob("principals.sqlite*"))
        assert token.encode() not in raw
        assert os.stat(shell.folder / "state").st_mode & 0o077 == 0

    def test_the_life_of_a_person(self, shell: Shell) -> None:
        roles = ("--role", "approver", "--role", "viewer", "--group", "ops")
        assert "added" in shell.ok("people", "add", "maria", "--name", "María", *roles)
        assert re.search(r"maria\s.*María.*active.*approver, viewer.*ops", shell.ok("people", "list"))
        assert len(shell.ok("people", "token", "maria").splitlines()) == 1
        assert "suspended" in shell.ok("people", "suspend", "maria")

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["agents", "add", "none.yaml"], "none.yaml"),
            (["agents", "token", "nobody"], "nobody"),
            (["agents", "suspend", "nobody"], "nobody"),
            (["agents", "rotate", "k_none"], "k_none"),
            (["agents", "revoke", "k_none"], "k_none"),
            (["people", "add", "ben", "--name", "Ben", "--role", "aprover"], "approver"),
            (["people", "add", "Ben!", "--name", "Ben"], "Ben!"),
            (["people", "token", "nobody"], "nobody"),
        ],
        ids=lambda words: " ".join(words) if isinstance(words, list) else "",
    )
    def test_what_cannot_be_done(self, shell: Shell, words: list[str], told: str) -> None:
        assert told in shell.fails(*words)

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ("tools: [incident_gett]", "incident_get"),
            ("read: {incidnet: {}}", "incident"),
            ("read: {incident: {hide: [calller]}}", "caller"),
            ("stge: shadow", "stage"),
            ("tools: {", "YAML"),
        ],
    )
    def test_a_wrong_declaration_names_the_nearest_word(self, shell: Shell, line: str, told: str) -> None:
        base = "\n".join(row for row in AGENT.splitlines() if not row.startswith(line.split(":")[0]))
        assert told in shell.fails("agents", "add", shell.write("a.yaml", f"{base}\n{line}\n"))


class TestLedger:
    def _filled(self, shell: Shell) -> Path:
        import asyncio

        from interlock.clock import SystemClock
        from interlock.governance.ledger import Entry, Ledger

        async def fill() -> None:
            ledger = Ledger(shell.folder / "state", SystemClock())
            for n in range(5):
                await ledger.append(Entry("call", f"c{n}", 1_790_000_000.0 + n, "bot", "incident_get"))
            await ledger.close()

        asyncio.run(fill())
        return shell.folder / "state" / "ledger.sqlite"

    def test_whole(self, shell: Shell) -> None:
        self._filled(shell)
        assert "whole: 5 entries" in shell.ok("ledger", "verify")
        assert orjson.loads(shell.ok("ledger", "verify", "--json"))["ok"] is True
        assert "5 entries" in shell.ok("ledger", "verify", "--state", "state")

    def test_exported_as_lines(self, shell: Shell) -> None:
        self._filled(shell)
        found = [orjson.loads(line) for line in shell.ok("ledger", "export").splitlines()]
        assert [entry["seq"] for entry in found] == [1, 2, 3, 4, 5]
        assert [entry["prev"] for entry in found[1:]] == [entry["hash"] for entry in found[:-1]]
        assert "arguments" not in found[0]
        (last,) = shell.ok("ledger", "export", "--after", "4", "--payloads").splitlines()
        assert orjson.loads(last) == {**found[-1], "arguments": None, "answer": None}

    @pytest.mark.parametrize(
        "damage",
        [
            "UPDATE chain SET body = replace(body, 'incident_get', 'incident_gat') WHERE seq = 3",
            "DELETE FROM chain WHERE seq = 3",
            "DELETE FROM chain WHERE seq = 5",
        ],
    )
    def test_altered(self, shell: Shell, damage: str) -> None:
        with sqlite3.connect(self._filled(shell)) as db:
            names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
            for name in names:
                db.execute(f"DROP TRIGGER {name}")
            db.execute(damage)
        done = shell.run("ledger", "verify")
        assert (done.code, done.out) == (1, "")
        assert "NOT whole" in done.err
        report = shell.run("ledger", "verify", "--json")
        assert (report.code, orjson.loads(report.out)["ok"]) == (1, False)


class TestContractsAndChecks:
    def test_contracts_are_written_and_drift_is_seen(self, shell: Shell) -> None:
        assert f"{VERSION}/openapi.json" in shell.ok("contracts", "export", "out", "--first")
        assert shell.ok("contracts", "export", "out") == "nothing changed\n"
        assert "up to date" in shell.ok("contracts", "export", "out", "--check")
        file = shell.folder / "out" / VERSION / "openapi.json"
        file.unlink()
        done = shell.run("contracts", "export", "out", "--check")
        assert done.code == 1
        assert f"{VERSION}/openapi.json" in done.err
        assert not file.exists()

    def test_a_difference_that_breaks_is_told_and_fails(self, shell: Shell) -> None:
        shell.ok("contracts", "export", "out", "--first")
        old = shell.folder / "out" / VERSION
        assert shell.ok("contracts", "diff", str(old), str(old)) == "0 breaking, 0 compatible changes\n"
        new = shell.folder / "new"
        shutil.copytree(old, new)
        (new / "tools" / "whoami.json").unlink()
        done = shell.run("contracts", "diff", str(old), str(new))
        assert done.code == 1
        assert "BREAKS reader  tools/whoami.json" in done.out
        report = orjson.loads(shell.run("contracts", "diff", str(old), str(new), "--json").out)
        assert report["breaking"] == 1
        assert report["findings"][0]["file"] == "tools/whoami.json"
        assert "Versions: v" in shell.run("contracts", "diff", "v99", str(new)).err

    def test_checks(self, shell: Shell) -> None:
        listed = shell.ok("checks", "list")
        assert all(code in listed for code in ("CI-STALE", "TKT-PRIO", "TKT-SUBCAT"))

    @pytest.mark.slow
    def test_checks_are_compiled(self, shell: Shell) -> None:
        assert shell.ok("checks", "build", "--check") == "up to date\n"


class TestAdapters:
    def test_list(self, shell: Shell) -> None:
        listed = shell.ok("adapter", "list")
        assert re.search(r"servicenow\s.*incident", listed)
        assert "export" in listed

    def test_try_shows_decode_encode_and_query(self, shell: Shell) -> None:
        row = '{"sys_id":"' + "a" * 32 + '","number":"INC1","state":"2","impact":"1","short_description":"x"}'
        found = orjson.loads(shell.ok("adapter", "try", "servicenow", "--native", row, "--json"))
        assert found["decode"]["state"] == "in_progress"
        assert found["encode"]["native"]["state"] == "2"
        assert found["query"]["native"]
        assert "== decode" in shell.ok("adapter", "try", "servicenow", "--native", row)

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (["servicenov"], "servicenow"),
            (["servicenow", "--native", "{"], "not JSON"),
            (["servicenow", "--native", "[]"], "not a JSON object"),
            (["servicenow", "--kind", "article_of_nobody"], "incident"),
            (["servicenow", "--filter", '[{"field":"stat","value":"new"}]'], "state"),
        ],
    )
    def test_what_cannot_be_tried(self, shell: Shell, words: list[str], told: str) -> None:
        assert told in shell.fails("adapter", "try", *words)


def test_sources_test_says_what_is_wrong_and_what_to_do(shell: Shell) -> None:
    shell.write(
        "interlock.yaml",
        "state: state\nsources:\n  snow:\n    adapter: servicenow\n    base_url: https://snow.invalid\n",
    )
    done = shell.run("sources", "test", "snow", "--json")
    found = orjson.loads(done.out)
    assert (done.code, found["source"], found["good"]) == (1, "snow", False)
    results = {step["id"]: step["result"] for step in found["steps"]}
    assert (results["settings"], results["name"], results["http"]) == ("ok", "wrong", "skipped")
    done = shell.run("sources", "test", "snow")
    assert done.code == 1
    assert "WRONG        name" in done.out
    assert "To do: Check the spelling of the address" in done.out
    assert "snow" in shell.fails("sources", "test", "snwo")


def test_sources_list_says_of_each_kind_whether_it_can_be_read(shell: Shell) -> None:
    shell.write(
        "interlock.yaml",
        "state: state\nsources:\n  snow:\n    adapter: servicenow\n    base_url: http://127.0.0.1:9\n"
        "    environment: test\n    auth: {basic: {username: a, password: geheim77}}\n",
    )
    (found,) = orjson.loads(shell.ok("sources", "list", "--json"))
    assert found["name"] == "snow"
    assert "incident: " in found["reads"]
    out = shell.ok("sources", "list")
    assert "servicenow" in out
    assert "geheim77" not in out


@pytest.mark.parametrize("client", ["claude", "cursor"])
def test_connect_prints_a_snippet_without_a_key(shell: Shell, client: str) -> None:
    done = shell.run("connect", client, "--url", "https://gw.example.com")
    server = orjson.loads(done.out)["mcpServers"]["interlock"]
    assert server["url"] == "https://gw.example.com/mcp"
    assert "INTERLOCK_KEY" in server["headers"]["Authorization"]


def test_connect_openai_is_a_program(shell: Shell) -> None:
    compile(shell.ok("connect", "openai"), "snippet", "exec")
    assert shell.run("connect", "nobody").code == 2


def test_tools(shell: Shell) -> None:
    assert "incident_search" in shell.ok("tools")
    tools = orjson.loads(shell.ok("tools", "--json"))["tools"]
    assert {tool["name"] for tool in tools} == set(BY_NAME)
    assert orjson.loads(shell.ok("tools", "incident_get"))["input"]["required"] == ["ref"]
    assert "incident_get" in shell.fails("tools", "incident_gett")


class TestRemote:
    NOWHERE = ("--url", "http://127.0.0.1:9")

    @pytest.mark.parametrize(
        "words", [["call", "whoami"], ["approvals", "list"], ["approvals", "show", "w_1"], ["approvals", "deny", "w_1"]]
    )
    def test_no_gateway(self, shell: Shell, words: list[str]) -> None:
        assert "no gateway answers at http://127.0.0.1:9" in shell.fails(*words, *self.NOWHERE)

    def test_arguments_are_pairs(self, shell: Shell) -> None:
        assert "name=value" in shell.fails("call", "whoami", "ref", *self.NOWHERE)


def test_starting_a_command_imports_no_data_engine() -> None:
    heavy = "('ibis', 'duckdb', 'pyarrow', 'mcp', 'uvicorn')"
    code = f"import sys, interlock.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
