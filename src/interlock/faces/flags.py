"""REST for flags: people list, look, say what they think of them, and take them away as a file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from interlock.faces import identity
from interlock.gateway.runtime import Runtime
from interlock.quality.flags.acts import MAX_REASON
from interlock.quality.flags.export import FORMATS, MEDIA
from interlock.quality.flags.listing import MAX_LIMIT, ORDERS, Filters
from interlock.records import times

_Reason = Annotated[str, Field(max_length=MAX_REASON)]
Words = Annotated[list[str], Query(max_length=50)]


class Ack(BaseModel):
    """It is known."""

    model_config = ConfigDict(extra="forbid")
    reason: _Reason = ""


class Assign(Ack):
    """Somebody sees to it."""

    assignee: Annotated[str, Field(min_length=1, max_length=200)]


class Waive(BaseModel):
    """It does not count until a date."""

    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, Field(min_length=1, max_length=MAX_REASON)]
    until: Annotated[str, Field(max_length=40)]


class Reopen(Ack):
    """What was said of it is taken back."""


def add_flags(app: FastAPI, runtime: Runtime) -> None:
    """The routes under ``/v1/flags``."""
    review = runtime.review

    def who(request: Request) -> Any:
        return identity.person(runtime.principals, request.headers.get("authorization"))

    @app.get("/v1/flags")
    async def flags(
        request: Request,
        code: Words = [],  # noqa: B006 - read only
        source: Words = [],  # noqa: B006
        kind: Words = [],  # noqa: B006
        ref: Words = [],  # noqa: B006
        status: Words = [],  # noqa: B006
        assignee: Words = [],  # noqa: B006
        severity: Words = [],  # noqa: B006
        order: Annotated[str, Query(pattern=f"^({'|'.join(ORDERS)})$")] = "stops",
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
        cursor: Annotated[str | None, Query(max_length=2000)] = None,
    ) -> Response:
        person = who(request)
        filters = _filters(code, source, kind, ref, status, assignee, severity)
        return _json(await review.listed(person, filters, order, limit, cursor))

    @app.get("/v1/flags/export")
    async def exported(
        request: Request,
        format: Annotated[str, Query(pattern=f"^({'|'.join(FORMATS)})$")] = "jsonl",  # noqa: A002
        code: Words = [],  # noqa: B006
        source: Words = [],  # noqa: B006
        kind: Words = [],  # noqa: B006
        ref: Words = [],  # noqa: B006
        status: Words = [],  # noqa: B006
        assignee: Words = [],  # noqa: B006
        severity: Words = [],  # noqa: B006
    ) -> Response:
        person = who(request)
        filters = _filters(code, source, kind, ref, status, assignee, severity)
        pieces = await asyncio.to_thread(review.export, person, format, filters)
        # What can go wrong does so before the first piece: then it is still a problem, not a torn file.
        first = await asyncio.to_thread(next, pieces, b"")
        headers = {"content-disposition": f'attachment; filename="flags.{format}"'}
        return StreamingResponse(_with(first, pieces), media_type=MEDIA[format], headers=headers)

    # A ref may hold slashes, so what is longer is matched first.
    @app.post("/v1/flags/{ref:path}/{code}/ack")
    async def ack(request: Request, ref: str, code: str, body: Ack) -> Response:
        return _json(await review.act(who(request), "ack", ref, code, body.reason or None))

    @app.post("/v1/flags/{ref:path}/{code}/assign")
    async def assign(request: Request, ref: str, code: str, body: Assign) -> Response:
        person = who(request)
        return _json(await review.act(person, "assign", ref, code, body.reason or None, assignee=body.assignee))

    @app.post("/v1/flags/{ref:path}/{code}/waive")
    async def waive(request: Request, ref: str, code: str, body: Waive) -> Response:
        person = who(request)
        until = times.parse(body.until, "until")
        return _json(await review.act(person, "waive", ref, code, body.reason, until))

    @app.post("/v1/flags/{ref:path}/{code}/reopen")
    async def reopen(request: Request, ref: str, code: str, body: Reopen) -> Response:
        return _json(await review.act(who(request), "reopen", ref, code, body.reason or None))

    @app.get("/v1/flags/{ref:path}/{code}")
    async def flag(request: Request, ref: str, code: str) -> Response:
        return _json(await review.get(who(request), ref, code))


def _filters(*words: list[str]) -> Filters:
    names = ("code", "source", "kind", "ref", "status", "assignee", "severity")
    return Filters.of(dict(zip(names, words, strict=True)))


def _with(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
