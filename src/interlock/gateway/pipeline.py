"""The life of a call, whole: every face hands it in here, and every answer leaves from here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from interlock.clock import Clock
from interlock.gateway.budget import Budgets
from interlock.gateway.context import Context, Reply
from interlock.gateway.describe import usable
from interlock.gateway.meters import Meters
from interlock.gateway.reads import Reads
from interlock.gateway.trail import Trail
from interlock.gateway.writes import Writes
from interlock.governance.authority import PolicyEngine, Request
from interlock.governance.decide import Inputs, decide
from interlock.principals.models import Agent
from interlock.records.problems import Problem, Slug
from interlock.records.refs import Ref
from interlock.telemetry import CALL_ID, Metrics
from interlock.tools.catalogue import BY_NAME, GENERAL, Tool

log = logging.getLogger("interlock.gateway")


class Pipeline:
    """principal -> tool and arguments -> authority -> read or write -> ledger -> reply.

    Scope, targets and quality are steps of the read or write itself, because they need its records.
    """

    def __init__(
        self,
        reads: Reads,
        writes: Writes,
        policy: PolicyEngine,
        trail: Trail,
        clock: Clock,
        as_of: Clock,
        ids: Callable[[], str],
        metrics: Metrics,
        budgets: Budgets,
    ) -> None:
        self._reads = reads
        self._writes = writes
        self._policy = policy
        self._trail = trail
        self._clock = clock
        self._as_of = as_of
        self._ids = ids
        self._budgets = budgets
        self._meters = Meters(metrics)

    async def handle(self, agent: Agent, name: str, raw: Mapping[str, Any], face: str = "rest") -> Reply:
        """Answer one call. Never raises: what goes wrong is a problem in the reply."""
        call_id = self._ids()
        CALL_ID.set(call_id)
        now = self._clock.now()
        context: Context | None = None
        problem: Problem | None = None
        status, body = 200, {}
        try:
            tool = known_tool(agent, name)
            context = Context(call_id, agent, tool, raw, None, now, self._as_of.now(), face)
            self._within_budget(context)
            context.arguments = self._read(context)
            if tool.reads:
                self._authorize(context)
                body = await self._reads.run(context)
            else:
                status, body = await self._writes.run(context)
        except Problem as found:
            problem = found
        except Exception:  # the border: a defect of ours becomes a problem with an id, never a traceback
            log.exception("call %s failed", call_id)
            problem = Problem(
                Slug.INTERNAL,
                "the gateway failed on this call",
                next_step=f"Tell its operators the call id {call_id}; do not repeat a write before asking.",
            )
        if context is not None:
            try:
                await self._trail.finished(context, self._clock.now(), problem)
            except Problem as found:
                # A read is not answered without its entry; a write has happened, and its receipt says so.
                problem = found if context.tool.reads and problem is None else problem
            except Exception:
                log.exception("the entry of call %s failed", call_id)
            self._meters.count(context, problem, self._clock.now() - now)
        if problem is not None:
            body = {**problem.body(), "call_id": call_id}
            return Reply(problem.status, body, call_id, problem=True)
        return Reply(status, body, call_id)

    def _within_budget(self, context: Context) -> None:
        wait = self._budgets.call(context.agent, context.now)
        if wait is not None:
            raise Problem(
                Slug.RATE_LIMITED,
                f"{context.agent.id} may make {context.agent.budgets.calls_per_minute} calls a minute",
                retry_after_s=round(wait, 1),
                next_step="Wait, then go on; ask for less at a time.",
            )

    def _read(self, context: Context) -> Any:
        """The arguments. Who may not use the tool is told that, not what its arguments lack."""
        try:
            return read_arguments(context.tool, context.raw)
        except Problem:
            self._authorize(context)
            raise

    def _authorize(self, context: Context) -> None:
        """Authority for a read; a write is decided with its records at hand."""
        tool, agent = context.tool, context.agent
        if tool.name in GENERAL:
            return
        ref = context.given("ref")
        source = Ref.parse(ref).source if ref else context.given("source")
        request = Request(agent.id, agent.tools, tool.name, tool.effect, context.kind, source, context.raw)
        verdict = context.verdict = decide(Inputs("read", agent.stage, self._policy.authorize(request)))
        if verdict.effect != "allow":
            reason = verdict.reasons[0]
            raise Problem(
                Slug.REFUSED,
                reason.detail,
                next_step="whoami lists your tools; the owner of this agent declares them.",
                more={"reasons": [{"kind": reason.kind, "effect": "refuse", "detail": reason.detail}]},
            )


def known_tool(agent: Agent, name: str) -> Tool:
    """The tool of that name. Raises not-found, naming the agent's own tools."""
    tool = BY_NAME.get(name)
    if tool is None:
        raise Problem(
            Slug.NOT_FOUND,
            f"there is no tool {name[:64]!r}",
            field="tool",
            value=name,
            next_step=f"Your tools: {', '.join(usable(agent))}.",
        )
    return tool


def read_arguments(tool: Tool, raw: Mapping[str, Any]) -> Any:
    """The tool's input model. Raises invalid-argument naming the first field that is wrong."""
    try:
        return tool.arguments.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "arguments"
        hint = None
        if first["type"] == "extra_forbidden":
            hint = f"{tool.name} takes: {', '.join(tool.arguments.model_fields)}."
        elif first["type"] == "missing":
            hint = f"Pass {place}; tool_describe shows the schema."
        others = error.error_count() - 1
        more = f" (and {others} more)" if others else ""
        given = first["input"] if isinstance(first["input"], str | int | float | bool) else None
        raise Problem(
            Slug.INVALID_ARGUMENT,
            f"{place}: {first['msg']}{more}",
            field=place,
            value=given,
            next_step=hint or "tool_describe shows the schema.",
            layer="argument",
        ) from None
