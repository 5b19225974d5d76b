"""The kinds of records and their fields, looked up by name."""

from __future__ import annotations

from interlock.records.alert import Alert
from interlock.records.article import Article
from interlock.records.asset import Asset
from interlock.records.change import Change
from interlock.records.ci import Ci, Relationship
from interlock.records.fields import Field, fields_of
from interlock.records.incident import Incident
from interlock.records.models import Record
from interlock.records.people import Group, Person
from interlock.records.problem_record import ProblemRecord
from interlock.records.request import Request

MODELS: dict[str, type[Record]] = {
    "incident": Incident,
    "request": Request,
    "change": Change,
    "problem": ProblemRecord,
    "ci": Ci,
    "relationship": Relationship,
    "asset": Asset,
    "alert": Alert,
    "person": Person,
    "group": Group,
    "article": Article,
}
"""Every kind of ``refs.KINDS``, in its order."""

FIELDS: dict[str, dict[str, Field]] = {kind: fields_of(model) for kind, model in MODELS.items()}
