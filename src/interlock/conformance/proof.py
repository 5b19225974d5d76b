"""``python -m interlock.conformance.proof``: what a public client of a product said of our mock, kept as a proof.

Called by ``.ci/clients`` with the line that the client printed (``12 passed, 0 failed``).
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import orjson

from interlock.clock import SystemClock
from interlock.conformance.proven import mock_digest
from interlock.records.times import to_text


def main() -> int:
    """Write FOLDER/CLIENT.json; 1 when the line tells of no passed check."""
    parser = argparse.ArgumentParser(prog="interlock.conformance.proof", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--client", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--mock", required=True)
    parser.add_argument("--said", required=True)
    given = parser.parse_args()
    found = re.search(r"(\d+) passed, (\d+) failed", given.said)
    if found is None:
        sys.stderr.write(f"{given.said!r} tells no number of checks\n")
        return 1
    passed, failed = int(found[1]), int(found[2])
    body = {
        "client": given.client,
        "version": given.version,
        "checks": passed + failed,
        "failed": failed,
        "mock": mock_digest(given.mock),
        "at": to_text(SystemClock().now()),
    }
    given.folder.mkdir(parents=True, exist_ok=True)
    (given.folder / f"{given.client}.json").write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
