"""The kinds of records and their fields, looked up by name."""

from __future__ import annotations

from interlock.records.ci import Ci, Relationship
from interlock.records.fields import Field, fields_of
from interlock.records.incident import Incident
from interlock.records.models import Record
from interlock.records.people import Group, Person

MODELS: dict[str, type[Record]] = {
    "incident": Incident,
    "ci": Ci,
    "relationship": Relationship,
    "person": Person,
    "group": Group,
}
"""Kinds with a model so far; the other names of ``refs.KINDS`` are reserved."""

FIELDS: dict[str, dict[str, Field]] = {kind: fields_of(model) for kind, model in MODELS.items()}
