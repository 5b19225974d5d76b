"""What hangs on a ticket: its clocks (task_sla) and its files (the Attachment API).

Facts: r_TaskSLATable, c_AttachmentAPI. Percentages are written by a job, so they lag.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from interlock.adapterkit.offers import NativeAttachment, NativeSla, SlaStage
from interlock.adapterkit.rest import encoded, plain
from interlock.records.problems import Problem, Slug

if TYPE_CHECKING:
    from .adapter import ServiceNowAdapter

_MOST = 100
_STAGES: Mapping[str, SlaStage] = {stage: stage for stage in get_args(SlaStage)}
_SLA = (
    "task",
    "sla.name",
    "stage",
    "has_breached",
    "start_time",
    "end_time",
    "planned_end_time",
    "business_percentage",
)
_FILES = "/api/now/attachment"
_INNER = "ZZ_YY"  # thumbnails and other files of the platform's own stand under table names with this prefix
_ABOUT = "x-attachment-metadata"


class TicketParts:
    """Clocks and files of one instance."""

    def __init__(self, adapter: ServiceNowAdapter) -> None:
        self._adapter = adapter

    async def slas(self, kind: str, handle: str) -> list[NativeSla]:
        """Clocks of a ticket, the one that is due first at the front."""
        adapter = self._adapter
        adapter.path(kind, handle)  # it enters a query: refuse what is none
        query = f"task={handle}^ORDERBYplanned_end_time^ORDERBYsys_id"
        rows = await adapter.list_rows("task_sla", query, ("sys_id", *_SLA), _MOST, display_value="all")
        # A dropped condition would show other tickets' clocks; a stage of the instance's own is not guessed.
        mine = [row for row in rows if plain(row.get("task")) == handle]
        return [self._sla(row, stage) for row in mine if (stage := _STAGES.get(str(plain(row.get("stage")))))]

    def _sla(self, row: Mapping[str, Any], stage: SlaStage) -> NativeSla:
        instant, breached = self._adapter.instant, str(plain(row.get("has_breached")) or "")
        percentage = str(plain(row.get("business_percentage")) or "")
        return NativeSla(
            id=str(plain(row.get("sys_id"))),
            name=str(plain(row.get("sla.name")) or ""),
            stage=stage,
            breached=breached in ("true", "1") if breached else None,
            started_at=instant(plain(row.get("start_time"))),
            due_at=instant(plain(row.get("planned_end_time"))),
            ended_at=instant(plain(row.get("end_time"))),
            percentage=float(percentage) if percentage.replace(".", "", 1).isdigit() else None,
        )

    async def attachments(self, kind: str, handle: str) -> list[NativeAttachment]:
        """Files of a record, newest first."""
        adapter = self._adapter
        adapter.path(kind, handle)
        query = f"table_sys_id={handle}^ORDERBYDESCsys_created_on^ORDERBYsys_id"
        found = await adapter.fetch(_FILES, encoded({"sysparm_query": query, "sysparm_limit": str(_MOST)}))
        rows = adapter.rows(found)
        return [
            self._file(row)
            for row in rows
            if row.get("table_sys_id") == handle and not str(row.get("table_name", "")).startswith(_INNER)
        ]

    def _file(self, row: Mapping[str, Any]) -> NativeAttachment:
        size = str(row.get("size_bytes") or "")
        return NativeAttachment(
            id=str(row.get("sys_id")),
            name=str(row.get("file_name") or ""),
            content_type=str(row.get("content_type") or "") or None,
            size=int(size) if size.isdecimal() else None,
            created_at=self._adapter.instant(row.get("sys_created_on")),
            author=str(row.get("sys_created_by") or "") or None,
        )

    async def attachment(self, kind: str, handle: str, id: str, most: int) -> bytes:  # noqa: A002 - the offer's word
        """The bytes of one file of that record. Raises not-found, too-large."""
        adapter = self._adapter
        about = next((each for each in await self.attachments(kind, handle) if each.id == id), None)
        if about is None:
            raise adapter.one_missing(kind, id)
        if about.size is not None and about.size > most:
            raise _too_large(about, most)
        answer = await adapter.session.request("GET", f"{_FILES}/{id}/file", headers={"accept": "*/*"})
        if answer.status != 200 or _ABOUT not in answer.headers:
            adapter.parsed(answer)  # raises what the instance says, or that it answers with a page
            raise adapter.odd("the file that was asked for")
        if len(answer.body) > most:
            raise _too_large(about, most)
        if about.size is not None and len(answer.body) != about.size:
            raise adapter.odd("the whole file")  # it was cut on its way, or is just being replaced
        return answer.body


def _too_large(about: NativeAttachment, most: int) -> Problem:
    return Problem(
        Slug.TOO_LARGE,
        f"{about.name} is larger than {most} bytes",
        field="id",
        value=about.id,
        next_step="Have a person open it in the source.",
        layer="source",
        reached="yes",
    )
