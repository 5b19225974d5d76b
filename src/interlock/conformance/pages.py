"""Documentation made from the rules and the adapters' promises; tests hold that it is what stands in the repository.

``python -m interlock.conformance.pages FOLDER`` writes it into a checkout.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from interlock.adapterkit.manifest import load_manifest
from interlock.conformance.declaration import Declaration, load_declaration
from interlock.conformance.rules import LEVELS
from interlock.conformance.run import RULES

_MEANS = {
    "reads": "It reads what is there: folder, mapping, golden records; keys, pages, questions, choices, refusals.",
    "harvests": "All of it can be taken over and kept up to date: resumable, by a watermark, with what was deleted.",
    "writes": "What is written stands there, field by field; a lost write is found again; what was made is taken back.",
    "proven": "The same under every injected fault, and not only against our own idea of the product.",
}
_BADGE = re.compile(r"^<!-- level -->.*$", re.MULTILINE)


def kit_page() -> str:
    """``docs/kit.md``: every level and every rule."""
    lines = [
        "# The rules of the conformance kit",
        "",
        "Made from the rules' docstrings by `python -m interlock.conformance.pages`; do not edit. How the kit is used: "
        "[integrators.md](integrators.md#the-conformance-kit).",
        "",
        "A level is reached when every rule of it, and of those below it, holds or does not apply. A rule that could "
        "not be checked (no source, a known gap, no sample) holds a level back as one that fails does.",
        "",
    ]
    for level in LEVELS:
        lines += [
            f"## {level}",
            "",
            _MEANS[level],
            "",
            "| rule | what must hold | to do where it does not |",
            "| --- | --- | --- |",
        ]
        for rule in RULES:
            if rule.level == level:
                marks = [] if rule.needs == "source" else ["folder only"]
                marks += ["each kind"] if rule.per_kind else []
                told = f" ({', '.join(marks)})" if marks else ""
                lines.append(f"| `{rule.id}`{told} | {_cell(rule.about)} | {_cell(rule.todo)} |")
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def badge(declaration: Declaration) -> str:
    """The line about its level in an adapter's README."""
    against = ["its mock"] if declaration.mock is not None and declaration.mock.module else []
    if declaration.mock is not None and declaration.mock.module is None:
        against.append("files that it declares")
    against += [f"the client {name}" for name in declaration.evidence.clients]
    if declaration.evidence.version is not None:
        against.append("a real server")
    held = f", held against {', '.join(against)}" if against else ""
    gaps = f"; {len(declaration.gaps)} known gaps" if declaration.gaps else ""
    return f"<!-- level --> Conformance: **{declaration.level}**{held}{gaps} ([what that means](../../docs/kit.md))."


def with_badge(readme: str, line: str) -> str:
    """A README with its line, after the title."""
    if _BADGE.search(readme):
        return _BADGE.sub(lambda _: line, readme, count=1)
    title, _, rest = readme.partition("\n")
    return f"{title}\n\n{line}\n{rest}"


def write(root: Path) -> None:
    """Write the page and the badges of a checkout."""
    (root / "docs" / "kit.md").write_text(kit_page(), "utf-8")
    for manifest in sorted((root / "adapters").glob("*/adapter.yaml")):
        load_manifest(manifest.parent)
        readme = manifest.parent / "README.md"
        readme.write_text(with_badge(readme.read_text("utf-8"), badge(load_declaration(manifest.parent))), "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
