"""``interlock approvals``: a person decides held calls, through REST as that person."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from interlock.cli.http import request
from interlock.cli.options import DEFAULT_URL, AsJson, Url, out, print_json, print_table

app = typer.Typer(help="Held calls: list, look, approve, deny.", no_args_is_help=True)

Token = Annotated[str | None, typer.Option("--token", envvar="INTERLOCK_TOKEN", help="Your personal token.")]
CallId = Annotated[str, typer.Argument(help="Id of the held call (w_...).")]
Comment = Annotated[str, typer.Option("--comment", help="Why; recorded with the decision.")]


@app.command("list")
def list_command(url: Url = DEFAULT_URL, token: Token = None, state: str = "held", as_json: AsJson = False) -> None:
    """Calls that wait for a person (or those in another state)."""
    found = request("GET", url, f"/v1/approvals?state={state}", token)["data"]
    if as_json:
        print_json(found)
        return
    rows = [[c["id"], c["agent"], c["tool"], c["ref"] or "", "; ".join(_why(c)), c["expires_at"] or ""] for c in found]
    print_table(f"Calls in state {state}", ["id", "agent", "tool", "record", "why", "expires"], rows)


def _why(call: dict[str, Any]) -> list[str]:
    return [f"{r.get('code') or r['kind']}: {r.get('evidence') or r['detail']}" for r in call["reasons"]]


@app.command()
def show(id: CallId, url: Url = DEFAULT_URL, token: Token = None) -> None:  # noqa: A002
    """One held call, whole."""
    print_json(request("GET", url, f"/v1/approvals/{id}", token))


@app.command()
def approve(id: CallId, url: Url = DEFAULT_URL, token: Token = None, comment: Comment = "") -> None:  # noqa: A002
    """Approve a held call: everything is decided anew, then it is performed once."""
    _decide(id, url, token, True, comment)


@app.command()
def deny(id: CallId, url: Url = DEFAULT_URL, token: Token = None, comment: Comment = "") -> None:  # noqa: A002
    """Deny a held call: nothing is sent."""
    _decide(id, url, token, False, comment)


def _decide(id: str, url: str, token: str | None, yes: bool, comment: str) -> None:  # noqa: A002
    seen = request("GET", url, f"/v1/approvals/{id}", token)
    body = {"digest": seen["digest"], "approve": yes, "comment": comment}
    after = request("POST", url, f"/v1/approvals/{id}/decision", token, body)
    out.print(f"{id}: {after['state']} ({after['tool']} on {after['ref'] or after['source']})", markup=False)
