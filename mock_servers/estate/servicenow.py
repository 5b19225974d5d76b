"""The estate as native ServiceNow rows: values as they are on the wire with sysparm_display_value=false.

Everything is a string: UTC ``YYYY-MM-DD HH:MM:SS``, coded choices, ``true``/``false``, sys_ids of 32 hex digits,
``""`` for empty. A reference holds the sys_id of a row that exists, apart from the dangling ones that were planted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mock_servers.estate import servicenow_codes as codes
from mock_servers.estate.assumptions import DAY
from mock_servers.estate.forms import BY_NAME
from mock_servers.estate.key import Key, KeyEntry
from mock_servers.estate.model import Ci, Defect, Estate, Incident, ident
from mock_servers.estate.servicenow_catalogue import catalogue, knowledge, orders
from mock_servers.estate.servicenow_changes import change_rows, ties
from mock_servers.estate.servicenow_codes import when
from mock_servers.estate.servicenow_identity import identity

Row = dict[str, str]


def tables(estate: Estate) -> dict[str, list[Row]]:
    """All rows by table; a CI stands in the table of its own class only."""
    found: dict[str, list[Row]] = {}
    for table, row in rows(estate):
        found.setdefault(table, []).append(row)
    return found


def rows(estate: Estate) -> Iterator[tuple[str, Row]]:
    """The same one by one, referenced tables first, for estates too large to hold twice."""
    yield from records(estate)
    yield from identity(estate)
    yield from catalogue(estate)
    yield from orders(estate)
    yield from knowledge(estate)
    for note in estate.notes:
        yield (
            "sys_journal_field",
            {
                "sys_id": note.id,
                "name": "incident",
                "element": "comments" if note.visibility == "public" else "work_notes",
                "element_id": note.incident,
                "value": note.text,
                "sys_created_on": when(note.created_at),
                "sys_created_by": note.author,
            },
        )


def records(estate: Estate) -> Iterator[tuple[str, Row]]:
    """What checks are about: CIs, relations, changes, incidents, and before them what these refer to."""
    yield from _places(estate)
    yield from _people(estate)
    yield from _choices(estate)
    models = {product.id: product.number for product in estate.products}
    own = estate.companies[0].id
    for ci in estate.cis:
        yield codes.CLASSES[ci.form], _ci(ci, models, own)
    yield from _relations(estate)
    yield from change_rows(estate)
    users = {person.id: person.user_name for person in estate.people}
    tied = ties(estate)
    for incident in estate.incidents:
        yield "incident", {**_incident(incident, users, own), **tied.get(incident.id, {})}


def answer_key(estate: Estate) -> Key:
    """The planter's intents with the tables and columns a ServiceNow person knows."""
    class_of = {ci.id: codes.CLASSES[ci.form] for ci in estate.cis}
    type_of = {relation.id: relation.type for relation in estate.relations}

    def entry(defect: Defect) -> KeyEntry:
        if defect.kind == "ci":
            table, columns = class_of[defect.record], tuple(codes.COLUMNS.get(f, f) for f in defect.fields)
        elif defect.kind == "relationship":
            table = "cmdb_rel_ci"
            ends = relation_columns(type_of[defect.record])
            columns = tuple(ends.get(f, f) for f in defect.fields)
        else:
            table, columns = "incident", tuple(codes.COLUMNS.get(f, f) for f in defect.fields)
        return KeyEntry(defect.code, defect.reason, table, defect.record, defect.label, columns, defect.collateral)

    return Key(tuple(entry(defect) for defect in estate.defects))


def relation_columns(word: str) -> Mapping[str, str]:
    """Which column of cmdb_rel_ci holds the subject and which the object of a sentence."""
    if codes.RELATIONS[word].turned:
        return {"subject": "child", "object": "parent"}
    return {"subject": "parent", "object": "child"}


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _system(created: int, by: str = "system", updated: int | None = None, last: str = "", mods: int = 0) -> Row:
    return {
        "sys_created_on": when(created),
        "sys_created_by": by,
        "sys_updated_on": when(created if updated is None else updated),
        "sys_updated_by": last or by,
        "sys_mod_count": str(mods),
        "sys_tags": "",
    }


def _founding(estate: Estate) -> int:
    return estate.as_of - 3000 * DAY


def _places(estate: Estate) -> Iterator[tuple[str, Row]]:
    born = _system(_founding(estate), "admin")
    for site in estate.sites:
        yield (
            "cmn_location",
            {
                "sys_id": site.id,
                "name": site.name,
                "full_name": f"{site.country}/{site.name}",
                "street": site.street,
                "city": site.city,
                "country": site.country,
                "time_zone": site.zone,
                "parent": "",
                **born,
            },
        )
    for company in estate.companies:
        yield (
            "core_company",
            {
                "sys_id": company.id,
                "name": company.name,
                "manufacturer": _flag(company.vendor),
                "vendor": _flag(company.vendor),
                **born,
            },
        )
    maker = {company.id: company.name for company in estate.companies}
    for product in estate.products:
        yield (
            "cmdb_model",
            {
                "sys_id": product.id,
                "name": product.name,
                "display_name": f"{maker[product.company]} {product.name}",
                "manufacturer": product.company,
                "model_number": product.number,
                **born,
            },
        )
    for department in estate.departments:
        yield "cmn_department", {"sys_id": department.id, "name": department.name, "id": "", "dept_head": "", **born}


def _people(estate: Estate) -> Iterator[tuple[str, Row]]:
    site_of = {site.id: site for site in estate.sites}
    own = estate.companies[0].id
    for n, person in enumerate(estate.people):
        site = site_of[person.site]
        yield (
            "sys_user",
            {
                "sys_id": person.id,
                "sys_class_name": "sys_user",
                "user_name": person.user_name,
                "first_name": person.first_name,
                "last_name": person.last_name,
                "name": person.name,
                "email": person.email,
                "title": person.title,
                "active": _flag(person.active),
                "locked_out": _flag(not person.active),
                "web_service_access_only": "false",
                "vip": _flag(person.vip),
                "employee_number": f"{100_000 + n}",
                "department": person.department,
                "location": person.site,
                "company": own,
                "manager": person.manager or "",
                "time_zone": site.zone,
                "preferred_language": site.language,
                **_system(person.created_at, "ldap.import", person.updated_at, mods=n % 7),
            },
        )
    for group in estate.groups:
        yield (
            "sys_user_group",
            {
                "sys_id": group.id,
                "name": group.name,
                "description": group.description,
                "active": "true",
                "email": group.email,
                "manager": group.manager,
                "parent": "",
                "type": "",
                "source": "",
                "u_region": group.region,
                **_system(group.created_at, "admin", group.updated_at, mods=3),
            },
        )
    for membership in estate.memberships:
        yield (
            "sys_user_grmember",
            {
                "sys_id": membership.id,
                "group": membership.group,
                "user": membership.person,
                **_system(membership.created_at, "admin"),
            },
        )


def _choices(estate: Estate) -> Iterator[tuple[str, Row]]:
    born = _system(_founding(estate), "admin")
    sequence: dict[tuple[str, str, str], int] = {}
    for table, element, value, label, depends_on in codes.choices():
        place = sequence[table, element, depends_on] = sequence.get((table, element, depends_on), 0) + 1
        yield (
            "sys_choice",
            {
                "sys_id": ident(estate.seed, "choice", f"{table}/{element}/{depends_on}/{value}"),
                "name": table,
                "element": element,
                "value": value,
                "label": label,
                "language": "en",
                "inactive": "false",
                "dependent_value": depends_on,
                "sequence": str(place),
                "hint": "",
                **born,
            },
        )


def _ci(ci: Ci, models: dict[str, str], own: str) -> Row:
    row = {
        "sys_id": ci.id,
        "sys_class_name": codes.CLASSES[ci.form],
        "sys_domain": "global",
        "sys_domain_path": "/",
        "name": ci.name,
        "install_status": codes.INSTALL[ci.status],
        "operational_status": codes.OPERATIONAL[ci.operational_status],
        "environment": codes.ENVIRONMENT[ci.environment],
        "serial_number": ci.serial,
        "asset_tag": ci.asset_tag,
        "fqdn": ci.fqdn,
        "ip_address": ci.ip,
        "mac_address": ci.mac,
        "dns_domain": ci.fqdn.partition(".")[2],
        "manufacturer": ci.vendor or "",
        "vendor": ci.vendor or "",
        "model_id": ci.model or "",
        "model_number": models[ci.model] if ci.model else "",
        "location": ci.site,
        "company": own,
        "department": ci.department or "",
        "category": ci.category,
        "subcategory": ci.subcategory,
        "short_description": ci.description,
        "owned_by": ci.owner or "",
        "assigned_to": ci.assigned_to or "",
        "support_group": ci.support_group or "",
        "discovery_source": ci.discovery_source,
        "first_discovered": when(ci.first_seen_at),
        "last_discovered": when(ci.last_seen_at),
        "attested": _flag(ci.attested_at is not None),
        "attested_by": ci.attested_by or "",
        "attested_date": when(ci.attested_at),
        "install_date": when(ci.installed_at),
        "warranty_expiration": when(ci.warranty_until)[:10],
        "unverified": "false",
        "fault_count": "0",
        "duplicate_of": "",
        "correlation_id": "",
        "comments": "",
        "u_patch_window": ci.patch_window,
        **_system(ci.created_at, ci.created_by, ci.updated_at, ci.updated_by, ci.version),
    }
    form = BY_NAME[ci.form]
    if "os" in form.facts and ci.form != "vmware_instance":
        row |= {
            "os": ci.os,
            "os_version": ci.os_version,
            "cpu_count": str(ci.cpus),
            "ram": str(ci.ram_mb),
            "disk_space": str(ci.disk_gb),
            "host_name": ci.name,
        }
    if ci.cls == "server":
        row["used_for"] = codes.ENVIRONMENT[ci.environment]
    elif ci.cls in ("service", "service_offering"):
        row |= {
            "busines_criticality": codes.CRITICALITY[ci.criticality],
            "used_for": codes.ENVIRONMENT[ci.environment],
        }
    elif ci.cls == "business_application":
        row["business_criticality"] = codes.CRITICALITY[ci.criticality]
    return row


def _relations(estate: Estate) -> Iterator[tuple[str, Row]]:
    born = _system(_founding(estate), "admin")
    types: dict[str, str] = {}
    for word, kind in codes.RELATIONS.items():
        types[word] = ident(estate.seed, "relation type", kind.name)
        parent, _, child = kind.name.partition("::")
        yield (
            "cmdb_rel_type",
            {
                "sys_id": types[word],
                "name": kind.name,
                "parent_descriptor": parent,
                "child_descriptor": child,
                **born,
            },
        )
    for relation in estate.relations:
        ends = relation_columns(relation.type)
        yield (
            "cmdb_rel_ci",
            {
                "sys_id": relation.id,
                ends["subject"]: relation.subject,
                ends["object"]: relation.object,
                "type": types[relation.type],
                "port": "",
                "connection_strength": "always",
                "percent_outage": "",
                **_system(relation.created_at, "discovery"),
            },
        )


def _incident(incident: Incident, users: dict[str, str], own: str) -> Row:
    state = codes.STATE[incident.state]
    return {
        "sys_id": incident.id,
        "sys_class_name": "incident",
        "sys_domain": "global",
        "sys_domain_path": "/",
        "number": incident.number,
        "short_description": incident.title,
        "description": incident.description,
        "state": state,
        "incident_state": state,
        "hold_reason": codes.HOLD[incident.hold_reason],
        "impact": codes.LEVEL[incident.impact],
        "urgency": codes.LEVEL[incident.urgency],
        "priority": codes.PRIORITY[incident.priority],
        "severity": "3",
        "category": incident.category,
        "subcategory": incident.subcategory,
        "contact_type": codes.CHANNEL[incident.channel],
        "business_service": incident.service or "",
        "service_offering": incident.offering or "",
        "cmdb_ci": incident.ci or "",
        "caller_id": incident.caller,
        "opened_by": incident.opened_by,
        "opened_at": when(incident.opened_at),
        "assigned_to": incident.assignee or "",
        "assignment_group": incident.group,
        "location": incident.site,
        "company": own,
        "parent": "",
        "parent_incident": incident.parent or "",
        "problem_id": "",
        "rfc": "",
        "caused_by": "",
        "resolved_at": when(incident.resolved_at),
        "resolved_by": incident.resolved_by or "",
        "closed_at": when(incident.closed_at),
        "closed_by": incident.closed_by or "",
        "close_code": codes.CLOSE[incident.close_code],
        "close_notes": incident.close_notes,
        "due_date": when(incident.due_at),
        "active": _flag(incident.active),
        "reopen_count": str(incident.reopen_count),
        "reassignment_count": str(incident.reassignment_count),
        "made_sla": _flag(_in_time(incident)),
        "knowledge": "false",
        "notify": "1",
        "escalation": "0",
        "approval": "not requested",
        "upon_approval": "proceed",
        "upon_reject": "cancel",
        "correlation_id": incident.external_id,
        "correlation_display": "Monitoring" if incident.external_id else "",
        "comments": "",
        "work_notes": "",
        "comments_and_work_notes": "",
        "u_region": incident.region,
        "u_vendor_ticket": incident.vendor_ticket,
        **_system(
            incident.created_at,
            users[incident.opened_by],
            incident.updated_at,
            incident.updated_by,
            incident.version,
        ),
    }


def _in_time(incident: Incident) -> bool:
    return incident.resolved_at is None or incident.due_at is None or incident.resolved_at <= incident.due_at
