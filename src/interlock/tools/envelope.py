"""What every answer looks like: data, quality, provenance, page, warnings; a write adds its receipt."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from interlock.records.models import INSTANT, Contract

Standing = Literal["trusted", "caution", "unchecked", "flagged"]
Effect = Literal["allow", "hold", "refuse"]
Outcome = Literal["applied", "partial", "not_applied", "unknown", "held", "refused", "expired"]


class FlagOut(Contract):
    """One finding of a check on one record."""

    code: str = Field(description="Stable code of the check; docs/checks.md has a section on each.")
    severity: Literal["high", "medium", "low", "info"]
    ref: str | None = Field(default=None, description="Record it is about; left out when you may not read it.")
    reason: str
    evidence: str | None = Field(default=None, description="Facts; left out when they speak of hidden fields.")
    lifts: str = Field(description="What makes the flag go away.")


class Quality(Contract):
    """How far the records of this answer can be relied on."""

    standing: Standing
    flags: list[FlagOut] = []
    unchecked: list[str] = Field(default=[], description="Checks that could not run: a field is not readable.")
    as_of: str = Field(pattern=INSTANT, description="The moment quality was judged at.")


class SourceShare(Contract):
    """What one source gave to a joined answer."""

    source: str
    outcome: Literal["answered", "partial", "left_out", "failed", "late"] = Field(
        description="Of all but answered rows are missing; reason says why."
    )
    rows: int = Field(ge=0, description="Rows of this page.")
    reason: str | None = None
    age_s: int | None = Field(default=None, ge=0)


class Provenance(Contract):
    """Where the answer came from, and how old it is; a joined answer is as old as the oldest part of it."""

    source: str | None = Field(description="null: the gateway itself, or several sources.")
    observed_at: str | None = Field(default=None, pattern=INSTANT)
    age_s: int = Field(ge=0)
    origin: Literal["live", "cache", "snapshot", "gateway"]
    sources: list[SourceShare] = Field(default=[], description="Of a joined answer: each source that holds the kind.")


class PageInfo(Contract):
    """``cursor`` null is the end; ``truncated`` means that rows may be missing: a bound was met before the end, or
    a source of a joined answer did not give all of its rows."""

    cursor: str | None = Field(max_length=512)
    truncated: bool = False


class FieldOutcome(Contract):
    """What became of one written field."""

    field: str
    asked: Any = None
    found: Any = None
    outcome: Literal["applied", "differs", "unread"]


class Reason(Contract):
    """Why a call was held or refused."""

    kind: Literal["authority", "scope", "quality", "stage", "status", "budget", "freshness", "moved", "ledger"]
    effect: Effect
    detail: str
    code: str | None = None
    ref: str | None = None
    evidence: str | None = None
    lifts: str | None = None


class ApprovalOut(Contract):
    """A call that waits for a person."""

    ref: str = Field(description="Pass to a person; GET /v1/approvals/{ref} shows it.")
    deciders: list[str] = Field(description="Who may decide: roles or groups.")
    expires_at: str = Field(pattern=INSTANT)


class Receipt(Contract):
    """What a write really did."""

    id: str
    outcome: Outcome
    ref: str | None = None
    fields: list[FieldOutcome] = []
    version: str | None = None
    verified: bool = Field(default=False, description="True when the record was read back from the source.")
    replayed: bool = Field(default=False, description="True when this is the receipt of an earlier, equal call.")
    merged_over: list[str] = Field(default=[], description="Fields others changed since expected_version.")
    found_by: Literal["answer", "probe"] | None = None
    settles_by: str | None = Field(
        default=None, pattern=INSTANT, description="unknown: decided by then, or by a person."
    )
    needs_person: bool = False
    approval: ApprovalOut | None = None
    reasons: list[Reason] = []
    detail: str | None = None


class Preview(Contract):
    """What a dry run found."""

    verdict: Effect
    reasons: list[Reason] = []
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    native: dict[str, Any] = Field(default={}, description="Summary of what would be sent.")


class ProblemOut(Contract):
    """RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str
    slug: str
    status: int
    detail: str
    retryable: bool
    field: str | None = None
    value: Any = None
    next_step: str | None = None
    retry_after_s: float | None = None
    layer: str | None = None
    source: str | None = None
    native_code: str | None = None
    native_message: str | None = None
    reasons: list[Reason] | None = None
    call_id: str | None = None


SHORT = {
    "type": "object",
    "properties": {"data": {}, "quality": {"type": ["object", "null"]}, "receipt": {"type": "object"}},
}
"""The one envelope schema of the tool list; the full output schemas are in contracts/ and tool_describe."""
