"""From a write tool's arguments to changes of a record: canonical, resolved, inside the scope."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from interlock.gateway.context import Context
from interlock.gateway.scopes import admits, not_found, scope_of
from interlock.records import times
from interlock.records.kinds import FIELDS
from interlock.records.problems import Problem, Slug, invalid
from interlock.records.refs import Ref
from interlock.sources.answers import Fetched
from interlock.sources.source import Source
from interlock.tools.arguments import Changes

_CI_AGE_S = 300.0  # a write looks at the CI behind its ticket; this old is recent enough


_OF_THE_CALL = frozenset({"idempotency_key", "dry_run"})


def digest_of(tool: str, raw: Mapping[str, Any]) -> str:
    """What an idempotency key is bound to: the tool and all arguments but those that are about the call itself."""
    asked = {name: value for name, value in raw.items() if name not in _OF_THE_CALL and value is not None}
    return hashlib.sha256(orjson.dumps([tool, asked], option=orjson.OPT_SORT_KEYS)).hexdigest()


def asked_changes(context: Context) -> dict[str, Any]:
    """The changes a call asks for, refs still as written. Raises invalid-argument."""
    spec, arguments = context.tool.write, context.arguments
    assert spec is not None
    if spec.op == "note":
        return {}
    found: dict[str, Any] = dict(spec.sets or {})
    for name in spec.takes:
        value = getattr(arguments, name)
        if isinstance(value, Changes):
            found.update(value.model_dump(exclude_unset=True))
        elif value is not None:
            found[(spec.fields or {}).get(name, name)] = value
    if spec.links is not None:
        found.update(_link(spec.links, arguments))
    found.update(dict.fromkeys(spec.stamps, times.to_text(context.now)))
    assert context.kind is not None
    fields = FIELDS[context.kind]
    for name, value in found.items():
        if value is None and name in KEPT_FIELDS:
            raise invalid(f"changes.{name}", None, "cannot be cleared", "Pass a value, or leave it out.")
        if value is not None and fields[name].type == "instant" and name not in spec.stamps:
            at = f"changes.{name}" if "changes" in spec.takes else name
            found[name] = times.to_text(times.parse(value, at))
    return found


def _link(links: Mapping[tuple[str, str], Mapping[str, str]], arguments: Any) -> dict[str, Any]:
    """The field that joins the two records, with the ref of the other."""
    here, there = Ref.parse(arguments.ref), Ref.parse(arguments.to, "to")
    relations = links.get((here.kind, there.kind))
    if relations is None:
        able = ", ".join(sorted(other for kind, other in links if kind == here.kind))
        raise invalid(
            "to", arguments.to, f"cannot be linked to: {here.kind} to {there.kind}", f"Pass a ref of: {able}."
        )
    relation = arguments.relation or next(iter(relations))
    if relation not in relations:
        raise invalid(
            "relation", relation, f"does not join {here.kind} and {there.kind}", f"Use: {', '.join(relations)}."
        )
    return {relations[relation]: arguments.to}


KEPT_FIELDS = frozenset({"state"})
"""Fields that can never be empty, whatever the source says."""


@dataclass(frozen=True, slots=True)
class Linked:
    """Changes with every ref resolved: ``changes`` name what the source writes, ``also`` the readable ref of each."""

    changes: dict[str, Any]
    also: dict[str, str]
    cis: tuple[tuple[str, Fetched], ...]  # the CIs the write names, by field


async def resolve(context: Context, source: Source, changes: dict[str, Any], hidden: frozenset[str]) -> Linked:
    """Look up every record the changes refer to, inside the agent's scope.

    Raises not-found for what is not there or outside the scope, invalid-argument for another source's refs
    and for fields that are hidden or that this source cannot write.
    """
    kind = context.kind
    assert kind is not None
    fields = FIELDS[kind]
    writable = source.writable(kind)
    for name in changes:
        if name in hidden:
            raise invalid(name, None, "is hidden from you and cannot be written", "Leave it out.")
        if name not in writable:
            raise Problem(
                Slug.UNSUPPORTED,
                f"{name}: {source.name} cannot write it",
                field=name,
                next_step=f"It can write: {', '.join(sorted(writable))}.",
            )
    links = {name: value for name, value in changes.items() if fields[name].type == "ref" and value is not None}
    fetched = await asyncio.gather(
        *(look_up(context, source, name, fields[name].refers, value) for name, value in links.items())
    )
    resolved, also, cis = dict(changes), {}, []
    for name, there in zip(links, fetched, strict=True):
        ref = Ref.parse(there.record["ref"])
        by_key = source.by_key(kind, name) and ref.handle is None
        resolved[name] = {"ref": str(ref) if by_key else f"{source.name}:{ref.kind}:~{there.handle}"}
        also[name] = there.record["ref"]
        if ref.kind == "ci":
            cis.append((name, there))
    return Linked(resolved, also, tuple(cis))


async def look_up(context: Context, source: Source, name: str, refers: Sequence[str], text: str) -> Fetched:
    """The record that an argument names, inside the agent's scope. Raises invalid-argument, not-found."""
    ref = Ref.parse(text, name)
    if ref.kind not in refers:
        kinds = " or ".join(refers)
        raise invalid(name, text, f"names a {ref.kind}, but this needs a {kinds}", f"Pass the ref of a {kinds}.")
    if ref.source != source.name:
        raise invalid(name, text, f"is not in {source.name}", f"Find it there: directory_find, source {source.name}.")
    scope = scope_of(context.agent, ref.kind)
    try:
        fetched = await source.get(ref.kind, ref.key, max_age_s=_CI_AGE_S)
    except Problem as problem:
        if problem.slug is not Slug.NOT_FOUND:
            raise
        raise not_found(ref, name) from None
    if not admits(scope, fetched.record):
        raise not_found(ref, name)
    return fetched


async def ci_behind(source: Source, record: Mapping[str, Any]) -> Fetched | Problem | None:
    """The CI a ticket names: fetched, none, or the problem that kept us from reading it."""
    link = record.get("ci")
    if not link:
        return None
    try:
        return await source.get("ci", Ref.parse(link["ref"]).key, max_age_s=_CI_AGE_S)
    except Problem as problem:
        return problem
