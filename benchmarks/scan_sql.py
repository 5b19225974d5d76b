"""The eight checks written by hand in DuckDB's SQL, a query a check: what a good engineer would write instead.

It knows this one profile: ages, required attributes, keys and placeholder words stand in the text. It reads the
same Parquet files and writes the same findings. ``python -m benchmarks.scan_sql PLAN.json`` in a process of its
own; the plan names the files by kind, the time, the words and where the findings go.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import duckdb

UNSEEN = "('application', 'service')"
PHYSICAL = "('computer', 'network_device', 'server', 'storage')"
NEEDY = "('database', 'network_device', 'server', 'storage', 'virtual_machine')"
UNUSED = "('planned', 'ordered', 'in_stock', 'retired', 'stolen', 'missing')"
KEYS = {
    "serial": "('computer', 'network_device', 'server', 'storage')",
    "cloud_id": "('computer', 'database', 'network_device', 'server', 'storage', 'virtual_machine')",
    "asset_tag": "('computer', 'network_device', 'server', 'storage')",
    "mac": "('computer', 'server')",
    "fqdn": "('computer', 'server')",
}


def queries(plan: dict[str, Any]) -> dict[str, str]:
    """SQL by check, each giving ``ref`` and ``evidence``."""
    now = plan["as_of"]
    junk = ", ".join("'" + word.replace("'", "''") + "'" for word in plan["junk"])

    def missing(name: str) -> str:
        return f"""CASE WHEN contains(known, '|{name}|') THEN CASE WHEN {name} IS NULL THEN '{name} empty'
            WHEN lower({name}) IN ({junk}) THEN '{name} placeholder' END END"""

    keys = " UNION ALL ".join(
        f"SELECT ref, source, '{name}' AS field, {name}_key AS key FROM ci"
        f" WHERE {name}_key IS NOT NULL AND cls IN {classes} AND {name}_key NOT IN ({junk})"
        for name, classes in KEYS.items()
    )
    return {
        "CI-STALE": f"""
            SELECT ref, CASE WHEN last_seen_at IS NULL AND attested_at IS NULL
                THEN 'never_seen: cls ' || cls || '; allowed_s 5184000'
                ELSE 'stale: cls ' || cls || coalesce('; last_seen_at @' || last_seen_at, '')
                    || coalesce('; attested_at @' || attested_at, '') || '; allowed_s 5184000' END AS evidence
            FROM ci WHERE cls NOT IN {UNSEEN} AND contains(known, '|cls|') AND contains(known, '|last_seen_at|')
                AND coalesce({now} - greatest(last_seen_at, attested_at) > 5184000, true)""",
        "CI-MISS-REQ": f"""
            SELECT ref, 'missing: cls ' || cls || '; ' || concat_ws('; ', serial_wrong, os_wrong) AS evidence FROM (
                SELECT ref, cls,
                    CASE WHEN cls IN {PHYSICAL} THEN {missing("serial")} END AS serial_wrong,
                    CASE WHEN cls IN ('server', 'virtual_machine') THEN {missing("os")} END AS os_wrong
                FROM ci)
            WHERE serial_wrong IS NOT NULL OR os_wrong IS NOT NULL""",
        "CI-ORPHAN": f"""
            SELECT ref, 'unrelated: cls ' || cls AS evidence FROM ci
            WHERE cls IN {NEEDY}
            AND coalesce(status, '') NOT IN {UNUSED} AND coalesce(operational_status, '') <> 'retired'
            AND NOT EXISTS (SELECT 1 FROM relationship r WHERE r.subject = ci.ref)
            AND NOT EXISTS (SELECT 1 FROM relationship r WHERE r.object = ci.ref)
            AND NOT EXISTS (SELECT 1 FROM by_handle h WHERE h.handle_ref = ci.source || ':ci:~' || ci.handle)""",
        "CI-DUP-IN": f"""
            WITH key AS ({keys}),
                twice AS (SELECT source, field, key, count(*) AS n, min(ref) AS first FROM key
                    GROUP BY ALL HAVING n > 1)
            SELECT ref, 'duplicate: ' || string_agg(field || ' ' || key || ' on ' || n || ' records, first ' || first,
                '; ' ORDER BY field || ' ' || key) AS evidence
            FROM key JOIN twice USING (source, field, key) GROUP BY ref""",
        "CI-CONFLICT": _conflict(keys, junk),
        "REL-DANGLING": """
            WITH gone AS (
                SELECT ref, 'subject' AS side, subject AS ci FROM relationship
                    WHERE subject NOT IN (SELECT ref FROM ci) AND NOT EXISTS (
                        SELECT 1 FROM ci WHERE subject LIKE '%:ci:~%' AND source || ':ci:~' || handle = subject)
                UNION ALL SELECT ref, 'object', object FROM relationship
                    WHERE object NOT IN (SELECT ref FROM ci) AND NOT EXISTS (
                        SELECT 1 FROM ci WHERE object LIKE '%:ci:~%' AND source || ':ci:~' || handle = object)),
            said AS (
                SELECT ref, 'gone' AS reason, side || ' ' || ci AS fact FROM gone
                UNION ALL SELECT ref, 'empty', 'subject is empty' FROM relationship
                    WHERE subject IS NULL AND contains(known, '|subject|')
                UNION ALL SELECT ref, 'empty', 'object is empty' FROM relationship
                    WHERE object IS NULL AND contains(known, '|object|'))
            SELECT ref, string_agg(DISTINCT reason, ',' ORDER BY reason) || ': ' || string_agg(fact, '; ' ORDER BY fact)
                AS evidence FROM said GROUP BY ref""",
        "TKT-PRIO": """
            SELECT ref, CASE WHEN priority IS NULL THEN 'missing: ' ELSE 'differs: priority ' || priority || '; ' END
                || 'matrix ' || want || '; impact ' || impact || '; urgency ' || urgency AS evidence
            FROM (SELECT *, 'p' || (CASE impact WHEN 'high' THEN 0 WHEN 'medium' THEN 1 WHEN 'low' THEN 2 END
                + CASE urgency WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 END) AS want FROM incident)
            WHERE want IS NOT NULL AND contains(known, '|priority|') AND priority IS DISTINCT FROM want""",
        "TKT-CI-CLASS": f"""
            WITH about AS (
                SELECT i.ref, i.category, ci.cls, ci.ref AS ci FROM incident i JOIN ci ON i.ci = ci.ref
                UNION ALL SELECT i.ref, i.category, ci.cls, ci.ref FROM incident i
                    JOIN ci ON i.ci = ci.source || ':ci:~' || ci.handle WHERE contains(i.ci, ':ci:~'))
            SELECT ref, 'impossible: category ' || category || '; cls ' || cls || '; ci ' || ci AS evidence
            FROM about WHERE {plan["impossible"]}""",
    }


def _conflict(keys: str, junk: str) -> str:
    """Pairs of two sources by the strongest key they share, unless a stronger one tells them apart."""
    rank = "CASE field WHEN 'serial' THEN 0 WHEN 'cloud_id' THEN 1 WHEN 'asset_tag' THEN 2 WHEN 'mac' THEN 3 ELSE 4 END"
    words = ("ip", "os", "os_version", "vendor", "model", "location", "owner", "support_group")
    compared = {name: (f"{name}_key", name) for name in KEYS}
    compared |= {name: (name, name) for name in ("status", "operational_status", "environment", "criticality")}
    compared |= {name: (f"{name}_meant", name) for name in words}
    compared |= {name: (f"{name}_meant", f"coalesce({name}_name, {{0}}.{name})") for name in ("owner", "support_group")}

    def shown(side: str, name: str) -> str:
        told = compared[name][1]
        return (
            told.replace("{0}", side).replace("coalesce(", f"coalesce({side}.") if "{0}" in told else f"{side}.{told}"
        )

    def real(name: str) -> str:
        # only junk serial numbers are left in keys; of other words there is none in this CMDB
        return f" AND a.{name}_key NOT IN ({junk}) AND b.{name}_key NOT IN ({junk})" if name == "serial" else ""

    facts = ", ".join(
        f"CASE WHEN a.{meant} <> b.{meant}{real(name)} THEN '{name} ' || {shown('a', name)}"
        f" || ', ' || {shown('b', name)}"
        f" || ' in ' || b.ref END"
        for name, (meant, _) in compared.items()
    )
    return f"""
        WITH key AS (SELECT *, {rank} AS rank FROM ({keys})),
            few AS (SELECT rank, key FROM key GROUP BY ALL HAVING count(*) <= 20 AND min(source) <> max(source)),
            one AS (SELECT * FROM key SEMI JOIN few USING (rank, key)),
            pair AS (SELECT x.ref AS left_ref, y.ref AS right_ref, min(x.rank) AS rank FROM one x JOIN one y
                ON x.rank = y.rank AND x.key = y.key AND x.source < y.source GROUP BY ALL),
            apart AS (SELECT left_ref, right_ref FROM pair p JOIN key x ON x.ref = p.left_ref JOIN key y
                ON y.ref = p.right_ref WHERE x.rank = y.rank AND x.rank < p.rank AND x.key <> y.key),
            sure AS (SELECT left_ref, right_ref FROM pair ANTI JOIN apart USING (left_ref, right_ref)),
            ways AS (SELECT left_ref AS own, right_ref AS other FROM sure
                UNION ALL SELECT right_ref, left_ref FROM sure),
            said AS (SELECT a.ref, unnest([{facts}]) AS fact
                FROM ways JOIN ci a ON a.ref = own JOIN ci b ON b.ref = other)
        SELECT ref, 'differs: ' || string_agg(fact, '; ' ORDER BY fact) AS evidence
        FROM said WHERE fact IS NOT NULL GROUP BY ref"""


def main(plan: dict[str, Any]) -> None:
    con = duckdb.connect(config={"memory_limit": plan["memory"], "temp_directory": plan["scratch"]})
    con.execute("SET preserve_insertion_order = false; SET enable_progress_bar = false")
    for kind, files in plan["files"].items():
        con.execute(f"CREATE VIEW {kind} AS SELECT * FROM read_parquet({files})")
    con.execute("""CREATE VIEW by_handle AS
        SELECT subject AS handle_ref FROM relationship WHERE contains(subject, ':ci:~')
        UNION ALL SELECT object FROM relationship WHERE contains(object, ':ci:~')""")
    con.execute("CREATE TABLE finding (code VARCHAR, kind VARCHAR, ref VARCHAR, evidence VARCHAR)")
    kinds = {"CI": "ci", "REL": "relationship", "TKT": "incident"}
    for code, sql in queries(plan).items():
        kind = kinds[code.partition("-")[0]]
        con.execute(f"INSERT INTO finding SELECT '{code}', '{kind}', ref, evidence FROM ({sql})")
    con.execute(f"COPY finding TO '{plan['findings']}' (FORMAT parquet, COMPRESSION zstd)")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
