"""``interlock flags owners``: printed, as CSV, and posted to who wants it, signed."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from tests.cli.commands import Shell

from interlock.quality.flags import FlagStore
from interlock.quality.flags.signing import signed

SECRET = "what only the two of us know"


@pytest.fixture
def flagged(shell: Shell) -> None:
    store = FlagStore(shell.folder / "state")
    store.replace("snow:ci:web1", [("CI-STALE", "=cmd|calc")], ["CI-STALE"], 1_700_000_000.0)
    store.close()


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A web server that takes everything, and what it took."""
    taken: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/flags", taken
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.usefixtures("flagged")
def test_printed(shell: Shell) -> None:
    (entry,) = json.loads(shell.ok("flags", "owners", "--json"))
    assert (entry["owner"], entry["flags"], entry["codes"]) == ("", 1, {"CI-STALE": 1})
    (row,) = csv.DictReader(io.StringIO(shell.ok("flags", "owners", "--csv")))
    assert (row["ref"], row["evidence"]) == ("snow:ci:web1", "'=cmd|calc")
    assert "(nobody)" in shell.ok("flags", "owners")


@pytest.mark.usefixtures("flagged")
def test_posted(
    shell: Shell, receiver: tuple[str, list[tuple[dict[str, str], bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, taken = receiver
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    hook = f"webhooks: [{{url: '{url}', secret: 'env:HOOK_SECRET'}}]\n"
    config = shell.write("hooked.yaml", f"state: state\n{hook}")
    assert "sent" in shell.ok("flags", "owners", "--send", "--config", config)
    ((headers, body),) = taken
    assert json.loads(body)["owners"][0]["worst"][0]["ref"] == "snow:ci:web1"
    wanted = signed(SECRET, headers["webhook-id"], float(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == wanted["webhook-signature"]
