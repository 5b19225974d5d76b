"""The Attachment REST API, reading: which files a record has, what is known of one, and its bytes.

Facts: c_AttachmentAPI. Sizes are strings; ``hash`` is the SHA-256 of the file; the file itself comes with its own
content type and what is known of it in a header. Files are put in by loading rows, or over ``attachment_uploads``.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import orjson

from mock_servers.faults import Answer
from mock_servers.servicenow.answers import SnowError, json_answer, no_resource, not_found
from mock_servers.servicenow.store import Row, Store, derived_id
from mock_servers.servicenow.table_api import Request, TableApi

_TABLE, _CONTENT = "sys_attachment", "sys_attachment_content"
_SHOWN = (
    "sys_id",
    "file_name",
    "content_type",
    "size_bytes",
    "size_compressed",
    "compressed",
    "table_name",
    "table_sys_id",
    "hash",
    "sys_created_on",
    "sys_created_by",
    "sys_updated_on",
    "sys_updated_by",
    "sys_mod_count",
)


class AttachmentApi:
    """Answers for ``/api/now/attachment...``."""

    def __init__(self, store: Store, tables: TableApi) -> None:
        self._store = store
        self._tables = tables

    def answer(self, request: Request, rest: list[str]) -> Answer:
        if request.method != "GET":
            raise SnowError(405, "Method not supported", None, (("Allow", "GET"),))
        match rest:
            case []:
                self._tables.check_table(_TABLE, request.caller)
                found, _ = self._tables.find(request, _TABLE)
                offset = int(request.parameters.get("sysparm_offset") or 0)
                limit = int(request.parameters.get("sysparm_limit") or 1000)
                rows = [row for row in found[offset : offset + limit] if self._may(request, row)]
                return json_answer(200, {"result": [self._shown(request, row) for row in rows]})
            case [key]:
                return json_answer(200, {"result": self._shown(request, self._row(request, key))})
            case [key, "file"]:
                return self._file(request, self._row(request, key))
        raise no_resource()

    def _may(self, request: Request, row: Row) -> bool:
        """Whoever may read the record may read its files."""
        table = row.get("table_name", "")
        if table not in self._store.schema.tables:
            return False
        record = self._store.get(table, row.get("table_sys_id", ""))
        return record is not None and bool(self._tables.readable(table, [record], request.caller))

    def _row(self, request: Request, key: str) -> Row:
        self._tables.check_table(_TABLE, request.caller)
        row = self._store.get(_TABLE, key)
        if row is None or not self._may(request, row):
            raise not_found()
        return row

    def _shown(self, request: Request, row: Row) -> dict[str, Any]:
        link = f"{request.base}/api/now/attachment/{row['sys_id']}/file"
        return {**{name: row.get(name, "") for name in _SHOWN}, "download_link": link}

    def _file(self, request: Request, row: Row) -> Answer:
        content = next(iter(self._store.where(_CONTENT, "attachment", row["sys_id"])), {})
        about = orjson.dumps(self._shown(request, row)).decode()
        headers = (
            ("Content-Type", row.get("content_type") or "application/octet-stream"),
            ("X-Attachment-Metadata", about),
        )
        return Answer(200, headers, base64.b64decode(content.get("content", "")))


def attachment_rows(
    table: str, record: str, name: str, content_type: str, body: bytes, created: str, author: str
) -> dict[str, Row]:
    """The rows of one attached file, by table."""
    sys_id = derived_id("attachment", record, name)
    stamps = {
        "sys_created_on": created,
        "sys_updated_on": created,
        "sys_created_by": author,
        "sys_updated_by": author,
        "sys_mod_count": "0",
    }
    about = {
        "sys_id": sys_id,
        "file_name": name,
        "content_type": content_type,
        "size_bytes": str(len(body)),
        "size_compressed": str(max(1, len(body) // 2)),
        "compressed": "true",
        "table_name": table,
        "table_sys_id": record,
        "hash": hashlib.sha256(body).hexdigest(),
        **stamps,
    }
    content = {
        "sys_id": derived_id("content", sys_id),
        "attachment": sys_id,
        "content": base64.b64encode(body).decode(),
        **stamps,
    }
    return {_TABLE: about, _CONTENT: content}
