"""The demo on real exports: served through the mock and through files, compared, and counted against the files."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from interlock.cli.demo_gateway import config_for, folder, opened
from interlock.cli.options import out, print_table
from interlock.quality.judge import Judge
from interlock.quality.profile import Profile
from interlock.records import times
from interlock.records.filters import Query
from interlock.sources.source import Source

_PAGE = 500

AGENT = """
id: data-reader
owner: data-team
purpose: Reads the real exports of the demo
tools: [triage-read]
stage: shadow
read: {incident: {}, ci: {}, person: {}, group: {}}
"""


async def run_data(data: Path, state: Path | None, keep: bool) -> bool:
    """Serve every data set of a folder both ways; True when records and findings are as expected."""
    from mock_servers.datasets.loading import find

    results = [await _one(found, state, keep) for found in find(data)]
    return all(results)


async def _one(found: Any, state: Path | None, keep: bool) -> bool:
    from mock_servers.datasets.expected import expectations
    from mock_servers.datasets.loading import load_found
    from mock_servers.servicenow.server import MockServiceNow
    from mock_servers.servicenow.store import Store

    out.print(f"\n[bold]{found.description.title}[/]")
    dataset = await asyncio.to_thread(load_found, found)
    store = Store()
    store.load(dataset.tables, dataset.omit)
    as_of = times.to_text(dataset.as_of)
    out.print(f"  as of {as_of} (the newest update in the data)", highlight=False)
    async with MockServiceNow(store) as mock, folder(state) as place:
        sources = {
            "snow": {
                "adapter": "servicenow",
                "environment": "test",
                "base_url": mock.url,
                "auth": {"basic": {"username": "admin", "password": "admin"}},
                "scan_limit": 100_000,
            },
            "files": {
                "adapter": "export",
                "environment": "test",
                "settings": found.export_settings(),
                "mapping": found.export_overlay(),
                "scan_limit": 100_000,
            },
        }
        async with opened(config_for(sources, place / found.name, as_of)) as desk:
            out.print(f"  ServiceNow (mock): {mock.url}    gateway: {desk.url}", highlight=False)
            key = desk.agent(AGENT)
            for name in ("snow", "files"):
                _, body = await desk.call(key, "incident_search", source=name, limit=1)
                row = body["data"][0]
                out.print(
                    f"     {name}: {row['ref']} {row.get('title') or ''} standing={row['standing']}", markup=False
                )
            by_snow = await _all(desk.runtime.sources["snow"])
            by_files = await _all(desk.runtime.sources["files"])
            same = _compare(by_snow, by_files)
            good = [same]
            default = _profile(found, own_matrix=False)
            good.append(_table(found, "default matrix", expectations(found), _count(by_snow, default, dataset.as_of)))
            if found.own_matrix():
                profile = _profile(found, own_matrix=True)
                counted = _count(by_files, profile, dataset.as_of)
                expected = expectations(found, None, own_matrix=True)
                good.append(_table(found, "the instance's own matrix", expected, counted))
            if keep:
                out.print(f"  serving on {desk.url}; agent key {key}; Ctrl+C ends", markup=False)
                await asyncio.Event().wait()
        return all(good)


async def _all(source: Source) -> dict[str, dict[str, Any]]:
    """Every incident and CI of a source, by ref without the source's name."""
    records: dict[str, dict[str, Any]] = {}
    for kind in ("incident", "ci"):
        if kind not in source.kinds:
            continue
        cursor = None
        while True:
            found = await source.search(kind, Query(limit=_PAGE), cursor=cursor)
            for record in found.records:
                records[record["ref"].partition(":")[2]] = record
            cursor = found.cursor
            if cursor is None:
                break
    return records


def _compare(ours: dict[str, dict[str, Any]], theirs: dict[str, dict[str, Any]]) -> bool:
    """Whether both ways give equal canonical records, the source's name and addresses apart."""
    different = [ref for ref in ours.keys() | theirs.keys() if masked(ours.get(ref)) != masked(theirs.get(ref))]
    counts = Counter(ref.partition(":")[0] for ref in ours)
    told = ", ".join(f"{count:,} {kind}s" for kind, count in sorted(counts.items()))
    out.print(f"     {told}: {len(different)} differ between ServiceNow and files", markup=False)
    for ref in sorted(different)[:3]:
        out.print(
            f"       {ref}\n         snow:  {masked(ours.get(ref))}\n         files: {masked(theirs.get(ref))}",
            markup=False,
        )
    return not different and bool(ours)


def masked(value: Any) -> Any:
    """A record without what must differ: the source's name in refs, and addresses."""
    if isinstance(value, dict):
        return {
            name: entry.partition(":")[2] if name == "ref" else masked(entry)
            for name, entry in value.items()
            if name != "url"
        }
    return value


def _profile(found: Any, *, own_matrix: bool) -> Profile:
    profile = Profile.default()
    for name in ("snow", "files"):
        profile = profile.merge(found.profile_changes(name, own_matrix=own_matrix))
    return profile


def _count(records: dict[str, dict[str, Any]], profile: Profile, as_of: float) -> Counter[tuple[str, str]]:
    judge = Judge(profile)
    counts: Counter[tuple[str, str]] = Counter()
    for ref, record in records.items():
        for flag in judge.judge(ref.partition(":")[0], record, as_of).flags:
            for reason in flag.reasons:
                counts[flag.code, reason] += 1
    judge.close()
    return counts


def _table(found: Any, title: str, expected: list[Any], counted: Counter[tuple[str, str]]) -> bool:
    """Print expected against found; a reason nobody expected is a difference too."""
    wanted = {(entry.code, entry.reason): entry for entry in expected}
    rows, good = [], True
    for key in sorted(wanted.keys() | counted.keys()):
        entry = wanted.get(key)
        number = entry.records if entry else 0
        right = counted[key] == number
        good &= right
        origin = entry.origin if entry else "not expected"
        rows.append([*key, f"{number:,}", f"{counted[key]:,}", "" if right else "DIFFERS", origin])
    columns = ["check", "reason", "expected", "found", "", "where the expected number comes from"]
    print_table(f"{found.name}: {title}", columns, rows)
    return good
