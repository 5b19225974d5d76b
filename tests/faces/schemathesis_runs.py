"""Running schemathesis, unchanged, against a served gateway."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from tests.faces.faces_house import House

from interlock.clock import SystemClock
from interlock.records import times
from interlock.records.kinds import FIELDS
from interlock.tools.catalogue import BY_NAME

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Run:
    """What a run found. ``positive`` and ``accepted``: valid calls of tools, and those answered 2xx."""

    status: int
    output: str
    positive: int
    accepted: int

    @property
    def share(self) -> float:
        return self.accepted / self.positive


def seeds(house: House) -> dict[str, Any]:
    """What only the instance knows: refs by kind, sources, and fields that it cannot be asked by."""

    def refs(tool: str, **arguments: Any) -> list[str]:
        return [row["ref"] for row in house.call(tool, arguments).json()["data"]]

    def lacking(kind: str) -> list[str]:
        """Fields that a search by them is answered 422 for."""

        def asked(name: str, op: str, **value: Any) -> int:
            condition = {"field": name, "op": op, **value}
            return int(house.call(f"{kind}_search", {"filter": [condition], "limit": 1}).status_code)

        fields = [field for field in FIELDS[kind].values() if field.operators]
        return [
            field.name
            for field in fields
            if (asked(field.name, "eq", value=True) if field.type == "bool" else asked(field.name, "empty")) == 422
        ]

    return {
        "refs": {
            "incident": refs("incident_search", limit=60),
            "ci": refs("ci_search", limit=40),
            "person": refs("directory_find", kind="person", text="a", limit=20),
            "group": refs("directory_find", kind="group", text="e", limit=20),
            "change": refs("change_search", limit=20),
            "problem": refs("record_search", kind="problem", limit=10),
        },
        "sources": ["snow"],
        "until": times.to_text(SystemClock().now() + 86_400),
        "order": {
            "item": house.call("catalog_search", {"text": "Distribution list", "limit": 1}).json()["data"][0]["item"],
            "variables": {"name": "dl-berlin"},
        },
        "tools": list(BY_NAME),
        "unwritable": {
            kind: sorted(set(FIELDS[kind]) - house.runtime.sources["snow"].writable(kind)) for kind in ("ci", "change")
        },
        "fixed": {"ci": ["cls"], "change": []},
        "marks": {"ci": ["asset_tag", "mac"], "change": ["backout_plan", "test_plan"]},
        "lacking": {kind: lacking(kind) for kind in ("incident", "ci", "change")},
    }


def run(house: House, folder: Path, examples: int, *options: str, key: str | None = None) -> Run:
    """Run it with a key (by default one that may use every tool), all checks, so many examples an operation."""
    seeded = folder / "seeds.json"
    seeded.write_text(json.dumps(seeds(house)), encoding="utf-8")
    events = folder / "events.ndjson"
    environment = {
        **os.environ,
        "INTERLOCK_SEEDS": str(seeded),
        "SCHEMATHESIS_HOOKS": "tests.faces.schemathesis_hooks",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{house.thin}/openapi.json"]
    command += [
        "--header",
        f"Authorization: Bearer {key or house.key}",
        "--checks",
        "all",
        "--max-examples",
        str(examples),
    ]
    command += ["--seed", "1", "--continue-on-failure", "--warnings", "off", "--report", "ndjson"]
    command += ["--report-ndjson-path", str(events), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=folder)
    positive = accepted = 0
    with events.open("rb") as lines:
        for line in lines:
            found = orjson.loads(line).get("ScenarioFinished")
            if found is None:
                continue
            recorder = found["recorder"]
            for id, case in recorder.get("cases", {}).items():  # noqa: A001
                if not _positive_tool_call(case["value"]):
                    continue
                interaction = recorder["interactions"].get(id, {})
                response = interaction.get("response")
                # A check sends calls again without their key: those are to be refused.
                if response is not None and "Authorization" in interaction["request"]["headers"]:
                    positive += 1
                    accepted += 200 <= response["status_code"] < 300
    return Run(done.returncode, done.stdout + done.stderr, positive, accepted)


def _positive_tool_call(case: dict[str, Any]) -> bool:
    meta = case.get("meta") or {}
    mode = (meta.get("generation") or {}).get("mode")
    return str(case.get("path", "")).startswith("/v1/tools/") and mode == "positive"
