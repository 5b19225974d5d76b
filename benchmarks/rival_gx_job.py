"""Seven checks of ``benchmarks.scan`` by Great Expectations on pandas. ``python rival_gx_job.py PLAN.json``

Run by the interpreter of a folder that has ``great-expectations``; imports nothing of ours (see ``rival_gx``). An
expectation sees one table, so each check gets a frame joined and filtered for it here, as plainly as pandas allows;
CI-CONFLICT, which compares pairs of sources, is left out. Great Expectations is asked for every failing record:
COMPLETE, with the index column ``ref``. Links by ``source:ci:~handle`` are not followed: this CMDB has none.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd

COLUMNS = {
    "ci": "ref source cls status operational_status last_seen_at attested_at serial os"
    " serial_key cloud_id_key asset_tag_key mac_key fqdn_key",
    "relationship": "ref subject object",
    "incident": "ref impact urgency priority category ci",
}
ALLOWED_S = 5_184_000
UNSEEN = ["application", "service"]
PHYSICAL = ["computer", "network_device", "server", "storage"]
MACHINES = ["server", "virtual_machine"]
NEEDY = ["database", "network_device", "server", "storage", "virtual_machine"]
UNUSED = ["planned", "ordered", "in_stock", "retired", "stolen", "missing"]
KEYS = {
    "serial": PHYSICAL,
    "cloud_id": ["computer", "database", "network_device", "server", "storage", "virtual_machine"],
    "asset_tag": PHYSICAL,
    "mac": ["computer", "server"],
    "fqdn": ["computer", "server"],
}
IMPACT = {"high": 0, "medium": 1, "low": 2}
URGENCY = {"high": 1, "medium": 2, "low": 3}
FORMAT = {"result_format": "COMPLETE", "unexpected_index_column_names": ["ref"]}


def suites(plan: dict[str, Any]) -> list[tuple[str, Any, list[Any]]]:
    """Each check with a frame and what is expected of it; one check may need several frames."""
    table = {kind: pd.read_parquet(plan["files"][kind], columns=names.split()) for kind, names in COLUMNS.items()}
    ci, relation, incident = table["ci"], table["relationship"], table["incident"]
    made: list[tuple[str, Any, list[Any]]] = []

    seen = ci.loc[~ci["cls"].isin(UNSEEN), ["ref", "last_seen_at", "attested_at"]]
    seen = seen.assign(seen_at=seen[["last_seen_at", "attested_at"]].max(axis=1).fillna(0))
    oldest = plan["as_of"] - ALLOWED_S
    made.append(("CI-STALE", seen, [gxe.ExpectColumnValuesToBeBetween(column="seen_at", min_value=oldest)]))

    for name, classes in (("serial", PHYSICAL), ("os", MACHINES)):
        some = ci.loc[ci["cls"].isin(classes), ["ref", name]]
        some = some.assign(**{name: some[name].mask(some[name].str.lower().isin(plan["junk"]))})
        made.append(("CI-MISS-REQ", some, [gxe.ExpectColumnValuesToNotBeNull(column=name)]))

    used = ~ci["status"].isin(UNUSED) & (ci["operational_status"] != "retired")
    needy = ci.loc[ci["cls"].isin(NEEDY) & used, ["ref"]]
    ends = pd.concat([relation["subject"], relation["object"]]).value_counts().rename("relations")
    needy = needy.join(ends, on="ref").fillna({"relations": 0})
    made.append(("CI-ORPHAN", needy, [gxe.ExpectColumnValuesToBeBetween(column="relations", min_value=1)]))

    keys = []
    for name, classes in KEYS.items():
        key = ci[f"{name}_key"]
        some = ci[key.notna() & ci["cls"].isin(classes) & ~key.isin(plan["junk"])]
        keys.append(pd.DataFrame({"ref": some["ref"], "key": some["source"] + f"|{name}|" + some[f"{name}_key"]}))
    long = pd.concat(keys, ignore_index=True)
    made.append(("CI-DUP-IN", long, [gxe.ExpectColumnValuesToBeUnique(column="key")]))

    there = ci.set_index("ref")["cls"]
    joined = relation[["ref"]].assign(
        subject_cls=relation["subject"].map(there), object_cls=relation["object"].map(there)
    )
    both = [gxe.ExpectColumnValuesToNotBeNull(column=f"{side}_cls") for side in ("subject", "object")]
    made.append(("REL-DANGLING", joined, both))

    score = incident["impact"].map(IMPACT) + incident["urgency"].map(URGENCY)
    rated = incident.loc[score.notna(), ["ref", "priority"]]
    rated = rated.assign(want="p" + score[score.notna()].astype(int).astype(str))
    equal = gxe.ExpectColumnPairValuesToBeEqual(column_A="priority", column_B="want", ignore_row_if="neither")
    made.append(("TKT-PRIO", rated, [equal]))

    about = incident.loc[incident["category"].isin(plan["categories"]), ["ref", "category", "ci"]]
    about = about.assign(cls=about["ci"].map(there)).dropna(subset=["cls"])
    pairs = [(category, cls) for category, classes in plan["categories"].items() for cls in classes]
    possible = gxe.ExpectColumnPairValuesToBeInSet(
        column_A="category", column_B="cls", value_pairs_set=pairs, ignore_row_if="neither"
    )
    made.append(("TKT-CI-CLASS", about[["ref", "category", "cls"]], [possible]))
    return made


def main(plan: dict[str, Any]) -> None:
    """Validate, and write the references by check and the CPU seconds of its parts and checks. Raises RuntimeError."""
    marks = {"import": time.process_time()}
    made = suites(plan)
    marks["frames"] = time.process_time()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("frames")
    found: dict[str, set[str]] = {}
    seconds: dict[str, float] = {}
    for number, (code, frame, expectations) in enumerate(made):
        began = time.process_time()
        name = f"{code}-{number}"
        whole = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        batch = whole.get_batch({"dataframe": frame})
        suite = gx.ExpectationSuite(name=name, expectations=expectations)
        for each in batch.validate(suite, result_format=FORMAT).results:
            if each.exception_info and each.exception_info.get("raised_exception"):
                raise RuntimeError(f"{code}: {each.exception_info}")
            failing = each.result.get("unexpected_index_list") or []
            if len(failing) != each.result["unexpected_count"]:
                raise RuntimeError(f"{code}: {len(failing)} of {each.result['unexpected_count']} records are named")
            found.setdefault(code, set()).update(row["ref"] for row in failing)
        seconds[code] = round(seconds.get(code, 0.0) + time.process_time() - began, 2)
    rows = [(code, ref) for code, refs in found.items() for ref in refs]
    pd.DataFrame(rows, columns=["code", "ref"]).to_parquet(plan["found"])
    marks["validation"] = time.process_time()
    told = {
        "great_expectations": gx.__version__,
        "pandas": pd.__version__,
        "parts": {
            "import": round(marks["import"], 2),
            "joins and filters": round(marks["frames"] - marks["import"], 2),
            "validation": round(marks["validation"] - marks["frames"], 2),
        },
        "checks": seconds,
    }
    Path(plan["told"]).write_text(json.dumps(told))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
