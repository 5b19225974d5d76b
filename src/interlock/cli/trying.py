"""``interlock checks try``: what another setting of a check would change."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlock.cli.options import CONFIG, AsJson, ConfigFile, config_of, print_json
from interlock.cli.scan import current_profile, needing_engine, watching
from interlock.records.problems import invalid

if TYPE_CHECKING:
    from interlock.quality.scan.trial import Call, Trial

_WEEK_S = 7 * 86_400
_SHOWN = 10


def attempt(
    code: Annotated[str, typer.Argument(metavar="CODE", help="A check, CI-STALE for one.")],
    settings: Annotated[
        list[str],
        typer.Option("--set", metavar="NAME=VALUE", help="max_age=90 (days), ci.max_age.server=120d; repeatable."),
    ],
    config: ConfigFile = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Try a setting on the current snapshots before changing it: what it would raise, clear, and have held.

    Nothing comes into force. What holds goes into the profile file, under the same name.
    """
    trial = needing_engine("interlock.quality.scan.trial")
    found = config_of(config)
    profile, as_of = asyncio.run(current_profile(found))
    changed = trial.changed_profile(profile, code, [_setting(each) for each in settings])
    with watching(as_json) as progress:
        outcome: Trial = trial.attempt(
            found.state,
            profile,
            changed,
            code,
            _last_week(found.state, as_of, trial.Call),
            as_of,
            progress=progress,
            config=found,
        )
    if as_json:
        print_json({name: getattr(outcome, name) for name in outcome.__slots__})
        return
    typer.echo(
        f"{code}: would raise {len(outcome.raised):,}, clear {len(outcome.cleared):,} "
        f"(now on {outcome.before:,}, then on {outcome.after:,}); would have held {len(outcome.held):,} "
        f"and let pass {len(outcome.passed):,} of last week's {outcome.calls:,} writes"
    )
    for word, refs in (("raised", outcome.raised), ("cleared", outcome.cleared)):
        for ref in refs[:_SHOWN]:
            typer.echo(f"  {word}: {ref}")
        if len(refs) > _SHOWN:
            typer.echo(f"  {word}: and {len(refs) - _SHOWN:,} more (--json lists all)")


def _setting(text: str) -> tuple[str, Any]:
    import yaml

    name, mark, value = text.partition("=")
    if not mark or not name:
        raise invalid("set", text, "is not NAME=VALUE", "As in --set max_age=90.")
    try:
        return name.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise invalid("set", text, "has a value that is not YAML", "As in --set max_age=90.") from None


def _last_week(state: Path, now: float, call: type[Call]) -> list[Call]:
    """The writes that agents asked for in the last seven days, by the ledger."""
    from interlock.governance.ledger import tables
    from interlock.governance.ledger.read import export
    from interlock.tools.catalogue import BY_NAME

    if not (state / tables.NAME).exists():
        return []
    since = (now - _WEEK_S) * 1e6
    found: dict[str, Call] = {}
    for entry in export(state):
        tool = BY_NAME.get(entry["tool"] or "")
        if entry["kind"] != "call" or entry["at"] < since or tool is None or tool.write is None:
            continue
        if entry["verdict"] is not None and entry["refs"]:
            found[entry["call"]] = call(
                entry["call"], tool.name, tuple(entry["refs"]), entry["verdict"], tuple(entry["reasons"])
            )
    return list(found.values())
