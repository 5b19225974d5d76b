"""The relations that set checks are written over: views, each one Ibis expression over the tables of ``tables``.

The same expression serves the batch, over Parquet, and the live path, where the inputs of a check are cut to
one key and SQLite seeks by index. Two things are therefore never done here: a join on the outside of a union
(SQLite would build the whole union; semi and anti joins are fine), and a key that is computed.
"""

from __future__ import annotations

from functools import cached_property, reduce

import ibis
import ibis.expr.types as ir

from interlock.quality.kit import lists, text
from interlock.quality.matching import KEYS
from interlock.quality.tables import ALL

UNUSED = ("planned", "ordered", "in_stock", "retired", "stolen", "missing")
"""Statuses of a CI that nobody can use: nothing hangs on it, and nothing needs to."""


def base(name: str) -> ir.Table:
    """A table of ``tables``, not bound to an engine. Raises KeyError for a name that does not exist."""
    return ibis.table({column.name: column.type for column in ALL[name]}, name=name)


def union(parts: list[ir.Table]) -> ir.Table:
    """All rows of all parts, as they are."""
    return reduce(lambda one, other: one.union(other, distinct=False), parts)


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

        ``retired``: on either axis. ``in_use``: not known to be out of use.
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
                stored.select("ref", "source", "known", side=ibis.literal(side), ci=stored[side])
                for side in ("subject", "object")
            ]
        )

    @cached_property
    def edge_end(self) -> ir.Table:
        """The CIs that relations touch, by their ref: also where the link has only the handle."""
        stored, ci = base("stored_relationship"), base("stored_ci")
        parts = [
            stored.filter(stored[side].notnull()).select("ref", side=ibis.literal(side), ci=stored[side])
            for side in ("subject", "object")
        ]
        for side in ("subject", "object"):
            told = stored.filter(stored[side].contains(":ci:~"))
            named = told.join(ci, told[side] == ci.handle_ref)
            parts.append(named.select(ref=named.ref, side=ibis.literal(side), ci=named.ref_right))
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
