"""Baseline P: what a careful engineer writes by hand. FastAPI, pydantic and httpx; no governance.

``BACKEND=http://127.0.0.1:18080 uvicorn benchmarks.baselines.proxy_fastapi:app --port 8001 --no-access-log``

Answers ``POST /v1/tools/incident_get {"sys_id": "..."}`` with any bearer token. ``PREFIX=/slow`` asks the
backend that takes 50 ms.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from benchmarks.baselines import model
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel

BACKEND = os.environ.get("BACKEND", "http://127.0.0.1:18080")
TABLE = os.environ.get("PREFIX", "") + "/api/now/table/incident"
GET = TABLE + "/{}?sysparm_display_value=all&sysparm_exclude_reference_link=false"
SEARCH = TABLE + "?sysparm_display_value=all&sysparm_limit=100"
HEADERS = {"Authorization": "Basic YWRtaW46YWRtaW4=", "Accept": "application/json"}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    limits = httpx.Limits(max_connections=256, max_keepalive_connections=256)
    async with httpx.AsyncClient(
        base_url=BACKEND, headers=HEADERS, limits=limits, timeout=30, trust_env=False
    ) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


class GetArguments(BaseModel):
    sys_id: str


class SearchArguments(BaseModel):
    limit: int = 100


async def caller(authorization: Annotated[str, Header()]) -> str:
    if not authorization.startswith("Bearer "):
        raise HTTPException(401)
    return authorization.removeprefix("Bearer ")


Caller = Annotated[str, Depends(caller)]


async def fetch(request: Request, path: str) -> bytes:
    answer = await request.app.state.client.get(path)
    answer.raise_for_status()
    content: bytes = answer.content
    return content


@app.post("/v1/tools/incident_get", response_model=model.One)
async def incident_get(arguments: GetArguments, request: Request, who: Caller) -> model.One:
    return model.one(await fetch(request, GET.format(arguments.sys_id)))


@app.post("/v1/tools/incident_search", response_model=model.Many)
async def incident_search(arguments: SearchArguments, request: Request, who: Caller) -> model.Many:
    return model.many(await fetch(request, SEARCH))
