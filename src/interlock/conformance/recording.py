"""Recordings: what the read rules asked a source and what it said, disguised, to be asked again without it.

While it is recorded the adapter already sees the disguised answers, and its requests get the real values back on
their way out. So what is recorded is exactly what a replay asks for, and no request holds a value of the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

import httpx
import orjson

from interlock.adapterkit.product import Product
from interlock.adapterkit.wire import Answer, Call, Transport
from interlock.config import SourceConfig
from interlock.config.model import Limits
from interlock.conformance.disguise import HOST, Disguise
from interlock.records.problems import Problem, Slug

FOLDER = "recordings"
_ABOUT = "source.json"
_FORM = "application/x-www-form-urlencoded"


class Recorder:
    """Collects exchanges of one source. ``kind`` is the one whose rule runs: each kind becomes a file.

    Raises Problem unsupported for a source whose exchanges cannot be disguised yet.
    """

    def __init__(self, product: Product, config: SourceConfig) -> None:
        protocol = product.manifest.transport.protocol
        if protocol != "http-json":
            raise _not_yet(f"the adapter speaks {protocol}: what of its messages is private is known of JSON only")
        own = [name for name in ("overlays", "mapping", "settings") if getattr(config, name)]
        if own:
            raise _not_yet(f"the source has {', '.join(own)} of its own, which a recording would have to tell")
        self.kind = "other"
        self._base = (config.base_url or "").rstrip("/")
        self._time_zone = config.time_zone
        self._adapter = product.manifest.adapter
        self._rows = product.manifest.paging.rows
        self._headers = {"content-type", "retry-after", (product.manifest.paging.total or "").lower()}
        self._disguise = Disguise(product)
        self._kept: dict[bytes, tuple[str, dict[str, Any]]] = {}

    def over(self, transport: Transport) -> Transport:
        """A transport that records what goes through it."""
        return _Recording(self, transport)

    async def exchange(self, transport: Transport, call: Call) -> Answer:
        """Send a disguised call for real, and give the disguised answer. Logins pass and are not kept."""
        if call.headers.get("content-type", "").startswith(_FORM):
            return await transport.send(call)
        asked = _asked(call, self._base)
        answer = await transport.send(self._real(call, asked))
        kept = {name.lower(): value for name, value in answer.headers.items() if name.lower() in self._headers}
        body = self._disguise.answer(_parsed(answer), answer.status, self._rows)
        said = {"status": answer.status, "headers": kept, "body": body}
        self._kept.setdefault(_key(asked), (self.kind, {"request": asked, "answer": said}))
        return _answer(said, answer.elapsed)

    def _real(self, call: Call, asked: Mapping[str, Any]) -> Call:
        back = self._disguise.pseudonyms.back
        real = _everywhere(asked, back)
        if real == asked:
            return call
        query = urlencode([(name, value) for name, value in real["parameters"]], quote_via=quote)
        url = self._base + quote(real["path"], safe="/:~") + (f"?{query}" if query else "")
        content = None if real["body"] is None else orjson.dumps(real["body"])
        return Call(call.method, url, call.headers, content, call.timeout_s, call.not_after)

    def save(self, folder: Path, at: str) -> int:
        """Write the files, in place of those of an earlier recording; gives the number of exchanges.

        Raises Problem when nothing was recorded: the earlier one stays then.
        """
        if not self._kept:
            raise Problem(
                Slug.SOURCE_FAULT,
                "nothing was recorded: the source answered no request of the read rules",
                next_step="Look at the report: it says what went wrong.",
            )
        place = folder / FOLDER
        place.mkdir(exist_ok=True)
        for old in place.glob("*.json"):
            old.unlink()
        files: dict[str, list[dict[str, Any]]] = {}
        for kind, exchange in self._kept.values():
            files.setdefault(kind, []).append(exchange)
        for kind, exchanges in files.items():
            lines = b",\n".join(map(orjson.dumps, exchanges))  # one a line: somebody reads them before they are shared
            (place / f"{kind}.json").write_bytes(b"[\n" + lines + b"\n]\n")
        about = {"adapter": self._adapter, "time_zone": self._time_zone, "at": at}
        (place / _ABOUT).write_bytes(orjson.dumps(about) + b"\n")
        return len(self._kept)


class _Recording:
    def __init__(self, recorder: Recorder, inner: Transport) -> None:
        self.name = inner.name
        self._recorder = recorder
        self._inner = inner

    async def send(self, call: Call) -> Answer:
        return await self._recorder.exchange(self._inner, call)

    async def close(self) -> None:
        await self._inner.close()


class Replay:
    """A transport that answers from an adapter's recordings; nothing leaves the machine."""

    name = "replay"

    def __init__(self, folder: Path) -> None:
        self._known: dict[bytes, dict[str, Any]] = {}
        about = orjson.loads((folder / FOLDER / _ABOUT).read_bytes())
        self.at: str = about["at"]
        self.config = SourceConfig(
            adapter=about["adapter"], base_url=HOST, time_zone=about["time_zone"], limits=Limits(per_second=None)
        )
        for file in sorted((folder / FOLDER).glob("*.json")):
            for exchange in orjson.loads(file.read_bytes()) if file.name != _ABOUT else ():
                self._known[_key(exchange["request"])] = exchange["answer"]

    async def send(self, call: Call) -> Answer:
        asked = _asked(call, HOST)
        said = self._known.get(_key(asked))
        if said is None:
            raise Problem(
                Slug.SOURCE_FAULT,
                f"the recording does not hold {call.method} {asked['path']} with these parameters",
                next_step="The adapter asks otherwise than when it was recorded: record again with --record.",
                layer="transport",
                reached="no",
            )
        return _answer(said, 0.0)

    async def close(self) -> None:
        pass


def recorded(folder: Path) -> bool:
    """Whether an adapter's folder has recordings."""
    return (folder / FOLDER / _ABOUT).is_file()


def _asked(call: Call, base: str) -> dict[str, Any]:
    """A request as it is kept: no address of the source, no header."""
    if not call.url.startswith(base):
        raise _not_yet("the adapter asks another address than the source's")
    path, _, query = call.url[len(base) :].partition("?")
    parameters = [list(pair) for pair in parse_qsl(query, keep_blank_values=True)]
    try:
        body = orjson.loads(call.content) if call.content else None
    except orjson.JSONDecodeError:
        raise _not_yet("the adapter sends a body that is not JSON") from None
    return {"method": call.method, "path": unquote(path), "parameters": parameters, "body": body}


def _parsed(answer: Answer) -> Any:
    """The JSON of an answer. What an error says in another form is left out; anything else cannot be disguised."""
    try:
        return orjson.loads(answer.body) if answer.body else None
    except orjson.JSONDecodeError:
        if answer.status >= 400:
            return None
        raise _not_yet("the source answers with something that is not JSON") from None


def _answer(said: Mapping[str, Any], elapsed: float) -> Answer:
    body = b"" if said["body"] is None else orjson.dumps(said["body"])
    return Answer(said["status"], httpx.Headers(said["headers"]), body, elapsed)


def _everywhere(value: Any, change: Any) -> Any:
    if isinstance(value, dict):
        return {name: _everywhere(inner, change) for name, inner in value.items()}
    if isinstance(value, list):
        return [_everywhere(inner, change) for inner in value]
    return change(value) if isinstance(value, str) else value


def _key(asked: Mapping[str, Any]) -> bytes:
    return orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)


def _not_yet(why: str) -> Problem:
    return Problem(
        Slug.UNSUPPORTED,
        f"this cannot be recorded: {why}",
        next_step="Check it with --source alone.",
        layer="transport",
        reached="no",
    )
