"""What the gateway learns about records while it works, told to their flags.

A record that was read after a write is judged at once, with the records that hang on it. A call that was held
or refused counts for the flags that did it. The call goes on whether or not this can be written down.
"""

from __future__ import annotations

import logging

from interlock.gateway.context import Context
from interlock.gateway.prepare import Prepared
from interlock.quality.gate.quality import Quality
from interlock.records.problems import Problem
from interlock.records.refs import Ref
from interlock.sources.answers import Fetched

log = logging.getLogger("interlock.gateway")


class Notice:
    """Tells the quality of a gateway what was seen and what was stopped."""

    def __init__(self, quality: Quality) -> None:
        self._quality = quality

    def seen(self, kind: str, fetched: Fetched, source: str) -> None:
        """A record was just read live."""
        try:
            self._quality.touched(kind, fetched.record, fetched.handle, source)
        except Problem as problem:
            log.warning("flags of %s are as they were before it was read: %s", fetched.record["ref"], problem.detail)

    def stopped(self, context: Context, prepared: Prepared) -> None:
        """A call was held or refused. Its records are judged anew first, so that flags which only the clock raised
        are on file, to be seen and waived."""
        if not prepared.stops:
            return
        looked_at = [*prepared.relied, *([prepared.target] if prepared.target else [])]
        for fetched in looked_at:
            self.seen(Ref.parse(fetched.record["ref"]).kind, fetched, prepared.source.name)
        try:
            self._quality.stopped(context.call_id, prepared.verdict.effect, prepared.stops)
        except Problem as problem:
            log.warning("call %s does not count for the flags that stopped it: %s", context.call_id, problem.detail)
