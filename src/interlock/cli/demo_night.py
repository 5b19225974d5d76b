"""The demo's night: a CI goes stale while everybody sleeps; in the morning an agent is held until a steward decides.

Harvest and scan are run by the worker, as in any installation; only the clock is moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from interlock.cli import demo_telling as tell
from interlock.cli.demo_gateway import Desk, folder, opened
from interlock.cli.demo_moved import MovedClock
from interlock.cli.demo_story import AGENT
from interlock.config import Config, load_config
from interlock.governance.ledger import verify
from interlock.governance.ledger.read import export
from interlock.jobs.job import Job
from interlock.jobs.plan import plan_of
from interlock.jobs.store import SqliteJobs
from interlock.jobs.worker import Worker
from interlock.records import times
from interlock.records.problems import Problem, Slug
from interlock.telemetry import Log

HOUR, DAY = 3600.0, 86_400.0
_EVENING, _STALE, _MORNING = 18 * HOUR, 25 * HOUR, 32 * HOUR
"""After the estate's own midnight: when it begins, when the CI goes stale, when the agent is back."""
_WAIVED_DAYS = 14


@dataclass(slots=True)
class _Night:
    """What the story is told with."""

    desk: Desk
    clock: MovedClock
    config: Config
    plan: Sequence[Job]
    midnight: float
    key: str
    token: str
    incident: str
    ci: str
    done: list[bool]

    def check(self, good: bool, text: str) -> None:
        self.done.append(good)
        tell.mark(good, text)


async def run_night(size: int, seed: int, state: Path | None) -> bool:
    """Play it; True when everything came out as it should."""
    from mock_servers.estate import generate
    from mock_servers.estate.assumptions import DEFAULT_AS_OF, DEFAULT_MAX_AGE_S, profile
    from mock_servers.estate.servicenow import tables
    from mock_servers.estate.stories import SCOPE_GROUPS, stories
    from mock_servers.servicenow.server import MockServiceNow
    from mock_servers.servicenow.store import Store

    if any(find_spec(name) is None for name in ("duckdb", "ibis", "pyarrow")):
        raise Problem(
            Slug.UNSUPPORTED,
            "harvest and scan need the extra quality",
            next_step="pip install 'interlock-gateway[quality]'",
        )
    tell.say("[bold]Interlock demo[/]: a night passes")
    estate, midnight = generate(seed, size, DEFAULT_AS_OF), float(DEFAULT_AS_OF)
    number = stories(estate)["resolvable"]
    behind = next(each.ci for each in estate.incidents if each.number == number)
    seen = int(midnight + _STALE - DEFAULT_MAX_AGE_S)
    estate = replace(estate, cis=tuple(replace(ci, last_seen_at=seen) if ci.id == behind else ci for ci in estate.cis))
    store = Store()
    store.load(tables(estate))
    clock = MovedClock(0.0)
    clock.move_to(midnight + _EVENING)
    async with MockServiceNow(store, clock=clock) as mock, folder(state) as place:
        path = _configured(place, mock.url, profile("snow"))
        config = load_config(path)
        async with opened(config, clock) as desk:
            groups = ", ".join(f'"snow:group:{name}"' for name in SCOPE_GROUPS)
            key = desk.agent(AGENT.replace("GROUPS", groups))
            token = desk.people("sam.steward", "Sam Steward", ("steward",))
            plan = [job for job in plan_of(config, path) if job.schedule]
            night = _Night(desk, clock, config, plan, midnight, key, token, f"snow:incident:{number}", "", [])
            await _evening(night)
            await _dark(night)
            await _morning(night)
        _proof(night, place)
        return all(night.done)


def _configured(state: Path, url: str, profile: dict[str, Any]) -> Path:
    """The configuration as a file, for the jobs' own processes. JSON is YAML too."""
    beside = state.parent
    beside.mkdir(parents=True, exist_ok=True)
    source = {
        "adapter": "servicenow",
        "environment": "test",
        "base_url": url,
        "auth": {"basic": {"username": "admin", "password": "admin"}},
        "harvest": {"per_second": 1000},
        "schedule": {"harvest": "0 2 * * *", "quiet": "06:00-20:00"},
    }
    body = {
        "state": str(state),
        "sources": {"snow": source},
        "quality": {"profile": f"{state.name}-profile.yaml"},
        "schedule": {"scan": "0 3 * * *", "jitter_s": 0},
    }
    (beside / f"{state.name}-profile.yaml").write_bytes(orjson.dumps(profile))
    path = beside / f"{state.name}-interlock.yaml"
    path.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2))
    return path


async def _evening(night: _Night) -> None:
    tell.step("1", f"{_time(night)}: the day's harvest and scan are in, an agent works on a ticket")
    for job in night.plan:
        outcome = await _worker(night).asked(job)
        night.check(outcome == "ok", _said(night, job.name))
    _, incident = await night.desk.call(night.key, "incident_get", ref=night.incident)
    night.ci = incident["data"]["ci"]["ref"]
    _, ci = await night.desk.call(night.key, "ci_get", ref=night.ci)
    tell.say(f"     {ci['data']['name']}: last seen {ci['data']['last_seen_at']}, standing {ci['quality']['standing']}")
    _, body = await night.desk.call(night.key, "incident_update", ref=night.incident, changes={"urgency": "medium"})
    night.check(body.get("receipt", {}).get("outcome") == "applied", tell.receipt(body))


async def _dark(night: _Night) -> None:
    for at, what in ((26.1 * HOUR, "the worker harvests"), (27.1 * HOUR, "the worker scans")):
        night.clock.move_to(night.midnight + at)
        tell.step("2" if "harvests" in what else "3", f"{_time(night)}: {what}")
        outcomes = await _worker(night).once()
        job = night.plan[0] if "harvests" in what else night.plan[-1]
        night.check(outcomes == ["ok"], _said(night, job.name))


async def _morning(night: _Night) -> None:
    night.clock.move_to(night.midnight + _MORNING)
    tell.step("4", f"{_time(night)}: the agent is back and wants to resolve the ticket")
    solution = {"close_code": "fixed", "close_notes": "New VPN client; no break for two hours, the user confirms."}
    status, body = await night.desk.call(night.key, "incident_resolve", ref=night.incident, **solution)
    held = body.get("receipt", {})
    for reason in held.get("reasons", []):
        tell.reason(reason)
    codes = {reason.get("code") for reason in held.get("reasons", [])}
    night.check(status == 202 and "CI-STALE" in codes, f"held for a person: {held.get('approval', {}).get('ref')}")

    tell.step("5", "A steward looks at the flags that stopped agents most, and waives this one")
    _, listed = await night.desk.person(night.token, "GET", "/v1/flags?limit=3")
    for flag in listed["data"]:
        tell.say(f"     {flag['code']} on {flag['ref']}: stopped {flag['stops']}; {flag['evidence']}")
    first = listed["data"][0]
    night.check((first["ref"], first["code"], first["stops"]) == (night.ci, "CI-STALE", 1), "first is what stopped it")
    until = times.to_text(night.clock.now() + _WAIVED_DAYS * DAY)
    waiver = {"reason": "The notebook is on a site that discovery does not reach; its user has it.", "until": until}
    status, body = await night.desk.person(night.token, "POST", f"/v1/flags/{night.ci}/CI-STALE/waive", waiver)
    night.check(status == 200, f"waived until {until} by sam.steward: {waiver['reason']}")

    night.clock.move_to(night.clock.now() + HOUR)
    tell.step("6", f"{_time(night)}: the agent tries again")
    # With a key of its own: an equal call would only be told again that it is held.
    _, body = await night.desk.call(
        night.key, "incident_resolve", ref=night.incident, **solution, idempotency_key="second-try"
    )
    night.check(body.get("receipt", {}).get("outcome") == "applied", tell.receipt(body))


def _proof(night: _Night, place: Path) -> None:
    tell.step("7", "All of it is in the ledger")
    found = []
    for entry in export(place, payloads=True):
        resolved = entry["kind"] == "call" and entry["tool"] == "incident_resolve"
        if resolved or entry["kind"] == "decision":
            ended = [entry["outcome"], *entry["reasons"]] if resolved else [entry["detail"]["act"], _reason(entry)]
            found.append((entry["principal"], ended[0]))
            what = entry["tool"] or entry["detail"]["flag"]
            tell.say(f"     {entry['seq']}  {entry['principal']}  {what} on {entry['refs'][0]}: {', '.join(ended)}")
    night.check(
        found == [("triage-bot", "held"), ("sam.steward", "waive"), ("triage-bot", "applied")],
        "held, waived, applied: in this order, by these principals",
    )
    report = verify(place)
    night.check(report.ok, f"the ledger verifies: {report.entries} entries, {report.heads} signed heads")


def _reason(entry: dict[str, Any]) -> str:
    """Why a person decided so: free text lies in the vault, not in the chain."""
    return str(entry["answer"]["reason"])


def _worker(night: _Night) -> Worker:
    """A worker whose jobs see the clock as it is now."""
    jobs = SqliteJobs(night.config.state, night.clock)
    program = ("interlock.cli.demo_moved", str(night.clock.shift))
    return Worker(jobs, night.plan, night.clock, Log(len, night.clock), program=program)


def _said(night: _Night, job: str) -> str:
    jobs = SqliteJobs(night.config.state, night.clock)
    last = jobs.history(job, 1)
    jobs.close()
    return f"{job}: {last[0].outcome}; {last[0].detail}" if last else f"{job}: did not run"


def _time(night: _Night) -> str:
    return times.to_text(night.clock.now())
