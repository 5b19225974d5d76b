"""Tools that are not about one kind of record; some belong to every agent."""

from __future__ import annotations

from typing import Any

from interlock.records.kinds import MODELS
from interlock.tools import arguments as a
from interlock.tools.answers import ChoiceOut, GroupRow, ListedFlag, PersonRow, SourceOut, ToolOut, WhoamiOut
from interlock.tools.catalogue.tool import Tool

ANY_RECORD: Any = None
for _model in MODELS.values():
    ANY_RECORD = _model if ANY_RECORD is None else ANY_RECORD | _model

GENERALS: tuple[Tool, ...] = (
    Tool(
        "directory_find",
        "Find people and groups",
        "Find a person or group by name, account or mail, to use its ref in other tools.",
        "read",
        None,
        a.DirectoryFind,
        list[PersonRow | GroupRow],
    ),
    Tool(
        "taxonomy_values",
        "List allowed values",
        "Values a field may take in a source, with labels and the contract's word where there is one.",
        "read",
        "incident",
        a.TaxonomyValues,
        list[ChoiceOut],
    ),
    Tool(
        "flag_list",
        "List flags",
        "What the quality checks found on records you may read, gravest obstacles to agents first.",
        "read",
        None,
        a.FlagList,
        list[ListedFlag],
    ),
    Tool(
        "record_get",
        "Read any record",
        "Read any record by its ref.",
        "read",
        None,
        a.RecordGet,
        ANY_RECORD,
        general=True,
    ),
    Tool(
        "whoami",
        "Who am I",
        "Your tools, read scopes, stage and budgets.",
        "read",
        None,
        a.Whoami,
        WhoamiOut,
        general=True,
    ),
    Tool(
        "tool_describe",
        "Describe a tool",
        "Full input and output schema of a tool, its checks and errors.",
        "read",
        None,
        a.ToolDescribe,
        ToolOut,
        general=True,
    ),
    Tool(
        "source_list",
        "List sources",
        "Sources you can use: kinds, capabilities, health.",
        "read",
        None,
        a.SourceList,
        list[SourceOut],
        general=True,
    ),
)
