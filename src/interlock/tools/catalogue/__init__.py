"""The catalogue: every tool there is, with its input, output, effect and words."""

from __future__ import annotations

from interlock.tools.catalogue.changes import CHANGES
from interlock.tools.catalogue.cmdb import CMDB
from interlock.tools.catalogue.general import GENERALS
from interlock.tools.catalogue.incidents import INCIDENTS
from interlock.tools.catalogue.requests import REQUESTS
from interlock.tools.catalogue.tickets import TICKETS
from interlock.tools.catalogue.tool import Tool, ToolEffect, WriteSpec

TOOLS: tuple[Tool, ...] = (*INCIDENTS, *CMDB, *CHANGES, *REQUESTS, *TICKETS, *GENERALS)

BY_NAME: dict[str, Tool] = {tool.name: tool for tool in TOOLS}

FINDING = ("directory_find", "taxonomy_values")
_READS = ("record_search", "sla_list", "attachment_list", "attachment_get")
_BEHIND = ("ci_search", "ci_get", "ci_impact")
_CMDB_READS = ("ci_search", "ci_get", "ci_related", "ci_impact", "directory_find", "flag_list")

TOOL_SETS: dict[str, tuple[str, ...]] = {
    "triage": (*(tool.name for tool in INCIDENTS), "ci_search", "ci_get", "ci_related", *FINDING),
    "triage-read": (
        *(tool.name for tool in INCIDENTS if tool.reads),
        "ci_search",
        "ci_get",
        "ci_related",
        *FINDING,
        "flag_list",
    ),
    "ticket": (*_READS, "link"),
    "change": (*(tool.name for tool in CHANGES), *_BEHIND, "directory_find", "journal_list"),
    "change-read": (*(tool.name for tool in CHANGES if tool.reads), *_BEHIND, "directory_find"),
    "request": (*(tool.name for tool in REQUESTS), "directory_find", "attachment_list", "attachment_get"),
    "cmdb-read": _CMDB_READS,
    "cmdb-steward": (*_CMDB_READS, "ci_create", "ci_update", "ci_relate", "ci_attest"),
}
"""Named sets for an agent's declaration. The general tools belong to every agent."""

GENERAL: tuple[str, ...] = tuple(tool.name for tool in TOOLS if tool.general)

COMPACT: dict[str, tuple[str, ...]] = {
    "incident": ("title", "state", "priority", "ci", "group", "assignee", "updated_at"),
    "ci": ("name", "cls", "status", "environment", "support_group", "last_seen_at"),
    "relationship": ("type", "subject", "object"),
    "request": ("title", "state", "approval", "requested_for", "group", "updated_at"),
    "change": ("title", "state", "type", "risk", "ci", "group", "planned_start_at", "planned_end_at"),
    "problem": ("title", "state", "known_error", "workaround", "ci", "group", "updated_at"),
    "article": ("title", "state", "category", "base", "updated_at"),
    "alert": ("title", "severity", "state", "ci", "node", "count", "last_at"),
    "asset": ("name", "status", "asset_tag", "serial", "ci", "assigned_to", "location"),
    "person": ("name", "user_name", "email", "active"),
    "group": ("name", "email", "active"),
}
"""Fields of a compact row, beside ref, standing, flags and age."""

__all__ = ["BY_NAME", "COMPACT", "GENERAL", "TOOLS", "TOOL_SETS", "Tool", "ToolEffect", "WriteSpec"]
