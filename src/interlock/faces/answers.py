"""Answers as bytes: the one place where a reply becomes HTTP or MCP content."""

from __future__ import annotations

from typing import Any

import orjson

from interlock.gateway.context import Reply
from interlock.records.problems import Problem, Slug

JSON = b"application/json"
PROBLEM = b"application/problem+json"


def headers(
    status: int, body: bytes, content_type: bytes, extra: list[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """Headers of an answer."""
    found = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), *extra]
    if status == 401:
        found.append((b"www-authenticate", b"Bearer"))
    return found


def problem_bytes(problem: Problem, call_id: str | None = None) -> bytes:
    """A problem document."""
    body = problem.body()
    if call_id is not None:
        body["call_id"] = call_id
    return orjson.dumps(body)


def rest(reply: Reply) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Status, body and headers of a tool's answer over REST."""
    body = orjson.dumps(reply.body)
    extra = [(b"x-call-id", reply.call_id.encode())]
    if reply.problem and (wait := reply.body.get("retry_after_s")) is not None:
        extra.append((b"retry-after", str(max(1, int(wait + 0.999))).encode()))
    return reply.status, body, headers(reply.status, body, PROBLEM if reply.problem else JSON, extra)


def of_problem(problem: Problem, call_id: str | None = None) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Status, body and headers of a problem met before a call began."""
    body = problem_bytes(problem, call_id)
    extra = []
    if problem.retry_after_s is not None:
        extra.append((b"retry-after", str(max(1, int(problem.retry_after_s + 0.999))).encode()))
    return problem.status, body, headers(problem.status, body, PROBLEM, extra)


def mcp_result(reply: Reply) -> dict[str, Any]:
    """A tool's answer as an MCP tool result.

    An error carries its problem as text and in ``_meta``: clients reject structured content that does not
    match the tool's output schema.
    """
    text = orjson.dumps(reply.body).decode()
    content = [{"type": "text", "text": text}]
    if reply.problem:
        return {"content": content, "isError": True, "_meta": {"interlock/problem": reply.body}}
    return {"content": content, "structuredContent": reply.body, "isError": False}


def bad_json(what: str) -> Problem:
    """A body that is not a JSON object."""
    return Problem(
        Slug.INVALID_ARGUMENT,
        f"body: {what}",
        field="body",
        next_step="Send the tool's arguments as one JSON object.",
        layer="argument",
    )
