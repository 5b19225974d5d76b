"""What came of a run, for people: one HTML page that needs nothing else."""

from __future__ import annotations

from html import escape

from interlock.conformance.reports import Report
from interlock.conformance.rules import LEVELS, Result

_SIGN = {"passed": "✓", "failed": "✕", "skipped": "–", "does_not_apply": "·"}
_WORD = {"passed": "passed", "failed": "failed", "skipped": "not checked", "does_not_apply": "does not apply"}
_STYLE = """
:root{color-scheme:light dark;--ink:#1d2430;--soft:#667085;--line:#e3e6eb;--page:#f7f8fa;--card:#fff;
--good:#147d4f;--bad:#b42318;--warn:#9a6700;--none:#98a2b3;--accent:#2a4d8f}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#98a2b3;--line:#2c3440;--page:#12161c;--card:#1a2029;
--good:#4cc38a;--bad:#ff7a6b;--warn:#e0b050;--none:#667085;--accent:#8fb0f0}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1080px;margin:0 auto;padding:40px 24px 80px}
h1{font-size:26px;margin:0;letter-spacing:-.01em}h2{font-size:17px;margin:36px 0 10px}
p{margin:4px 0}.soft{color:var(--soft)}
.steps{display:flex;margin:26px 0 8px;border-radius:8px;overflow:hidden;border:1px solid var(--line)}
.step{flex:1;padding:14px 16px;background:var(--card);border-left:1px solid var(--line)}.step:first-child{border:0}
.step b{display:block;font-size:15px}.step span{font-size:13px;color:var(--soft)}
.step.on{background:var(--good);color:#fff}.step.on span{color:#ffffffcc}
.step.want{box-shadow:inset 0 -4px 0 var(--accent)}
.counts{display:flex;gap:26px;margin:18px 0}.counts b{font-size:22px;display:block;line-height:1.2}
table{width:100%;border-collapse:collapse;background:var(--card);border:1px solid var(--line);border-radius:8px}
td{padding:9px 12px;border-top:1px solid var(--line);vertical-align:top}tr:first-child td{border-top:0}
td.sign{width:34px;font-weight:700;text-align:center}td.name{width:250px;font:13px/1.5 ui-monospace,Menlo,monospace}
td.time{width:64px;text-align:right;color:var(--soft);font-size:13px}
.passed .sign{color:var(--good)}.failed .sign{color:var(--bad)}.skipped .sign{color:var(--warn)}
.does_not_apply{color:var(--soft)}.does_not_apply .sign{color:var(--none)}
.seen{color:var(--soft);overflow-wrap:anywhere}.failed .seen{color:var(--bad)}.todo{margin-top:3px}
details summary{cursor:pointer;color:var(--soft);padding:8px 0}
"""


def as_html(report: Report) -> str:
    """The report as one page, styles inside, no script."""
    counts = report.counts()
    verdict = (f"reaches <b>{report.reached}</b>" if report.reached else "reaches no level") + (
        "" if report.good else f", not <b>{report.wanted}</b>"
    )
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{escape(report.adapter)}: conformance</title><style>{_STYLE}</style><main>",
        f"<h1>{escape(report.title)}</h1>",
        f"<p>The adapter <b>{escape(report.adapter)}</b> {verdict}.</p>",
        f"<p class=soft>Against {escape(report.against)}, {escape(report.at)}</p>",
        f"<div class=steps>{''.join(_step(report, level) for level in LEVELS)}</div>",
        "<div class=counts>",
        *(f"<div><b>{many}</b><span class=soft>{_WORD[name]}</span></div>" for name, many in counts.items()),
        "</div>",
    ]
    if report.back:
        parts.append(f"<h2>What keeps it from {report.wanted}</h2>{_table(report.back)}")
    for level in LEVELS:
        mine = [r for r in report.results if r.rule.level == level]
        shown = [r for r in mine if r.outcome != "does_not_apply"]
        rest = [r for r in mine if r.outcome == "does_not_apply"]
        if shown:
            parts.append(f"<h2>{level.capitalize()}</h2>{_table(shown)}")
        if rest:
            parts.append(f"<details><summary>{len(rest)} that do not apply</summary>{_table(rest)}</details>")
    return "".join([*parts, "</main></html>\n"])


def _step(report: Report, level: str) -> str:
    on = report.reached is not None and list(LEVELS).index(level) <= LEVELS.index(report.reached)  # type: ignore[arg-type]
    mine = [result for result in report.results if result.rule.level == level and result.outcome != "does_not_apply"]
    passed = sum(result.outcome == "passed" for result in mine)
    marks = f"{' on' if on else ''}{' want' if level == report.wanted else ''}"
    return f"<div class='step{marks}'><b>{level}</b><span>{passed} of {len(mine)}</span></div>"


def _table(results: list[Result]) -> str:
    rows = []
    for result in results:
        seen = f"<div class=seen>{escape(result.seen)}</div>" if result.seen else ""
        todo = f"<div class=todo>{escape(result.todo)}</div>" if result.outcome == "failed" and result.todo else ""
        rows.append(
            f"<tr class={result.outcome}><td class=sign title='{_WORD[result.outcome]}'>{_SIGN[result.outcome]}</td>"
            f"<td class=name>{escape(result.name)}</td><td>{escape(result.rule.about)}{seen}{todo}</td>"
            f"<td class=time>{f'{result.seconds:.1f} s' if result.seconds >= 0.05 else ''}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>"
