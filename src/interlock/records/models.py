"""What all record models share: the ways to declare a field, and the parts of a record.

A field has three kinds of nothing. Absent: not asked for, or not readable (unknown). ``null``: the
source says it is empty. ``unmapped``: an enum whose native value has no mapping; the native value
then stands under ``native``. Nothing is ever guessed.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic import Field as PydanticField

from interlock.records.fields import FieldType

INSTANT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"


class Contract(BaseModel):
    """Anything that crosses a border. Unknown members are errors, not ignored."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Link(Contract):
    """Another record: its ref, and the name people know it by when the source gave one."""

    ref: str
    name: str | None = None


class Record(Contract):
    """What every record has."""

    ref: str = PydanticField(description="Global id of the record: source:kind:key.")
    native: dict[str, str] | None = PydanticField(
        default=None,
        description="Native values of enums that are unmapped, and of other fields worth keeping.",
    )
    ext: dict[str, Any] | None = PydanticField(
        default=None,
        description="Fields of this instance that the contract does not know; declared in its overlay.",
    )


def field(
    type: FieldType,  # noqa: A002
    description: str,
    *,
    refers: tuple[str, ...] = (),
    values: tuple[str, ...] = (),
    writable: bool = True,
    sortable: bool = False,
    **constraints: Any,
) -> Any:
    """Declare a record field: its type for mappings and filters, and its words for agents."""
    about: dict[str, Any] = {"type": type}
    if refers:
        about["refers"] = list(refers)
    if values:
        about["values"] = list(values)
    if not writable:
        about["writable"] = False
    if sortable:
        about["sortable"] = True
    extra: dict[str, Any] = {"x-interlock": about}
    if type in ("text", "long_text"):
        extra["x-untrusted"] = True
    if type == "instant":
        constraints.setdefault("pattern", INSTANT)
    return PydanticField(default=None, description=description, json_schema_extra=extra, **constraints)
