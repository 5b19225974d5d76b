"""The Attachment REST API, writing: a file as the body, or as the last part of a form; and deleting one.

Facts: c_AttachmentAPI: 201 with ``Location``, at most 1024 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from email.parser import BytesParser
from email.policy import HTTP

from mock_servers.faults import Answer
from mock_servers.servicenow.answers import SnowError, failed, json_answer, no_resource, not_found
from mock_servers.servicenow.attachment_api import AttachmentApi, attachment_rows
from mock_servers.servicenow.clock import InstanceClock
from mock_servers.servicenow.settings import Switches
from mock_servers.servicenow.store import Store
from mock_servers.servicenow.table_api import Request, TableApi


class Uploads:
    """Answers for ``POST /api/now/attachment/file`` and ``/upload``, and for DELETE."""

    def __init__(
        self, store: Store, switches: Switches, clock: InstanceClock, tables: TableApi, reading: AttachmentApi
    ) -> None:
        self._store = store
        self._switches = switches
        self._clock = clock
        self._tables = tables
        self._reading = reading

    def answer(self, request: Request, rest: Sequence[str], content_type: str, body: bytes) -> Answer:
        """Answer one request; ``rest`` is the path behind ``attachment``. Raises SnowError."""
        if not request.caller.roles & {"admin", "itil"}:
            raise failed("ACL Exception Insert Failed due to security constraints")
        match request.method, list(rest):
            case "POST", ["file"]:
                given = request.parameters
                names = (given.get("table_name", ""), given.get("table_sys_id", ""), given.get("file_name", ""))
                return self._add(request, *names, content_type, body)
            case "POST", ["upload"]:
                return self._add(request, *_form(content_type, body))
            case "DELETE", [sys_id]:
                self._reading.answer(replace(request, method="GET"), [sys_id])  # raises what may not be seen
                for row in list(self._store.where("sys_attachment_content", "attachment", sys_id)):
                    self._store.remove("sys_attachment_content", row["sys_id"])
                self._store.remove("sys_attachment", sys_id)
                return Answer(204)
        raise no_resource()

    def _add(self, request: Request, table: str, record: str, name: str, content_type: str, body: bytes) -> Answer:
        if not (table and record and name):
            raise SnowError(400, "Missing parameters", "table_name, table_sys_id and file_name are required")
        if len(body) > self._switches.max_attachment:
            raise SnowError(413, "Attachment too large", f"Max allowed: {self._switches.max_attachment} bytes")
        self._tables.check_table(table, request.caller)
        row = self._store.get(table, record)
        if row is None or not self._tables.readable(table, [row], request.caller):
            raise not_found()
        kind = content_type.split(";")[0].strip() or "application/octet-stream"
        rows = attachment_rows(table, record, name, kind, body, self._clock.text(), request.caller.name)
        for holder, made in rows.items():
            self._store.put(holder, made)
        sys_id = rows["sys_attachment"]["sys_id"]
        shown = self._reading.answer(replace(request, method="GET"), [sys_id])
        location = ("Location", f"{request.base}/api/now/attachment/{sys_id}")
        return Answer(201, (*json_answer(201, {}).headers, location), shown.body)


def _form(content_type: str, body: bytes) -> tuple[str, str, str, str, bytes]:
    """Table, record, name, type and bytes of a form. Raises SnowError when the file is not its last part."""
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    parts = list(message.iter_parts()) if message.is_multipart() else []
    fields: dict[str, str] = {}
    for place, part in enumerate(parts):
        content = part.get_payload(decode=True)
        raw = content if isinstance(content, bytes) else b""
        name = part.get_filename()
        if name is not None and place == len(parts) - 1:
            return fields.get("table_name", ""), fields.get("table_sys_id", ""), name, part.get_content_type(), raw
        if name is not None:
            break
        fields[str(part.get_param("name", "", header="content-disposition"))] = raw.decode("utf-8", "replace").strip()
    raise SnowError(400, "Bad form", "The file must be the last part of the form")
