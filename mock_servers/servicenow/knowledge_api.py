"""The Knowledge Management REST API: published articles, found by words and shown as HTML."""

from __future__ import annotations

import html
import re
from typing import Any

from mock_servers.faults import Answer
from mock_servers.servicenow.answers import SnowError, json_answer, no_resource
from mock_servers.servicenow.shapes import Shapes, View
from mock_servers.servicenow.store import Row, Store, derived_id
from mock_servers.servicenow.table_api import Request, TableApi

_PAGE = 30
_SNIPPET = 300


class KnowledgeApi:
    """Answers for ``/api/sn_km_api[/v1]/knowledge/articles...``."""

    def __init__(self, store: Store, tables: TableApi) -> None:
        self._store = store
        self._tables = tables
        self._shapes = Shapes(store)

    def answer(self, request: Request, rest: list[str]) -> Answer:
        if request.method != "GET":
            raise SnowError(405, "Method not supported", None, (("Allow", "GET"),))
        match rest:
            case ["articles"]:
                return json_answer(200, {"result": self._search(request)})
            case ["articles", "most_viewed" | "featured"]:
                return json_answer(200, {"result": self._search(request, by_views=True)})
            case ["articles", key]:
                return json_answer(200, {"result": self._article(key, request)})
        raise no_resource()

    def _published(self, request: Request) -> list[Row]:
        rows: list[Row] = list(self._store.rows("kb_knowledge"))
        if text := request.parameters.get("filter"):
            asked = {**request.parameters, "sysparm_query": text}
            found = Request(
                "GET", request.path, request.version, asked, request.caller, request.base, request.as_xml, {}
            )
            rows, _ = self._tables.find(found, "kb_knowledge")
        language = request.parameters.get("language", "en")
        bases = {each for each in request.parameters.get("kb", "").split(",") if each}
        return [
            row
            for row in rows
            if row.get("workflow_state") == "published"
            and row.get("active", "true") == "true"
            and (language == "all" or row.get("language", "en") in language.split(","))
            and (not bases or row.get("kb_knowledge_base") in bases)
        ]

    def _search(self, request: Request, *, by_views: bool = False) -> dict[str, Any]:
        asked = request.parameters
        words = asked.get("query", "").lower().split()
        scored = [(_score(row, words), row) for row in self._published(request)]
        found = [(score, row) for score, row in scored if score > 0]
        if by_views:
            found.sort(key=lambda each: -int(each[1].get("sys_view_count") or 0))
        else:
            found.sort(key=lambda each: (-each[0], each[1].get("number", "")))
        limit, offset = int(asked.get("limit") or _PAGE), int(asked.get("offset") or 0)
        page = found[offset : offset + limit]
        query_id = derived_id("ts_query", asked.get("query", ""))
        return {
            "meta": {
                "start": offset,
                "end": offset + len(page),
                "fields": asked.get("fields", ""),
                "query": asked.get("query", ""),
                "filter": asked.get("filter", ""),
                "kb": asked.get("kb", ""),
                "language": asked.get("language", "en"),
                "count": len(found),
                "ts_query_id": query_id,
                "status": {"code": 200},
            },
            "articles": [
                {
                    "link": f"?id=kb_article_view&sys_kb_id={row['sys_id']}&sysparm_rank={offset + n}",
                    "rank": offset + n,
                    "id": f"kb_knowledge:{row['sys_id']}",
                    "title": row.get("short_description", ""),
                    "snippet": _snippet(row, words),
                    "score": round(score, 4),
                    "number": row.get("number", ""),
                    "fields": self._fields(row, request),
                }
                for n, (score, row) in enumerate(page, 1)
            ],
        }

    def _article(self, key: str, request: Request) -> dict[str, Any]:
        for row in self._published(request):
            if key in (row["sys_id"], row.get("number")):
                break
        else:
            raise SnowError(404, "No Record found", "Article doesn't exist or ACL restricts the record retrieval")
        if "update_view" in request.parameters or "search_id" in request.parameters:
            views = int(row.get("sys_view_count") or 0) + 1
            self._store.put("kb_knowledge", {**row, "sys_view_count": str(views)})
        told: dict[str, Any] = {
            "content": row.get("text", ""),
            "template": False,
            "number": row.get("number", ""),
            "sys_id": row["sys_id"],
            "short_description": row.get("short_description", ""),
            "display_attachments": row.get("display_attachments") == "true",
        }
        if told["display_attachments"]:
            told |= {"attachments": [], "embedded_content": []}
        if request.parameters.get("fields"):
            told["fields"] = self._fields(row, request)
        return told

    def _fields(self, row: Row, request: Request) -> dict[str, Any]:
        names = [name.strip() for name in request.parameters.get("fields", "").split(",") if name.strip()]
        columns = self._store.schema.columns("kb_knowledge")
        view = View("all", False, tuple(names), request.base, request.caller.zone)
        shown = self._shapes.show(row, "kb_knowledge", view) if names else {}
        return {
            name: {**both, "name": name, "label": columns[name].label, "type": columns[name].type}
            for name, both in shown.items()
            if name in columns
        }


def _plain(row: Row) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", row.get("text", ""))).split())


def _score(row: Row, words: list[str]) -> float:
    """A title counts three times; all words must be there; without words everything is found."""
    if not words:
        return 1.0
    title, text = row.get("short_description", "").lower(), _plain(row).lower()
    counts = [3 * title.count(word) + text.count(word) for word in words]
    return float(sum(counts)) if all(counts) else 0.0


def _snippet(row: Row, words: list[str]) -> str:
    text = _plain(row)[:_SNIPPET]
    for word in words:
        text = re.sub(f"({re.escape(word)})", r"<B>\1</B>", text, flags=re.IGNORECASE)
    return text
