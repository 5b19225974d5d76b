"""The estate as entries of AR System forms: what a Remedy of the same enterprise would hold.

Numbers are the estate's, in Remedy's width (INC0009001 is INC000000009001). A CI stands in the production
dataset, and with ``raw`` also in the discovery dataset it came from, joined by its reconciliation identity.
A change says its CI in its title only: the form's own field is for services, and associations are not served.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from mock_servers.estate import Estate
from mock_servers.estate.assumptions import MATRIX, label
from mock_servers.estate.changes import Change, changes
from mock_servers.estate.forms import BY_NAME
from mock_servers.estate.model import Ci, Group, Incident, Person, ident
from mock_servers.remedy import estate_codes as codes
from mock_servers.remedy.schema import Schema, Value, shipped
from mock_servers.remedy.settings import IMPACT_WEIGHTS, PRIORITY_FROM, URGENCY_WEIGHTS

Row = dict[str, Value]
PRODUCTION, DISCOVERY = "BMC.ASSET", "BMC.ADDM"
ORGANISATION = "IT Operations"


def entries(estate: Estate, *, raw: bool = False) -> dict[str, list[Row]]:
    """All entries by form, ready for ``Store.load``. ``raw``: discovered CIs once more, as discovery saw them."""
    found: dict[str, list[Row]] = {}
    for form, row in _Projection(estate, shipped(), raw).rows():
        found.setdefault(form, []).append(row)
    return found


def configuration(estate: Estate) -> Iterator[tuple[str, Row]]:
    """The entries of CIs and their relations alone, one by one, for estates too large to hold twice."""
    return _Projection(estate, shipped(), raw=False).configuration()


def instance_id(ci: str) -> str:
    """The InstanceId in the production dataset of a CI of the estate."""
    return f"OI-{ci.upper()}"


def incident_number(number: str) -> str:
    """INC0009001 as Remedy numbers it."""
    return f"INC{int(number.removeprefix('INC')):012d}"


def change_number(number: str) -> str:
    """CHG0009001 as Remedy numbers it."""
    return f"CRQ{int(number.removeprefix('CHG')):012d}"


@dataclass
class _Projection:
    estate: Estate
    schema: Schema
    raw: bool

    def rows(self) -> Iterator[tuple[str, Row]]:
        yield from self._people()
        yield from self._groups()
        yield from self.configuration()
        for incident in self.estate.incidents:
            yield "HPD:Help Desk", self._incident(incident)
        yield from self._notes()
        for change in changes(self.estate):
            yield "CHG:Infrastructure Change", self._change(change)
        yield from self._change_notes()

    def configuration(self) -> Iterator[tuple[str, Row]]:
        for ci in self.estate.cis:
            yield from self._instances(ci)
        yield from self._relations()

    @cached_property
    def company(self) -> str:
        return self.estate.companies[0].name

    @cached_property
    def people(self) -> dict[str, Person]:
        return {person.id: person for person in self.estate.people}

    @cached_property
    def person_ids(self) -> dict[str, str]:
        return {person.id: f"PPL{n:012d}" for n, person in enumerate(self.estate.people, 1)}

    @cached_property
    def by_login(self) -> dict[str, Person]:
        return {person.user_name: person for person in self.estate.people}

    @cached_property
    def groups(self) -> dict[str, Group]:
        return {group.id: group for group in self.estate.groups}

    @cached_property
    def group_ids(self) -> dict[str, str]:
        return {group.id: f"SGP{n:012d}" for n, group in enumerate(self.estate.groups, 1)}

    @cached_property
    def cis(self) -> dict[str, Ci]:
        return {ci.id: ci for ci in self.estate.cis}

    @cached_property
    def sites(self) -> dict[str, tuple[str, str, str, str, str]]:
        """Name, region, country, city and time zone."""
        return {s.id: (s.name, s.region, s.country, s.city, s.zone) for s in self.estate.sites}

    @cached_property
    def departments(self) -> dict[str, str]:
        return {one.id: one.name for one in self.estate.departments}

    @cached_property
    def makers(self) -> dict[str, str]:
        return {one.id: one.name for one in self.estate.companies}

    @cached_property
    def models(self) -> dict[str, str]:
        return {one.id: one.name for one in self.estate.products}

    def number(self, form: str, field: str, word: str | None) -> Value:
        """The number of an enum's label; None for no label."""
        if not word:
            return None
        enum = self.schema.forms[form].fields[field].enum
        if enum is None:
            raise KeyError(field)
        return enum.numbers[word]

    def reconciled(self, ci: str) -> str:
        return f"RE-{ident(self.estate.seed, 'reconciliation', ci).upper()}"

    def login(self, person: str | None) -> str | None:
        return self.people[person].user_name if person in self.people else None

    def full_name(self, person: str | None) -> str | None:
        return self.people[person].name if person in self.people else None

    def _people(self) -> Iterator[tuple[str, Row]]:
        form = "CTM:People"
        staff = {membership.person for membership in self.estate.memberships}
        for n, person in enumerate(self.estate.people):
            site, region, _, _, time_zone = self.sites[person.site]
            yield (
                form,
                {
                    "Person ID": self.person_ids[person.id],
                    "Submit Date": person.created_at,
                    "Last Modified By": "ldap.import",
                    "Last Modified Date": person.updated_at,
                    "Profile Status": self.number(form, "Profile Status", "Enabled" if person.active else "Obsolete"),
                    "Remedy Login ID": person.user_name,
                    "First Name": person.first_name,
                    "Last Name": person.last_name,
                    "Full Name": person.name,
                    "Company": self.company,
                    "Organization": self.departments[person.department],
                    "Department": self.departments[person.department],
                    "Site": site,
                    "Region": region,
                    "JobTitle": person.title,
                    "Client Type": self.number(form, "Client Type", "Office-Based Employee"),
                    "Support Staff": self.number(form, "Support Staff", _yes(person.id in staff)),
                    "Assignment Availability": self.number(form, "Assignment Availability", _yes(person.active)),
                    "VIP": self.number(form, "VIP", _yes(person.vip)),
                    "ManagerLoginID": self.login(person.manager),
                    "Time Zone": time_zone,
                    "Internet E-mail": person.email,
                    "Corporate ID": f"{100_000 + n}",
                },
            )

    def _groups(self) -> Iterator[tuple[str, Row]]:
        for group in self.estate.groups:
            yield (
                "CTM:Support Group",
                {
                    "Support Group ID": self.group_ids[group.id],
                    "Submit Date": group.created_at,
                    "Last Modified Date": group.updated_at,
                    "Status": self.number("CTM:Support Group", "Status", "Enabled"),
                    "Company": self.company,
                    "Support Organization": ORGANISATION,
                    "Support Group Name": group.name,
                    "Support Group Role": "Help Desk" if group.duty == "desk" else "Tier 2",
                    "Description": group.description,
                    "Group Email": group.email,
                    "Manager Login ID": self.login(group.manager),
                },
            )
        for n, membership in enumerate(self.estate.memberships, 1):
            yield (
                "CTM:Support Group Association",
                {
                    "Support Group Association ID": f"SGA{n:012d}",
                    "Last Modified Date": membership.created_at,
                    "Support Group ID": self.group_ids[membership.group],
                    "Support Group Name": self.groups[membership.group].name,
                    "Support Organization": ORGANISATION,
                    "Company": self.company,
                    "Person ID": self.person_ids[membership.person],
                    "Full Name": self.full_name(membership.person),
                    "Login ID": self.login(membership.person),
                    "Default": self.number("CTM:Support Group Association", "Default", "No"),
                },
            )

    def _instances(self, ci: Ci) -> Iterator[tuple[str, Row]]:
        kind = codes.CLASSES[ci.form]
        form = f"BMC.CORE:{kind.name}"
        row = self._instance(ci, form, kind)
        yield form, row
        if self.raw and ci.last_seen_at is not None:
            as_seen = {name: row.get(name) for name in _DISCOVERED}
            again = f"OI-{ident(self.estate.seed, 'raw', ci.id).upper()}"
            yield form, {**as_seen, "InstanceId": again, "DatasetId": DISCOVERY}

    def _instance(self, ci: Ci, form: str, kind: codes.Class) -> Row:
        shape = BY_NAME[ci.form]
        site, region, *_ = self.sites.get(ci.site, ("", "", "", "", ""))
        row: Row = {
            "InstanceId": instance_id(ci.id),
            "ClassId": kind.name.upper(),
            "DatasetId": PRODUCTION,
            "ReconciliationIdentity": self.reconciled(ci.id),
            "Submitter": ci.created_by,
            "CreateDate": ci.created_at,
            "LastModifiedBy": ci.updated_by,
            "ModifiedDate": ci.updated_at,
            "Name": ci.name,
            "ShortDescription": ci.description[:254],
            "Description": ci.description,
            "AssetLifecycleStatus": self.number(form, "AssetLifecycleStatus", codes.LIFECYCLE.get(ci.status)),
            "MarkAsDeleted": self.number(form, "MarkAsDeleted", "No"),
            "Category": shape.category,
            "Type": ci.category or shape.category,
            "Item": kind.item,
            "ManufacturerName": self.makers.get(ci.vendor or ""),
            "Model": self.models.get(ci.model or ""),
            "SerialNumber": ci.serial,
            "TagNumber": ci.asset_tag,
            "Company": self.company,
            "Region": region,
            "Site": site,
            "Department": self.departments.get(ci.department or ""),
            "OwnerName": self.full_name(ci.owner),
            "OwnerContact": self.login(ci.owner),
            "Used By Login ID": self.login(ci.assigned_to),
            "Support Group": self.groups[ci.support_group].name if ci.support_group in self.groups else None,
            "Operational State": self.number(form, "Operational State", codes.OPERATIONAL.get(ci.operational_status)),
            "Business Criticality": self.number(form, "Business Criticality", codes.CRITICALITY.get(ci.criticality)),
            "SystemEnvironment": self.number(form, "SystemEnvironment", codes.ENVIRONMENT.get(ci.environment)),
            "DiscoverySource": ci.discovery_source,
            "FirstScanDate": ci.first_seen_at,
            "LastScanDate": ci.last_seen_at,
            "Attested Date": ci.attested_at,
            "Attested By": self.login(ci.attested_by) or ci.attested_by,
            "InstallationDate": ci.installed_at,
            "WarrantyExpirationDate": ci.warranty_until,
        }
        if "HostName" in self.schema.forms[form].fields:
            host, _, domain = ci.fqdn.partition(".")
            row |= {
                "HostName": host,
                "Domain": domain,
                "PrimaryCapability": self.number(form, "PrimaryCapability", kind.capability),
                "isVirtual": self.number(form, "isVirtual", _yes(ci.form == "vmware_instance")),
                "TotalPhysicalMemory": ci.ram_mb or None,
                "Number Of Processors": ci.cpus or None,
                "Disk GB": ci.disk_gb or None,
                "Primary IP Address": ci.ip,
                "Primary MAC Address": ci.mac,
                "OS Name": ci.os,
                "OS Version": ci.os_version,
                "Patch Window": ci.patch_window,
            }
        return row

    def _relations(self) -> Iterator[tuple[str, Row]]:
        for relation in self.estate.relations:
            link = codes.LINKS[relation.type]
            form = f"BMC.CORE:{link.name}"
            ends = (relation.object, relation.subject) if link.turned else (relation.subject, relation.object)
            row: Row = {
                "InstanceId": f"OR-{relation.id.upper()}",
                "ClassId": link.name.upper(),
                "DatasetId": PRODUCTION,
                "ReconciliationIdentity": self.reconciled(relation.id),
                "Submitter": "cmdb.import",
                "CreateDate": relation.created_at,
                "LastModifiedBy": "cmdb.import",
                "ModifiedDate": relation.created_at,
                "Name": link.label,
                "MarkAsDeleted": self.number(form, "MarkAsDeleted", "No"),
                "HasImpact": self.number(form, "HasImpact", _yes(link.impact)),
                "ImpactDirection": self.number(
                    form, "ImpactDirection", "Source-Destination" if link.impact else "None"
                ),
                "ImpactWeight": 100 if link.impact else 0,
            }
            for end, ci in zip(("Source", "Destination"), ends, strict=True):
                known = self.cis.get(ci)  # a dangling end was planted
                row[f"{end}.InstanceId"] = instance_id(ci)
                row[f"{end}.ReconciliationIdentity"] = self.reconciled(ci)
                row[f"{end}.ClassId"] = codes.CLASSES[known.form].name.upper() if known else None
            yield form, row

    def _incident(self, incident: Incident) -> Row:
        form = "HPD:Help Desk"
        caller = self.people.get(incident.caller)
        site, region, country, city, _ = self.sites.get(incident.site, ("", "", "", "", ""))
        group = self.groups.get(incident.group)
        status = codes.STATUS.get(incident.state, "")
        if status == "New" and group is not None:
            status = "Assigned"
        reason, category = codes.CLOSE.get(incident.close_code, ("", ""))
        ci, service = self.cis.get(incident.ci or ""), self.cis.get(incident.service or "")
        number = incident_number(incident.number)
        first_answer = incident.resolved_at or (incident.updated_at if incident.state != "new" else None)
        return {
            "Incident Number": number,
            "Request ID": number,
            "Submitter": self.login(incident.opened_by),
            "Submit Date": incident.created_at,
            "Last Modified By": incident.updated_by,
            "Last Modified Date": incident.updated_at,
            "Status": self.number(form, "Status", status),
            "Status_Reason": self.number(form, "Status_Reason", reason or codes.HOLD.get(incident.hold_reason)),
            "Description": incident.title,
            "Detailed Decription": incident.description,
            **self._levels(incident),
            "Service Type": self.number(form, "Service Type", _service_type(incident)),
            "Reported Source": self.number(form, "Reported Source", codes.SOURCE.get(incident.channel)),
            "Company": self.company,
            "Contact Company": self.company,
            "First Name": caller.first_name if caller else None,
            "Last Name": caller.last_name if caller else None,
            "Customer Login ID": caller.user_name if caller else None,
            "Person ID": self.person_ids.get(incident.caller),
            "Internet E-mail": caller.email if caller else None,
            "Organization": self.departments.get(caller.department) if caller else None,
            "Department": self.departments.get(caller.department) if caller else None,
            "VIP": self.number(form, "VIP", _yes(bool(caller and caller.vip))),
            "Site": site,
            "Region": region,
            "Country": country,
            "City": city,
            "Categorization Tier 1": label(incident.category) if incident.category else None,
            "Categorization Tier 2": label(incident.subcategory) if incident.subcategory else None,
            "Product Categorization Tier 1": BY_NAME[ci.form].category if ci else None,
            "Product Categorization Tier 2": ci.category or None if ci else None,
            "Product Categorization Tier 3": codes.CLASSES[ci.form].item if ci else None,
            "Product Name": self.models.get(ci.model or "") if ci else None,
            "Manufacturer": self.makers.get(ci.vendor or "") if ci else None,
            "Assigned Support Company": self.company if group else None,
            "Assigned Support Organization": ORGANISATION if group else None,
            "Assigned Group": group.name if group else None,
            "Assigned Group ID": self.group_ids.get(incident.group),
            "Assignee": self.full_name(incident.assignee),
            "Assignee Login ID": self.login(incident.assignee),
            "Resolution": incident.close_notes,
            "Resolution Category": category,
            "ServiceCI": service.name if service else None,
            "ServiceCI_ReconID": self.reconciled(service.id) if service else None,
            "HPD_CI": ci.name if ci else None,
            "HPD_CI_ReconID": self.reconciled(incident.ci) if incident.ci else None,
            "Reported Date": incident.opened_at,
            "Responded Date": first_answer,
            "Required Resolution DateTime": incident.due_at,
            "Last Resolved Date": incident.resolved_at,
            "Closed Date": incident.closed_at,
            "Reopen Count": incident.reopen_count,
            "Group Transfers": incident.reassignment_count,
            "Vendor Ticket Number": incident.vendor_ticket,
            "Original Incident Number": self._parent(incident),
            "External Reference": incident.external_id,
        }

    @cached_property
    def numbers(self) -> dict[str, str]:
        return {incident.id: incident.number for incident in self.estate.incidents}

    def _parent(self, incident: Incident) -> str | None:
        found = self.numbers.get(incident.parent or "")
        return incident_number(found) if found else None

    def _levels(self, incident: Incident) -> Row:
        """Impact, urgency and what follows from them; where the estate contradicts its matrix, so does this."""
        form = "HPD:Help Desk"
        impact = self.number(form, "Impact", codes.IMPACT.get(incident.impact))
        urgency = self.number(form, "Urgency", codes.URGENCY.get(incident.urgency))
        weight = IMPACT_WEIGHTS.get(str(impact), 0) + URGENCY_WEIGHTS.get(str(urgency), 0)
        priority: Value = next(int(n) for n, least in PRIORITY_FROM.items() if weight >= least)
        if incident.priority != MATRIX.get((incident.impact, incident.urgency)):
            said = self.number(form, "Priority", codes.PRIORITY.get(incident.priority))
            priority = said if said != priority else (3 if priority == 0 else 0)
        return {"Impact": impact, "Urgency": urgency, "Priority": priority, "Priority Weight": weight}

    def _notes(self) -> Iterator[tuple[str, Row]]:
        form = "HPD:WorkLog"
        for n, note in enumerate(self.estate.notes, 1):
            if note.incident not in self.numbers:
                continue
            public = note.visibility == "public"
            kind = "Customer Communication" if public else "Working Log"
            yield (
                form,
                {
                    "Work Log ID": f"WLG{n:012d}",
                    "Incident Number": incident_number(self.numbers[note.incident]),
                    "Submitter": note.author,
                    "Submit Date": note.created_at,
                    "Last Modified By": note.author,
                    "Last Modified Date": note.created_at,
                    "Work Log Submit Date": note.created_at,
                    "Work Log Submitter": note.author,
                    "Description": note.text[:100],
                    "Detailed Description": note.text,
                    "Work Log Type": self.number(form, "Work Log Type", kind),
                    "Communication Source": self.number(form, "Communication Source", "Email" if public else "Other"),
                    "Secure Work Log": self.number(form, "Secure Work Log", "No"),
                    "View Access": self.number(form, "View Access", "Public" if public else "Internal"),
                },
            )

    def _change_notes(self) -> Iterator[tuple[str, Row]]:
        """When work on a change began and how it ended, which Remedy has no field for."""
        form, n = "CHG:WorkLog", 0
        for change in changes(self.estate):
            ended = ((change.start_at, "Work began."), (change.end_at, change.close_notes))
            author = self.login(change.assignee)
            for at, text in ended if change.close_notes else ():
                n += 1
                yield (
                    form,
                    {
                        "Work Log ID": f"WLG{n:012d}",
                        "Infrastructure Change ID": change_number(change.number),
                        "Submitter": author,
                        "Submit Date": at,
                        "Last Modified By": author,
                        "Last Modified Date": at,
                        "Work Log Submit Date": at,
                        "Work Log Submitter": author,
                        "Description": text,
                        "Detailed Description": text,
                        "Work Log Type": self.number(form, "Work Log Type", "General Information"),
                        "View Access": self.number(form, "View Access", "Internal"),
                    },
                )

    def _change(self, change: Change) -> Row:
        form = "CHG:Infrastructure Change"
        number = change_number(change.number)
        requester, group = self.people[change.requested_by], self.groups.get(change.group)
        done = change.state == "closed"
        impact = self.number(form, "Impact", codes.IMPACT[codes.CHANGE_LEVEL[change.risk]])
        urgency = self.number(form, "Urgency", codes.URGENCY["high" if change.type == "emergency" else "low"])
        weight = IMPACT_WEIGHTS[str(impact)] + URGENCY_WEIGHTS[str(urgency)]
        return {
            "Infrastructure Change ID": number,
            "Request ID": number,
            "Submitter": requester.user_name,
            "Submit Date": change.opened_at,
            "Last Modified By": requester.user_name,
            "Last Modified Date": change.updated_at,
            "Change Request Status": self.number(form, "Change Request Status", codes.CHANGE_STATUS[change.state]),
            "Status Reason": self.number(form, "Status Reason", codes.CHANGE_CLOSE.get(change.close_code)),
            "Description": change.title[:100],
            "Change Type": self.number(form, "Change Type", "Change"),
            "Change Timing": self.number(form, "Change Timing", codes.CHANGE_TIMING[change.type]),
            "Risk Level": self.number(form, "Risk Level", codes.CHANGE_RISK[change.risk]),
            "Impact": impact,
            "Urgency": urgency,
            "Priority": next(int(n) for n, least in PRIORITY_FROM.items() if weight >= least),
            "Company": self.company,
            "First Name": requester.first_name,
            "Last Name": requester.last_name,
            "Requestor ID": requester.user_name,
            "Support Company": self.company if group else None,
            "Support Organization": ORGANISATION if group else None,
            "Support Group Name": group.name if group else None,
            "Change Coordinator": self.full_name(change.assignee),
            "Change Coordinator Login": self.login(change.assignee),
            "Categorization Tier 1": change.category,
            "Scheduled Start Date": change.start_at,
            "Scheduled End Date": change.end_at,
            "Actual Start Date": change.start_at if done else None,
            "Actual End Date": change.end_at if done else None,
            "Completed Date": change.end_at if done else None,
        }


_DISCOVERED = (
    "ClassId",
    "ReconciliationIdentity",
    "Submitter",
    "CreateDate",
    "LastModifiedBy",
    "ModifiedDate",
    "Name",
    "MarkAsDeleted",
    "SerialNumber",
    "ManufacturerName",
    "Model",
    "DiscoverySource",
    "FirstScanDate",
    "LastScanDate",
    "HostName",
    "Domain",
    "PrimaryCapability",
    "isVirtual",
    "Primary IP Address",
    "Primary MAC Address",
    "OS Name",
    "OS Version",
)
"""What a discovery knows of a CI."""


def _yes(value: bool) -> str:
    return "Yes" if value else "No"


def _service_type(incident: Incident) -> str:
    if incident.channel == "monitoring":
        return "Infrastructure Event"
    return "User Service Request" if incident.category == "inquiry" else "User Service Restoration"
