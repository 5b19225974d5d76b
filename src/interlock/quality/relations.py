"""The relations that set checks are written over: views, each one Ibis expression over the tables of ``tables``.

The same expression serves the batch, over Parquet, and the live path, where the inputs of a check are cut to
one key and SQLite seeks by index. Two things are therefore never done here: a join on the outside of a union
(SQLite would build the whole union; semi and anti joins are fine), and a key that is computed.
"""

from __future__ import annotations

from functools import cached_property

import ibis
import ibis.expr.types as ir

from interlock.quality.kit import known, lists, text
from interlock.quality.matching import KEYS
from interlock.quality.tables import ALL

UNUSED = ("planned", "ordered", "in_stock", "retired", "stolen", "missing")
"""Statuses of a CI that nobody can use: nothing hangs on it, and nothing needs to."""


RELATIONS_OF_CI = (
    "SELECT ref FROM stored_relationship WHERE subject IN (:ref, :handle_ref)"
    " UNION SELECT ref FROM stored_relationship WHERE object IN (:ref, :handle_ref)"
)
"""SQL of the relations that touch a changed CI, for ``touched``."""

SURE = 900
"""Score, out of 1000, from which two CIs of ``same_as`` count as one thing."""

REFERENCES: dict[str, dict[str, str]] = {
    "incident": {"ci": "ci", "service": "ci", "caller": "person", "assignee": "person", "group": "group"},
    "request": {"requested_for": "person", "assignee": "person", "group": "group"},
    "change": {"ci": "ci", "service": "ci", "requested_by": "person", "assignee": "person", "group": "group"},
    "problem": {"ci": "ci", "service": "ci", "assignee": "person", "group": "group"},
    "alert": {"ci": "ci", "assignee": "person", "group": "group"},
    "ci": {"owner": "person", "assigned_to": "person", "support_group": "group"},
    "asset": {"ci": "ci", "owner": "person", "assigned_to": "person", "group": "group"},
}
"""The links somebody may act by, and the kind each leads to."""

OVER: dict[str, tuple[str, ...]] = {
    "incident": ("closed", "cancelled"),
    "request": ("fulfilled", "closed", "cancelled", "rejected"),
    "change": ("closed", "cancelled"),
    "problem": ("closed",),
    "alert": ("closed",),
    "ci": ("retired", "stolen", "missing"),
    "asset": ("retired", "missing"),
}
"""The states, or statuses, in which a record is history."""


def base(name: str) -> ir.Table:
    """A table of ``tables``, not bound to an engine. Raises KeyError for a name that does not exist."""
    return ibis.table({column.name: column.type for column in ALL[name]}, name=name)


def union(parts: list[ir.Table]) -> ir.Table:
    """All rows of all parts, as they are; by halves, since SQLite takes no deep nesting."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return union(parts[:half]).union(union(parts[half:]), distinct=False)


_SIDES = ("subject", "object")


class Relations:
    """The views as of a moment; ``now`` is epoch seconds. Attributes are the names that checks read."""

    def __init__(self, now: ir.IntegerValue) -> None:
        self.now = now

    def __getitem__(self, name: str) -> ir.Table:
        if name in ALL:
            return base(name)
        found = getattr(self, name, None)
        if not isinstance(found, ir.Table):
            raise KeyError(name)
        return found

    @cached_property
    def ci(self) -> ir.Table:
        """CIs with what the profile says of them, in the names that row checks know.

        ``retired``: on either axis. ``in_use``: not known to be out of use. ``exists``: 1, see ``holders``.
        """
        stored, setting = base("stored_ci"), base("ci_setting")
        settings = [c for c in setting.columns if c not in ("source", "cls", "environment")]
        on = [
            stored.source == setting.source,
            stored.cls.fill_null("") == setting.cls,
            stored.environment.fill_null("") == setting.environment,
        ]
        both = stored.left_join(setting, on)
        own = {name: both[name] for name in stored.columns}
        operation = both.operational_status.fill_null("")
        return both.select(
            **own,
            seen_at=both.last_seen_at,
            retired=(both.status.fill_null("") == "retired") | (operation == "retired"),
            in_use=both.status.fill_null("").notin(UNUSED) & (operation != "retired"),
            now=self.now,
            exists=1,
            **{name: both[name] for name in settings},
        )

    @cached_property
    def ci_key(self) -> ir.Table:
        """What CIs are known by: a row a key by which the class is one thing, without junk."""
        parts = [
            self.ci.filter(lists(self.ci.identified_by, name), self.ci[f"{name}_key"].notnull()).select(
                "ref", "source", field=ibis.literal(name), key=self.ci[f"{name}_key"]
            )
            for name in KEYS
        ]
        keys, junk = union(parts), base("junk_key")
        return keys.anti_join(junk, [keys.source == junk.source, keys.key == junk.key])

    @cached_property
    def relation(self) -> ir.Table:
        """Relations between CIs; a type without a canonical word keeps the source's own."""
        stored = base("stored_relationship")
        return stored.select(
            "ref", "source", "known", "subject", "object", "native_type", type=stored.type.coalesce(stored.native_type)
        )

    @cached_property
    def edge(self) -> ir.Table:
        """Two rows a relation, one an end: ``side`` is subject or object, ``ci`` the link as it was told."""
        stored = base("stored_relationship")
        return union(
            [
                stored.filter(stored[side].notnull()).select("ref", "source", side=ibis.literal(side), ci=stored[side])
                for side in _SIDES
            ]
        )

    @cached_property
    def edge_gap(self) -> ir.Table:
        """The ends of relations that are readable and name no CI."""
        stored = base("stored_relationship")
        return union(
            [
                stored.filter(stored[side].isnull(), known(stored, side)).select(
                    "ref", "source", side=ibis.literal(side)
                )
                for side in _SIDES
            ]
        )

    @cached_property
    def edge_end(self) -> ir.Table:
        """The CIs that relations touch, by their ref: also where the link has only the handle."""
        stored, ci = base("stored_relationship"), base("stored_ci")
        parts = [
            stored.filter(stored[side].notnull()).select("ref", side=ibis.literal(side), ci=stored[side])
            for side in _SIDES
        ]
        for side in _SIDES:
            told = stored.filter(stored[side].contains(":ci:~"))
            named = told.join(ci, told[side] == ci.handle_ref)
            parts.append(named.select(ref=named.ref, side=ibis.literal(side), ci=named.ref_right))
        return union(parts)

    @cached_property
    def ci_address(self) -> ir.Table:
        """The addresses that CIs in use have for themselves."""
        ci, shared = self.ci, base("shared_address")
        own = ci.filter(ci.owns_address, ci.in_use, ci.ip.contains(".") | ci.ip.contains(":"))
        return own.anti_join(shared, ["source", "ip"]).select("ref", "source", "ip")

    @cached_property
    def reference(self) -> ir.Table:
        """What records that are not over refer to: a row a link to a CI, a person or a group."""
        parts = []
        for kind, links in REFERENCES.items():
            stored = base(f"stored_{kind}")
            going = stored.filter(_going(kind, stored))
            parts += [
                going.filter(going[field].notnull()).select(
                    "ref", "source", field=ibis.literal(field), target=going[field], kind=ibis.literal(target)
                )
                for field, target in links.items()
            ]
        return union(parts)

    @cached_property
    def source(self) -> ir.Table:
        """The harvested kinds of sources, with what the profile says of the source; ``ref`` is the kind's."""
        state, setting = base("source_state"), base("source_setting")
        both = state.left_join(setting, "source")
        settings = {name: both[name] for name in setting.columns if name != "source"}
        ref = text("{}:source:{}", both.source, both.kind)
        return both.select(*state.columns, ref=ref, **settings, now=self.now)

    @cached_property
    def clock(self) -> ir.Table:
        """The clock of each source: how far it was ahead, at most and at least, at the harvests of its kinds."""
        by = ("source", "clock_skew_s")
        seen = self.source.group_by(by).agg(most=self.source.skew_s.max(), least=self.source.skew_s.min())
        return seen.select(*seen.columns, ref=text("{}:source:clock", seen.source))


def _going(kind: str, stored: ir.Table) -> ir.BooleanValue:
    """Whether a record is not over; null, which is no, when that is not known of a ticket."""
    if kind in ("ci", "asset"):
        return stored.status.fill_null("").notin(OVER[kind])
    going = stored.state.notin(OVER[kind])
    return stored.active.coalesce(going) if "active" in stored.columns else going


def holders(role: str, kind: str, source_role: ir.Table, source_state: ir.Table) -> ir.Table:
    """The sources of a role whose records of a kind are harvested. ``exists`` is 1: to ask for any of them."""
    told = source_state.filter(source_state.kind == kind)
    return source_role.filter(source_role.role == role).semi_join(told, ["source"]).select("source", exists=1)


def partners(same_as: ir.Table, stored_ci: ir.Table, sources: ir.Table) -> ir.Table:
    """The CIs that are one thing with a CI of one of the sources, by ``ref``."""
    theirs = stored_ci.semi_join(sources, ["source"]).select(other="ref")
    return same_as.filter(same_as.score >= SURE).semi_join(theirs, ["other"]).select("ref")
