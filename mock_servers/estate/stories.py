"""Four tickets that every estate has under the same numbers: what a demonstration tells.

======================  ===========  ==================================================================
story                   number       what it shows
======================  ===========  ==================================================================
``p1_caution``          INC0009001   P1, open, on the service Order Management, whose record is sound but for
                                     one placeholder: caution, and work goes on
``p2_stale_ci``         INC0009002   P2, open, on a server that discovery last saw 200 days ago: held
``out_of_scope``        INC0009003   open in the group HR Payroll Support, region AMER: not for every agent
``resolvable``          INC0009004   P4, in progress on a sound notebook: can be noted and resolved
======================  ===========  ==================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mock_servers.estate.assumptions import DAY, MATRIX
from mock_servers.estate.model import Ci, Defect, Estate, Incident, Note, Person, ident
from mock_servers.estate.organisation import Organisation

NUMBERS: dict[str, str] = {
    "p1_caution": "INC0009001",
    "p2_stale_ci": "INC0009002",
    "out_of_scope": "INC0009003",
    "resolvable": "INC0009004",
}
SCOPE_GROUPS = ("Service Desk EMEA", "Application Operations EMEA", "Server Operations EMEA")
"""Groups of the stories that a demonstration's agent may see; HR Payroll Support is none of them."""

STALE_SERVER = "ham-sap-lx01"
STALE_DAYS = 200
HOUR = 3600


@dataclass(frozen=True, slots=True)
class _Story:
    name: str
    title: str
    description: str
    state: str
    impact: str
    urgency: str
    category: str
    subcategory: str
    channel: str
    duty: str
    region: str
    site: str
    hours_ago: int
    notes: tuple[tuple[str, str], ...]


_STORIES = (
    _Story(
        "p1_caution",
        "Order Management: Aufträge werden nicht mehr angenommen",
        "Since this morning no order can be saved, neither in Hamburg nor in Kraków. About 400 users.",
        "in_progress",
        "high",
        "high",
        "software",
        "sap",
        "phone",
        "application",
        "EMEA",
        "ham",
        3,
        (
            ("internal", "Message queue to the ERP is full; the consumer stopped at 06:12 UTC."),
            ("public", "We have found the part that stopped and are restarting it. Next news in 30 minutes."),
        ),
    ),
    _Story(
        "p2_stale_ci",
        f"Server {STALE_SERVER} antwortet nicht mehr",
        f"Monitoring lost {STALE_SERVER}. Finance cannot post. Please restart or fail over.",
        "in_progress",
        "high",
        "medium",
        "software",
        "operating system",
        "monitoring",
        "server",
        "EMEA",
        "ham",
        7,
        (("internal", "No ping, no SSH. Not sure this is still the machine that runs SAP Finance."),),
    ),
    _Story(
        "out_of_scope",
        "Folha de pagamento: valores errados no holerite",
        "Três colegas em São Paulo receberam valores errados. Dados pessoais, por favor tratar com sigilo.",
        "in_progress",
        "medium",
        "medium",
        "inquiry",
        "internal application",
        "email",
        "payroll",
        "AMER",
        "sao",
        26,
        (("internal", "Compared with the personnel file of the three: tax class missing."),),
    ),
    _Story(
        "resolvable",
        "VPN bricht alle paar Minuten ab",
        "Seit dem Update von gestern bricht die Verbindung im Homeoffice alle paar Minuten ab.",
        "in_progress",
        "medium",
        "low",
        "network",
        "vpn",
        "self_service",
        "desk",
        "EMEA",
        "ham",
        20,
        (
            ("internal", "Client 5.1.2 has this fault; 5.1.4 was rolled out to the notebook."),
            ("public", "Wir haben den VPN-Client aktualisiert. Bitte melden, ob es jetzt hält."),
            ("public", "Seit zwei Stunden kein Abbruch mehr, danke!"),
        ),
    ),
)


def stories(estate: Estate) -> dict[str, str]:
    """The number of each story's incident, by the story's name."""
    there = {incident.number for incident in estate.incidents}
    return {name: number for name, number in NUMBERS.items() if number in there}


def stage(
    seed: int, as_of: int, org: Organisation, cis: list[Ci]
) -> tuple[list[Incident], list[Note], list[Defect], frozenset[str]]:
    """Set the scene in ``cis``; returns incidents, notes, what was planted, and the CIs no one else may touch."""
    where = {form: next(at for at, ci in enumerate(cis) if ci.form == form) for form in ("linux_server", "computer")}
    order = next(at for at, ci in enumerate(cis) if ci.name == "Order Management")
    payroll = next(at for at, ci in enumerate(cis) if ci.name == "Payroll")
    hamburg = next(site for site in org.sites if site.code == "ham")
    seen = as_of - STALE_DAYS * DAY
    cis[order] = replace(cis[order], asset_tag="N/A")
    server = cis[where["linux_server"]]
    cis[where["linux_server"]] = server = replace(
        server,
        name=STALE_SERVER,
        fqdn=f"{STALE_SERVER}.ham.bruckner.example",
        site=hamburg.id,
        status="live",
        operational_status="operational",
        environment="production",
        support_group=org.group_for("server", "EMEA").id,
        last_seen_at=seen,
        first_seen_at=seen - 700 * DAY,
        created_at=seen - 701 * DAY,
        installed_at=seen - 702 * DAY,
        updated_at=seen + 60,
    )
    notebook = cis[where["computer"]]
    cis[where["computer"]] = notebook = replace(notebook, status="live", operational_status="operational")
    if notebook.last_seen_at is not None and as_of - notebook.last_seen_at > 20 * DAY:
        cis[where["computer"]] = notebook = replace(notebook, last_seen_at=as_of - DAY, updated_at=as_of - DAY + 60)
    subjects = {
        "p1_caution": cis[order],
        "p2_stale_ci": server,
        "out_of_scope": cis[payroll],
        "resolvable": notebook,
    }
    planted = [
        Defect("CI-PLACEHOLDER", "placeholder", "ci", cis[order].id, cis[order].name, ("asset_tag",)),
        Defect("CI-STALE", "stale", "ci", server.id, server.name, ("last_seen_at",)),
    ]
    incidents: list[Incident] = []
    notes: list[Note] = []
    for story in _STORIES:
        ci = subjects[story.name]
        incident, journal = _incident(seed, as_of, org, story, ci)
        incidents.append(incident)
        notes += journal
    return incidents, notes, planted, frozenset(ci.id for ci in subjects.values())


def _incident(seed: int, as_of: int, org: Organisation, story: _Story, ci: Ci) -> tuple[Incident, list[Note]]:
    site = next(site for site in org.sites if site.code == story.site)
    group = org.group_for(story.duty, story.region)
    agent: Person = org.members[group.id][0]
    caller = next(person for person in reversed(org.at_site[site.id]) if person.id != agent.id)
    if ci.form == "computer" and ci.assigned_to:
        caller = org.by_id[ci.assigned_to]
    opened = as_of - story.hours_ago * HOUR
    key = ident(seed, "incident", story.name)
    step = story.hours_ago * HOUR // (len(story.notes) + 2)
    journal = [
        Note(
            ident(seed, "note", f"{story.name}/{at}"),
            key,
            visibility,
            text,
            caller.user_name if text.startswith("Seit ") else agent.user_name,
            opened + step * (at + 1),
        )
        for at, (visibility, text) in enumerate(story.notes)
    ]
    service = ci.id if ci.form == "business_service" else None
    incident = Incident(
        id=key,
        number=NUMBERS[story.name],
        title=story.title,
        description=story.description,
        state=story.state,
        hold_reason="",
        impact=story.impact,
        urgency=story.urgency,
        priority=MATRIX[story.impact, story.urgency],
        category=story.category,
        subcategory=story.subcategory,
        channel=story.channel,
        service=service,
        offering=None,
        ci=ci.id,
        caller=caller.id,
        opened_by=caller.id,
        assignee=agent.id,
        group=group.id,
        parent=None,
        site=site.id,
        opened_at=opened,
        created_at=opened,
        updated_at=journal[-1].created_at,
        updated_by=journal[-1].author,
        due_at=as_of + DAY,
        resolved_at=None,
        resolved_by=None,
        closed_at=None,
        closed_by=None,
        close_code="",
        close_notes="",
        reopen_count=0,
        reassignment_count=1,
        external_id="",
        version=len(journal) + 1,
        region=story.region,
        vendor_ticket="",
    )
    return incident, journal
