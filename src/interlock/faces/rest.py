"""REST: every tool as ``POST /v1/tools/{tool}``, and what people and machines need beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from interlock import __version__
from interlock.faces import answers, identity
from interlock.faces.door import call_tool, read_body
from interlock.faces.flags import add_flags
from interlock.faces.openapi import document
from interlock.gateway.describe import usable
from interlock.gateway.receipts import current, seen_by
from interlock.gateway.runtime import Runtime
from interlock.principals.models import Agent
from interlock.records.problems import Problem, Slug
from interlock.tools.catalogue import BY_NAME
from interlock.tools.contracts import listed


class Decision(BaseModel):
    """A person's decision on a held call."""

    model_config = ConfigDict(extra="forbid")
    digest: Annotated[str, Field(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$")]
    approve: Annotated[bool, Field(strict=True)]
    comment: Annotated[str, Field(max_length=1000)] = ""


def build_rest(runtime: Runtime, around: Callable[[], AbstractAsyncContextManager[None]] | None = None) -> FastAPI:
    """The REST app over an open gateway. ``around`` is entered while the app runs."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if around is None:
            yield
        else:
            async with around():
                yield

    app = FastAPI(
        title="Interlock", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.openapi = lambda: document()  # type: ignore[method-assign]

    @app.exception_handler(Problem)
    async def problem(_request: Request, error: Problem) -> Response:
        return _response(answers.of_problem(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return _response(
            answers.of_problem(
                Problem(Slug.INVALID_ARGUMENT, f"{field}: {first['msg']}", field=field, layer="argument")
            )
        )

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> Response:
        if error.status_code == 400:  # the framework's word for a body that it cannot read
            return _response(answers.of_problem(answers.bad_json("is not JSON")))
        slug = Slug.NOT_FOUND if error.status_code == 404 else Slug.INVALID_ARGUMENT
        found = Problem(slug, str(error.detail), next_step="GET /openapi.json lists what there is.")
        body = {**found.body(), "status": error.status_code}
        headers = dict(error.headers or {})
        return Response(orjson.dumps(body), error.status_code, headers, media_type="application/problem+json")

    _tools(app, runtime)
    _for_agents(app, runtime)
    _for_people(app, runtime)
    add_flags(app, runtime)
    _for_machines(app, runtime)
    return app


def _tools(app: FastAPI, runtime: Runtime) -> None:
    @app.post("/v1/tools/{name:path}")
    async def call(request: Request, name: str) -> Response:
        """Any name comes here, as at the door: who has no key learns nothing of which tools there are."""
        try:
            raw = await read_body(request.receive)
        except Problem as problem:
            return _response(answers.of_problem(problem))
        headers = request.headers
        return _response(await call_tool(runtime, name, headers.get("authorization"), headers.get("content-type"), raw))


def _for_agents(app: FastAPI, runtime: Runtime) -> None:
    @app.get("/v1/tools")
    async def tools(request: Request) -> Response:
        agent = identity.agent(runtime.principals, request.headers.get("authorization"))
        return _json({"tools": [listed(BY_NAME[name]) for name in usable(agent)]})

    @app.get("/v1/receipts/{id}")
    async def receipt(request: Request, id: str) -> Response:  # noqa: A002
        who = identity.principal(runtime.principals, request.headers.get("authorization"))
        row = await runtime.journal.get(id)
        if row is None or (who.kind == "agent" and row.principal != who.id):
            raise Problem(Slug.NOT_FOUND, f"there is no receipt {id}", field="id", value=id)
        return _json(seen_by(who, row) if isinstance(who, Agent) else current(row))


def _for_people(app: FastAPI, runtime: Runtime) -> None:
    approvals = runtime.approvals

    @app.get("/v1/approvals")
    async def listed_calls(
        request: Request,
        state: Annotated[
            str, Query(pattern="^(held|released|refused|expired|applied|partial|not_applied|unknown)$")
        ] = ("held"),
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> Response:
        who = identity.person(runtime.principals, request.headers.get("authorization"))
        return _json({"data": await approvals.listed(who, (state,), limit)})

    @app.get("/v1/approvals/{id}")
    async def one(request: Request, id: str) -> Response:  # noqa: A002
        who = identity.person(runtime.principals, request.headers.get("authorization"))
        return _json(await approvals.get(who, id))

    @app.post("/v1/approvals/{id}/decision")
    async def decide(request: Request, id: str, decision: Decision) -> Response:  # noqa: A002
        who = identity.person(runtime.principals, request.headers.get("authorization"))
        return _json(await approvals.decide(who, id, decision.digest, decision.approve, decision.comment))


def _for_machines(app: FastAPI, runtime: Runtime) -> None:
    @app.get("/healthz")
    async def alive() -> Response:
        return _json({"status": "ok", "version": __version__})

    @app.get("/readyz")
    async def ready() -> Response:
        failing = runtime.ledger.counts.failing
        sources = {name: source.health()["state"] for name, source in runtime.sources.items()}
        body = {"status": "failing" if failing else "ok", "ledger": "failing" if failing else "ok", "sources": sources}
        return _json(body, 503 if failing else 200)

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        identity.principal(runtime.principals, request.headers.get("authorization"))
        return Response(generate_latest(runtime.telemetry.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def _response(answer: tuple[int, bytes, list[tuple[bytes, bytes]]]) -> Response:
    status, body, headers = answer
    names = {name.decode(): value.decode() for name, value in headers if name != b"content-length"}
    return Response(body, status, names)
