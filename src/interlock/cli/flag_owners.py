"""``interlock flags owners``: who answers for which flags, shown or sent to those who asked for the list."""

from __future__ import annotations

import asyncio
import csv
import sys
from typing import Annotated, Any

import orjson
import typer

from interlock.cli.options import CONFIG, AsJson, ConfigFile, config_of, out, print_json, print_table
from interlock.config import Config
from interlock.quality.flags.export import cell
from interlock.records import times
from interlock.records.problems import Problem, Slug

_TRIES = 3
_AGAIN_S = 10.0


def owners(
    config: ConfigFile = CONFIG,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One line a flag, as CSV.")] = False,
    send: Annotated[bool, typer.Option("--send", help="Post it to the webhooks that want it, signed.")] = False,
) -> None:
    """For everybody who answers for records, the flags on them: what stopped most calls first."""
    from interlock.clock import SystemClock

    found = config_of(config)
    now = SystemClock().now()
    try:
        from interlock.quality.flags.owners import owner_list
    except ImportError:
        raise Problem(
            Slug.UNSUPPORTED,
            "the owner list needs the extra quality",
            next_step="pip install 'interlock-gateway[quality]'",
        ) from None
    entries = owner_list(found.state, now)
    if send:
        failed = asyncio.run(_send(found, entries, now))
        for url, why in failed.items():
            typer.echo(f"not taken by {url}: {why}", err=True)
        if failed:
            raise typer.Exit(1)
        out.print(f"sent: {len(entries)} owners")
    elif as_json:
        print_json(entries)
    elif as_csv:
        _print_csv(entries)
    else:
        rows = [[e["name"] or e["owner"] or "(nobody)", str(e["flags"]), str(e["stops"]), _codes(e)] for e in entries]
        print_table("Flags by who answers for the record", ["owner", "flags", "calls stopped", "checks"], rows)


def _codes(entry: dict[str, Any]) -> str:
    return ", ".join(f"{code} {count}" for code, count in entry["codes"].items())


def _print_csv(entries: list[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(["owner", "name", "ref", "code", "severity", "evidence", "stops", "first_at", "assignee"])
    for entry in entries:
        for flag in entry["worst"]:
            values = [entry["owner"], entry["name"], *(flag[n] for n in ("ref", "code", "severity", "evidence"))]
            at = times.to_text(flag["first_at"])
            writer.writerow([cell(value) for value in (*values, flag["stops"], at, flag["assignee"])])


async def _send(config: Config, entries: list[dict[str, Any]], now: float) -> dict[str, str]:
    """Post the list to every receiver that wants it, each a few times; what went wrong by address."""
    import httpx

    from interlock.quality.flags.signing import post, signed

    body = orjson.dumps({"type": "flags.owners", "as_of": times.to_text(now), "owners": entries})
    failed: dict[str, str] = {}
    async with httpx.AsyncClient(trust_env=False) as client:
        for receiver in config.webhooks:
            if not receiver.owners:
                continue
            wrong: str | None = None
            for attempt in range(_TRIES):
                await asyncio.sleep(_AGAIN_S * attempt)
                headers = signed(receiver.secret.get_secret_value(), f"owners-{int(now)}", now, body)
                wrong = await post(client, receiver.url, headers, body, receiver.timeout_s)
                if wrong is None:
                    break
            if wrong is not None:
                failed[receiver.url] = wrong
    return failed
