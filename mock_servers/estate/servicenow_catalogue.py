"""The catalogue, the orders and the knowledge base of the estate, as native ServiceNow rows."""

from __future__ import annotations

from collections.abc import Iterator

from mock_servers.estate.assumptions import DAY
from mock_servers.estate.catalogue import ARTICLES, CATEGORIES, ITEMS, MULTIPLE, SELECT, Asked, Orderable
from mock_servers.estate.model import Estate, Group, Person, dice, ident
from mock_servers.estate.servicenow_codes import when

Row = dict[str, str]

# request_state, approval, stage of the order, stage and state of its item.
_STANDINGS = (
    ("requested", "requested", "waiting_for_approval", "waiting_for_approval", "1"),
    ("in_process", "approved", "delivery", "fulfillment", "2"),
    ("closed_complete", "approved", "completed", "completed", "3"),
    ("closed_cancelled", "requested", "closed_incomplete", "request_cancelled", "4"),
    ("closed_rejected", "rejected", "closed_incomplete", "request_cancelled", "4"),
)
_WEIGHTS = (18, 25, 45, 6, 6)


def catalogue(estate: Estate) -> Iterator[tuple[str, Row]]:
    """What can be ordered."""
    born = _system(estate.as_of - 1500 * DAY)
    catalog = ident(estate.seed, "catalog", "service")
    about = "What people of the company can order."
    yield "sc_catalog", {"sys_id": catalog, "title": "Service Catalog", "description": about, "active": "true", **born}
    for title in CATEGORIES:
        sys_id = ident(estate.seed, "category", title)
        row = {"sys_id": sys_id, "title": title, "description": "", "sc_catalog": catalog, "active": "true"}
        yield "sc_category", {**row, **born}
    groups = _groups(estate)
    for place, item in enumerate(ITEMS):
        sys_id = _item_id(estate, item)
        group = groups[item.duty].id
        yield (
            "sc_cat_item",
            {
                "sys_id": sys_id,
                "sys_class_name": "sc_cat_item",
                "name": item.name,
                "short_description": item.about,
                "description": item.html,
                "category": ident(estate.seed, "category", item.category),
                "sc_catalogs": catalog,
                "active": "true",
                "price": f"{item.price:.2f}",
                "recurring_price": "0",
                "recurring_frequency": "",
                "no_quantity": "false" if item.quantity else "true",
                "group": group,
                "approval_group": group if item.approved_by_group else "",
                "order": str(place),
                **born,
            },
        )
        for order, asked in enumerate(item.asks, 1):
            yield from _variable(estate, item, asked, order * 100, born)


def _variable(estate: Estate, item: Orderable, asked: Asked, order: int, born: Row) -> Iterator[tuple[str, Row]]:
    sys_id = ident(estate.seed, "variable", f"{item.name}/{asked.name}")
    yield (
        "item_option_new",
        {
            "sys_id": sys_id,
            "cat_item": _item_id(estate, item),
            "name": asked.name,
            "question_text": asked.question,
            "type": str(asked.kind),
            "mandatory": _flag(asked.mandatory),
            "read_only": _flag(asked.read_only),
            "active": "true",
            "default_value": asked.default,
            "order": str(order),
            "reference": asked.table,
            "validate_regex": asked.pattern,
            "help_text": asked.help,
            "scale_min": str(asked.scale[0]),
            "scale_max": str(asked.scale[1]),
            **born,
        },
    )
    if asked.kind in (SELECT, MULTIPLE):
        for place, (value, text) in enumerate(asked.choices, 1):
            choice = ident(estate.seed, "question choice", f"{item.name}/{asked.name}/{value}")
            row = {"sys_id": choice, "question": sys_id, "value": value, "text": text, "order": str(place * 100)}
            yield "question_choice", {**row, "inactive": "false", **born}


def orders(estate: Estate) -> Iterator[tuple[str, Row]]:
    """Orders of the last year and what became of them: one for every 12 CIs, 200 at most."""
    rng = dice(estate.seed, "orders")
    people = [person for person in estate.people if person.active]
    groups = _groups(estate)
    for n in range(min(200, max(12, estate.size.cis // 12))):
        item, person = ITEMS[n % len(ITEMS)], rng.choice(people)
        standing = rng.choices(_STANDINGS, weights=_WEIGHTS)[0]
        opened = estate.as_of - rng.randint(1, 360) * DAY - rng.randint(0, DAY)
        closed = opened + rng.randint(1, 20) * DAY if standing[0].startswith("closed") else None
        closed = None if closed is None else min(closed, estate.as_of - 60)
        yield from _order(estate, n, item, person, groups[item.duty], standing, opened, closed)


def _order(
    estate: Estate,
    n: int,
    item: Orderable,
    person: Person,
    group: Group,
    standing: tuple[str, str, str, str, str],
    opened: int,
    closed: int | None,
) -> Iterator[tuple[str, Row]]:
    state, approval, stage, line_stage, line_state = standing
    order, line = ident(estate.seed, "request", n), ident(estate.seed, "requested item", n)
    common = {
        "active": _flag(closed is None),
        "approval": approval,
        "opened_at": when(opened),
        "opened_by": person.id,
        "requested_for": person.id,
        "closed_at": when(closed),
        "due_date": when(opened + 7 * DAY),
        "assignment_group": group.id,
        "correlation_id": "",
        "sys_domain": "global",
        "sys_domain_path": "/",
        **_system(opened, person.user_name, closed or opened + 3600),
    }
    yield (
        "sc_request",
        {
            "sys_id": order,
            "sys_class_name": "sc_request",
            "number": f"REQ{20_000 + n:07d}",
            "short_description": item.name,
            "description": item.about,
            "request_state": state,
            "state": "3" if closed else "1",
            "stage": stage,
            "price": f"{item.price:.2f}",
            **common,
        },
    )
    yield (
        "sc_req_item",
        {
            "sys_id": line,
            "sys_class_name": "sc_req_item",
            "number": f"RITM{20_000 + n:07d}",
            "short_description": item.about,
            "request": order,
            "parent": order,
            "cat_item": _item_id(estate, item),
            "quantity": "1",
            "price": f"{item.price:.2f}",
            "state": line_state,
            "stage": line_stage,
            **common,
        },
    )
    if state in ("in_process", "closed_complete"):
        yield (
            "sc_task",
            {
                "sys_id": ident(estate.seed, "catalog task", n),
                "sys_class_name": "sc_task",
                "number": f"SCTASK{20_000 + n:07d}",
                "short_description": f"Fulfil: {item.name}",
                "request": order,
                "request_item": line,
                "parent": line,
                "state": line_state,
                **common,
            },
        )
    yield (
        "sysapproval_approver",
        {
            "sys_id": ident(estate.seed, "approval", f"request/{n}"),
            "sysapproval": order,
            "source_table": "sc_request",
            "approver": (group.manager if item.approved_by_group else person.manager) or person.id,
            "state": {"requested": "requested", "approved": "approved", "rejected": "rejected"}[approval],
            **_system(opened, "system", closed or opened + 3600),
        },
    )


def knowledge(estate: Estate) -> Iterator[tuple[str, Row]]:
    """The knowledge base of the service desk."""
    rng = dice(estate.seed, "knowledge")
    born = _system(estate.as_of - 1200 * DAY)
    base = ident(estate.seed, "knowledge base", "it")
    yield "kb_knowledge_base", {"sys_id": base, "title": "IT Knowledge", "active": "true", **born}
    for label in dict.fromkeys(article[1] for article in ARTICLES):
        sys_id = ident(estate.seed, "knowledge category", label)
        yield "kb_category", {"sys_id": sys_id, "label": label, "value": label.lower(), "parent_id": base, **born}
    groups, people = _groups(estate), [person for person in estate.people if person.active]
    for n, (title, category, state, duty, text) in enumerate(ARTICLES):
        written = estate.as_of - rng.randint(40, 900) * DAY
        author = rng.choice(people)
        yield (
            "kb_knowledge",
            {
                "sys_id": ident(estate.seed, "article", n),
                "sys_class_name": "kb_knowledge",
                "number": f"KB{1000 + n:07d}",
                "short_description": title,
                "text": text,
                "kb_knowledge_base": base,
                "kb_category": ident(estate.seed, "knowledge category", category),
                "workflow_state": state,
                "author": author.id,
                "ownership_group": groups[duty].id,
                "published": "" if state in ("draft", "review") else when(written)[:10],
                "valid_to": when(written + 1460 * DAY)[:10],
                "sys_view_count": str(rng.randint(0, 900)),
                "language": "de" if title.startswith(("Drucker", "Waagen")) else "en",
                "active": _flag(state != "retired"),
                "latest": "true",
                "display_attachments": "false",
                **_system(written, author.user_name, written + 5 * DAY),
            },
        )


def _groups(estate: Estate) -> dict[str, Group]:
    """One group for each duty."""
    return {group.duty: group for group in reversed(estate.groups)}


def _item_id(estate: Estate, item: Orderable) -> str:
    return ident(estate.seed, "catalog item", item.name)


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _system(created: int, by: str = "admin", updated: int | None = None) -> Row:
    return {
        "sys_created_on": when(created),
        "sys_created_by": by,
        "sys_updated_on": when(created if updated is None else updated),
        "sys_updated_by": by,
        "sys_mod_count": "0" if updated is None else "2",
    }
