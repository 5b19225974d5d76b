"""``interlock flags``: the flags of a running gateway, through REST as the person whose token is given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from interlock.cli.flag_owners import owners
from interlock.cli.http import download, request
from interlock.cli.options import DEFAULT_URL, AsJson, Url, out, print_json, print_table

app = typer.Typer(help="Flags: what the checks found, and what people say of it.", no_args_is_help=True)
app.command("owners")(owners)

Token = Annotated[str | None, typer.Option("--token", envvar="INTERLOCK_TOKEN", help="Your personal token.")]
Ref = Annotated[str, typer.Argument(help="Ref of the record, for example snow:ci:srv-web-01.")]
Code = Annotated[str, typer.Argument(help="Code of the check, for example CI-STALE.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the flag and in the ledger's vault.")]
Codes = Annotated[list[str] | None, typer.Option("--code", help="Only flags of this check; may be repeated.")]
Sources = Annotated[list[str] | None, typer.Option("--source", help="Only this source; may be repeated.")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="Only records of this kind; may be repeated.")]
Refs = Annotated[list[str] | None, typer.Option("--ref", help="Only this record; may be repeated.")]
Statuses = Annotated[
    list[str] | None,
    typer.Option("--status", help="open, acknowledged, assigned, waived or resolved; may be repeated."),
]
Assignees = Annotated[list[str] | None, typer.Option("--assignee", help="Only what is assigned to them.")]
Severities = Annotated[list[str] | None, typer.Option("--severity", help="high, medium, low or info.")]


@app.command("list")
def list_command(
    url: Url = DEFAULT_URL,
    token: Token = None,
    code: Codes = None,
    source: Sources = None,
    kind: Kinds = None,
    ref: Refs = None,
    status: Statuses = None,
    assignee: Assignees = None,
    severity: Severities = None,
    limit: Annotated[int, typer.Option(help="How many, 1,000 at most.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Where the page before ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """Flags that are not resolved: those that stopped the most agent calls first, then the gravest, then the oldest."""
    asked = _asked(code, source, kind, ref, status, assignee, severity)
    asked += [("limit", str(limit)), *([("cursor", cursor)] if cursor else [])]
    found = request("GET", url, f"/v1/flags?{urlencode(asked)}", token)
    if as_json:
        print_json(found)
        return
    columns = ["record", "check", "severity", "status", "stopped", "since", "evidence"]
    print_table("Flags", columns, [_row(flag) for flag in found["data"]])
    if found["cursor"]:
        out.print(f"more: --cursor {found['cursor']}", markup=False)


def _row(flag: dict[str, Any]) -> list[str]:
    status = flag["status"] + (f" until {flag['waived_until'][:10]}" if flag["status"] == "waived" else "")
    status += f" ({flag['assignee']})" if flag["status"] == "assigned" else ""
    status += ", flapping" if flag["flapping"] else ""
    return [
        flag["ref"],
        flag["code"],
        flag["severity"],
        status,
        str(flag["stops"]),
        flag["first_at"][:10],
        flag["evidence"],
    ]


@app.command()
def show(ref: Ref, code: Code, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """One flag, what lifts it, and all that happened to it."""
    print_json(request("GET", url, _path(ref, code), token))


@app.command()
def ack(
    ref: Ref, code: Code, url: Url = DEFAULT_URL, token: Token = None, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Say that a flag is known."""
    _act("ack", ref, code, url, token, {"reason": reason}, as_json)


@app.command()
def assign(
    ref: Ref,
    code: Code,
    assignee: Annotated[str, typer.Argument(help="A person or a group.")],
    url: Url = DEFAULT_URL,
    token: Token = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Say who sees to a flag."""
    _act("assign", ref, code, url, token, {"assignee": assignee, "reason": reason}, as_json)


@app.command()
def waive(
    ref: Ref,
    code: Code,
    reason: Annotated[str, typer.Option("--reason", help="Why it need not count.")],
    until: Annotated[str, typer.Option("--until", help="A date or an instant, a year away at most.")],
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Let a flag not count until a date. It follows the thing, should its record get another key."""
    _act("waive", ref, code, url, token, {"reason": reason, "until": until}, as_json)


@app.command()
def reopen(
    ref: Ref, code: Code, url: Url = DEFAULT_URL, token: Token = None, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Take back what was said of a flag; one that is resolved is raised until the next look at its record."""
    _act("reopen", ref, code, url, token, {"reason": reason}, as_json)


@app.command()
def export(
    format: Annotated[str, typer.Option("--format", help="csv, xlsx, parquet or jsonl.")] = "csv",  # noqa: A002
    to: Annotated[Path | None, typer.Option("--out", help="A file (default: standard output).")] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
    code: Codes = None,
    source: Sources = None,
    kind: Kinds = None,
    ref: Refs = None,
    status: Statuses = None,
    assignee: Assignees = None,
    severity: Severities = None,
) -> None:
    """All flags that are wanted, as a file."""
    asked = [*_asked(code, source, kind, ref, status, assignee, severity), ("format", format)]
    path = f"/v1/flags/export?{urlencode(asked)}"
    if to is None:
        download(url, path, token, sys.stdout.buffer)
        return
    partial = to.with_name(f"{to.name}.part")
    try:
        with partial.open("wb") as file:
            download(url, path, token, file)
        partial.replace(to)
    finally:
        partial.unlink(missing_ok=True)
    out.print(f"{to}", markup=False)


def _asked(*given: list[str] | None) -> list[tuple[str, str]]:
    names = ("code", "source", "kind", "ref", "status", "assignee", "severity")
    return [(name, word) for name, words in zip(names, given, strict=True) for word in words or ()]


def _path(ref: str, code: str) -> str:
    return f"/v1/flags/{quote(ref, safe='')}/{quote(code, safe='')}"


def _act(what: str, ref: str, code: str, url: str, token: str | None, body: dict[str, Any], as_json: bool) -> None:
    flag = request("POST", url, f"{_path(ref, code)}/{what}", token, body)
    if as_json:
        print_json(flag)
        return
    out.print(f"{code} on {ref}: {flag['status']}", markup=False)
