"""Counts what the conformance suite printed; unscored scenarios in ``ALSO`` must pass too.

Usage: judge.py OUTPUT STATUS. STATUS is the suite's exit status: it holds the scored checks to the file of
expected failures, both ways.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ALSO = ("http-header-validation", "http-custom-header-server-validation", "json-schema-2020-12")
LINE = re.compile(r"^[✓✗] ([a-z0-9-]+): (\d+) passed, (\d+) failed", re.MULTILINE)
EXPECTED = re.compile(r"^  ~ (\S+)", re.MULTILINE)
UNEXPECTED = re.compile(r"^(?:Unexpected failures|Stale baseline entries).*\n((?:  [✓✗] \S+\n?)+)", re.MULTILINE)
EXTENSION = "tasks-"  # an extension of the protocol that is not served: run by the suite, scored by nobody


def main(output: Path, status: int) -> int:
    text = re.sub(r"\x1b\[\d+m", "", output.read_text(encoding="utf-8"))
    counts = {name: (int(good), int(bad)) for name, good, bad in LINE.findall(text) if not name.startswith(EXTENSION)}
    wrong = [line.strip()[2:] for block in UNEXPECTED.findall(text) for line in block.splitlines()]
    wrong += [name for name in ALSO if name not in counts or counts[name][1] or not counts[name][0]]
    if status and not wrong:
        wrong.append(f"the suite ended with status {status}")
    for what in wrong:
        sys.stdout.write(f"unexpected: {what}\n")
    passed = sum(good for good, _ in counts.values())
    sys.stdout.write(f"{len(EXPECTED.findall(text))} checks fail as expected (expected-failures.yml)\n")
    sys.stdout.write(f"{passed} passed, {len(wrong)} failed\n")
    return 1 if wrong or not passed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
