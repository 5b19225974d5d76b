"""The article record: a page of a knowledge base."""

from __future__ import annotations

from typing import Literal

from interlock.records.models import Link, Record, field

ARTICLE_STATES = ("draft", "review", "published", "retired")
ArticleState = Literal["draft", "review", "published", "retired", "unmapped"]


class Article(Record):
    """A knowledge article; its text is plain, whatever the source keeps."""

    number: str | None = field("word", "The number people quote.", writable=False, sortable=True)
    title: str | None = field("text", "What it is about.")
    text: str | None = field("long_text", "What it says.")
    state: ArticleState | None = field("enum", "Whether it may be relied on.", values=ARTICLE_STATES)
    base: str | None = field("word", "The knowledge base it stands in.")
    category: str | None = field("word", "The source's own category.")
    author: Link | None = field("ref", "Who wrote it.", refers=("person",))
    group: Link | None = field("ref", "The group that keeps it.", refers=("group",))
    published_at: str | None = field("instant", "When it was published.", writable=False, sortable=True)
    valid_until_at: str | None = field("instant", "Until when it is meant to hold.", sortable=True)
    created_at: str | None = field("instant", "When the record was created.", writable=False, sortable=True)
    updated_at: str | None = field("instant", "When the record last changed.", writable=False, sortable=True)
    views: int | None = field("int", "How often it was read.", writable=False, ge=0)
    version: str | None = field("version", "Pass as expected_version to be told of others' changes.", writable=False)
    url: str | None = field("url", "Where a person opens it.", writable=False)
