"""The asset record: a thing as finance and logistics see it; the CI is the same thing as operations sees it."""

from __future__ import annotations

from typing import Literal

from interlock.records.models import Link, Record, field

ASSET_STATUSES = ("ordered", "in_stock", "in_use", "in_transit", "maintenance", "retired", "missing")
AssetStatus = Literal["ordered", "in_stock", "in_use", "in_transit", "maintenance", "retired", "missing", "unmapped"]


class Asset(Record):
    """An asset."""

    name: str | None = field("text", "Its name; not an identity.", sortable=True)
    asset_tag: str | None = field("word", "Asset tag.", sortable=True)
    serial: str | None = field("word", "Serial number.")
    cls: str | None = field("word", "The source's own class.", writable=False)
    vendor: str | None = field("text", "Maker.")
    model: str | None = field("text", "Model.")
    category: str | None = field("word", "The source's own category.")
    status: AssetStatus | None = field("enum", "Where it is in its life.", values=ASSET_STATUSES)
    substatus: str | None = field("word", "The source's own part of the status.")
    ci: Link | None = field("ref", "The configuration item it is.", refers=("ci",))
    owner: Link | None = field("ref", "Who owns it.", refers=("person",))
    assigned_to: Link | None = field("ref", "Who uses it.", refers=("person",))
    group: Link | None = field("ref", "The group that looks after it.", refers=("group",))
    location: str | None = field("text", "Where it stands.")
    cost_center: str | None = field("word", "Who pays for it.")
    ordered_at: str | None = field("instant", "When it was ordered.", sortable=True)
    received_at: str | None = field("instant", "When it came.", sortable=True)
    installed_at: str | None = field("instant", "When it was put to use.", sortable=True)
    warranty_until_at: str | None = field("instant", "When its warranty ends.", sortable=True)
    retired_at: str | None = field("instant", "When it was retired.", sortable=True)
    created_at: str | None = field("instant", "When the record was created.", writable=False, sortable=True)
    updated_at: str | None = field("instant", "When the record last changed.", writable=False, sortable=True)
    external_id: str | None = field("word", "The id another system gave it.", writable=False)
    version: str | None = field("version", "Pass as expected_version to be told of others' changes.", writable=False)
    url: str | None = field("url", "Where a person opens it.", writable=False)
