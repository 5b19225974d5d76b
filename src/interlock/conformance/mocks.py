"""A product's mock as the source: started in a process of its own, as its module declares itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import orjson

from interlock.config import SourceConfig
from interlock.conformance.declaration import MockPart
from interlock.places import place
from interlock.records.problems import Problem, Slug

START_S = 120.0


@contextlib.asynccontextmanager
async def mocked(
    adapter: str, part: MockPart, folder: Path
) -> AsyncIterator[tuple[SourceConfig, Callable[[str, Any], Awaitable[None]] | None]]:
    """The source that conformance.yaml configures for the mock, and a way to change its switches.

    ``folder`` takes the files that it declares. Raises Problem when the mock does not start.
    """
    for name, text in part.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    if part.module is None:
        yield _configured(adapter, part, {"folder": str(folder)}), None
        return
    arguments = [f"mock_servers.{part.module}", *map(str, part.arguments)]
    root = str(place("mock_servers").parent)
    paths = os.pathsep.join(filter(None, [root, *sys.path]))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
        limit=16 * 1024 * 1024,
    )
    try:
        ready = await _ready(process, arguments[0])

        async def switch(name: str, value: Any) -> None:
            async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
                answer = await client.post(f"{ready['url']}/__mock__/switches", json={name: value})
            if answer.status_code != 200:
                raise Problem(Slug.INVALID_ARGUMENT, f"the mock has no switch {name}: {answer.text[:200]}")

        yield _configured(adapter, part, {"url": ready["url"], "folder": str(folder)}), switch
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ready(process: asyncio.subprocess.Process, module: str) -> dict[str, Any]:
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
    except TimeoutError:
        line = b""
    if not line:
        said = (await process.stderr.read(2000)).decode("utf-8", "replace") if process.returncode is not None else ""
        raise Problem(Slug.SOURCE_UNAVAILABLE, f"{module} did not start{f': {said[-300:]}' if said else ''}")
    found: dict[str, Any] = orjson.loads(line)
    return found


def _configured(adapter: str, part: MockPart, words: dict[str, str]) -> SourceConfig:
    body = {"adapter": adapter, "environment": "test", **_filled(part.source, words)}
    body.setdefault("limits", {"per_second": None, "concurrency": 8})
    return SourceConfig.model_validate(body, context={"environ": os.environ, "folder": Path.cwd()})


def _filled(value: Any, words: dict[str, str]) -> Any:
    if isinstance(value, str):
        for name, text in words.items():
            value = value.replace("{" + name + "}", text)
        return value
    if isinstance(value, dict):
        return {name: _filled(inner, words) for name, inner in value.items()}
    return [_filled(inner, words) for inner in value] if isinstance(value, list | tuple) else value
