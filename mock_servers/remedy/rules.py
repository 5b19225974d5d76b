"""What happens on a write besides writing: the workflow of the shipped forms, as far as a caller sees it.

The rules themselves are documented; which number a refusal has, and the exact tables, are the instance's
(``Switches``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mock_servers.remedy.arerr import ArError
from mock_servers.remedy.schema import Form, Value
from mock_servers.remedy.settings import Switches, User
from mock_servers.remedy.store import Entry, Store

Values = dict[str, Value]

WORK_LOGS = {"HPD:Help Desk": "HPD:WorkLog", "CHG:Infrastructure Change": "CHG:WorkLog"}
_NOTE = {
    "Work Info Summary": "Description",
    "Work Info Notes": "Detailed Description",
    "Work Info Type": "Work Log Type",
    "Work Info Date": "Work Log Submit Date",
    "Work Info Source": "Communication Source",
    "Work Info Locked": "Secure Work Log",
    "Work Info View Access": "View Access",
}
_DEFAULTS = {"CHG:Infrastructure Change": {"Change Request Status": "Draft"}}
_ENDED = ("Closed", "Cancelled")
_CHANGE_NEXT: Mapping[str, tuple[str, ...]] = {
    "Draft": ("Request For Authorization", "Request For Change", "Planning In Progress", "Cancelled"),
    "Request For Authorization": ("Request For Change", "Planning In Progress", "Rejected", "Cancelled", "Pending"),
    "Request For Change": ("Planning In Progress", "Scheduled For Review", "Cancelled", "Pending"),
    "Planning In Progress": ("Scheduled For Review", "Scheduled For Approval", "Scheduled", "Cancelled", "Pending"),
    "Scheduled For Review": ("Scheduled For Approval", "Scheduled", "Planning In Progress", "Cancelled", "Pending"),
    "Scheduled For Approval": ("Scheduled", "Rejected", "Planning In Progress", "Cancelled", "Pending"),
    "Scheduled": ("Implementation In Progress", "Planning In Progress", "Cancelled", "Pending"),
    "Implementation In Progress": ("Completed", "Cancelled", "Pending"),
    "Pending": ("Planning In Progress", "Scheduled", "Implementation In Progress", "Cancelled"),
    "Rejected": ("Draft", "Request For Authorization", "Planning In Progress", "Closed", "Cancelled"),
    "Completed": ("Closed", "Implementation In Progress"),
}


@dataclass(frozen=True, slots=True)
class Writing:
    """One write: ``given`` are the fields that the call mapped, ``before`` the entry as it was."""

    form: Form
    given: Values
    before: Entry | None
    user: User
    now: int


class Workflow:
    """Checks a write and says what the entry becomes."""

    def __init__(self, store: Store, switches: Switches) -> None:
        self._store = store
        self._switches = switches
        self._of: dict[str, Callable[[Writing, Values], None]] = {
            "HPD:Help Desk": self._incident,
            "CHG:Infrastructure Change": self._change,
        }

    def write(self, writing: Writing) -> Entry:
        """Check, complete and store; also the work log entry that came along. Raises ArError: nothing was written."""
        form = writing.form
        stored = {label: value for label, value in writing.given.items() if not form.fields[label].display}
        after: Values = {**(writing.before or {}), **stored}
        if writing.before is None:
            for label, word in _DEFAULTS.get(form.name, {}).items():
                if after.get(label) is None:
                    after[label] = _number(form, label, word)
        self._required(writing, after)
        own = self._of.get(form.name)
        if own is not None:
            own(writing, after)
        elif form.name.startswith("BMC.CORE:"):
            self._instance(writing, after)
        self._unique(writing, after)
        before = writing.before
        if before is None:
            after[form.key] = self._store.next_key(form.name)
            self._sign(form, after, writing, first=True)
        self._sign(form, after, writing, first=False)
        entry = self._store.put(before.form if before is not None else form.name, after)
        if form.name in WORK_LOGS:
            self._note(writing, str(entry[form.key]))
        return entry

    def _sign(self, form: Form, after: Values, writing: Writing, first: bool) -> None:
        """Who and when, in whatever label the form has for it: the core fields have the same ids everywhere."""
        signs: dict[int, Value] = {5: writing.user.name, 6: writing.now}
        if first:
            signs = {2: writing.user.name, 3: writing.now}
            if (alias := form.fields.get("Request ID")) is not None:
                after[alias.label] = after[form.key]
        for number, value in signs.items():
            if (field := form.by_id.get(number)) is not None:
                after[field.label] = value

    def _required(self, writing: Writing, after: Values) -> None:
        name = "missing_required" if writing.before is None else "null_required"
        for label, field in writing.form.fields.items():
            missing = field.required and after.get(label) is None
            if missing and (writing.before is None or label in writing.given):
                raise ArError(name, label)

    def _unique(self, writing: Writing, after: Values) -> None:
        if not self._switches.unique_external:
            return
        for label, field in writing.form.fields.items():
            value = after.get(label)
            kept = writing.before is not None and writing.before.get(label) == value
            if field.unique and value is not None and not kept:
                for entry in self._store.rows(writing.form.name):
                    if entry.get(label) == value:
                        raise ArError("duplicate", f"{label} ({entry[writing.form.key]})")

    def _note(self, writing: Writing, key: str) -> None:
        """Any of the Work Info fields makes an entry of the work log."""
        note = {label: writing.given.get(source) for source, label in _NOTE.items()}
        if note["Description"] is None and note["Detailed Description"] is None:
            return
        form = WORK_LOGS[writing.form.name]
        shape = self._store.schema.forms[form]
        if note["View Access"] is None:
            note["View Access"] = _number(shape, "View Access", "Internal")
        if note["Work Log Type"] is None:
            note["Work Log Type"] = _number(shape, "Work Log Type", "General Information")
        if note["Work Log Submit Date"] is None:
            note["Work Log Submit Date"] = writing.now
        note |= {writing.form.key: key, "Work Log Submitter": writing.user.name, shape.key: self._store.next_key(form)}
        self._sign(shape, note, writing, first=True)
        self._sign(shape, note, writing, first=False)
        self._store.put(form, note)

    # incidents

    def _incident(self, writing: Writing, after: Values) -> None:
        form, before = writing.form, writing.before
        was = _label(form, "Status", before.get("Status")) if before is not None else ""
        status = _label(form, "Status", after.get("Status"))
        if before is None:
            self._customer(after)
            after.setdefault("Reported Date", writing.now)
            if after["Reported Date"] is None:
                after["Reported Date"] = writing.now
        elif self._switches.status_model and was in _ENDED and _changes(writing):
            raise ArError("ended", str(before[form.key]))
        self._priority(form, after)
        if self._switches.assignment_rules:
            self._assignment(writing, after, status)
        labels = ("Status", "Status_Reason", "Resolution")
        if before is None or any(before.get(label) != after.get(label) for label in labels):
            self._status(form, after, status)
        if status != was:
            self._stamp(writing, after, was, status)
        if before is not None and before.get("Assigned Group") not in (None, after.get("Assigned Group")):
            after["Group Transfers"] = int(before.get("Group Transfers") or 0) + 1

    def _customer(self, after: Values) -> None:
        if not self._switches.customer_lookup:
            return
        wanted = {"First Name": after.get("First Name"), "Last Name": after.get("Last Name")}
        if login := after.get("Customer Login ID"):
            wanted["Remedy Login ID"] = login
        found = [p for p in self._store.rows("CTM:People") if all(p.get(label) == v for label, v in wanted.items())]
        if len(found) != 1:
            raise ArError("unknown_customer", f"{wanted['First Name']} {wanted['Last Name']} ({len(found)} found)")
        person = found[0]
        copied = ("Person ID", "Company", "Organization", "Department", "Site", "Region", "VIP", "Internet E-mail")
        for label in copied:
            if after.get(label) is None:
                after[label] = person.get(label)
        after["Customer Login ID"] = person.get("Remedy Login ID")

    def _priority(self, form: Form, after: Values) -> None:
        switches = self._switches
        if not switches.derive_priority:
            return
        impact, urgency = str(after.get("Impact")), str(after.get("Urgency"))
        weight = switches.impact_weights.get(impact, 0) + switches.urgency_weights.get(urgency, 0)
        ranges = sorted(switches.priority_from.items(), key=lambda item: -item[1])
        after["Priority"] = next((int(number) for number, least in ranges if weight >= least), None)
        if "Priority Weight" in form.fields:
            after["Priority Weight"] = weight

    def _assignment(self, writing: Writing, after: Values, status: str) -> None:
        before = writing.before
        if after.get("Assigned Group") is None and before is None and self._switches.default_group:
            after["Assigned Group"] = self._switches.default_group
        name, login, full = after.get("Assigned Group"), after.get("Assignee Login ID"), after.get("Assignee")
        labels = ("Assigned Group", "Assignee", "Assignee Login ID", "Assigned Support Organization", "Status")
        touched = before is None or any(before.get(label) != after.get(label) for label in labels)
        if not touched:
            return
        if name is None:
            after["Assigned Group ID"] = after["Assigned Support Organization"] = None
            if login is not None or full is not None:
                raise ArError("needs_group", "Assigned Group")
        else:
            group = self._group(after)
            after["Assigned Group ID"] = group["Support Group ID"]
            after["Assigned Support Organization"] = group.get("Support Organization")
            after["Assigned Support Company"] = group.get("Company")
            if login is not None or full is not None:
                self._assignee(after, group)
        if before is None and status == "New" and after.get("Assigned Group") is not None:
            after["Status"] = _number(writing.form, "Status", "Assigned")
        if status in ("Assigned", "In Progress", "Pending") and after.get("Assigned Group") is None:
            raise ArError("needs_group", status)
        if status in ("In Progress", "Pending", "Resolved") and after.get("Assignee Login ID") is None:
            raise ArError("needs_assignee", status)

    def _group(self, after: Values) -> Entry:
        wanted = {
            "Support Group Name": after.get("Assigned Group"),
            "Support Organization": after.get("Assigned Support Organization"),
            "Company": after.get("Assigned Support Company"),
        }
        enabled = _number(self._store.schema.forms["CTM:Support Group"], "Status", "Enabled")
        for group in self._store.rows("CTM:Support Group"):
            fits = all(v is None or group.get(label) == v for label, v in wanted.items())
            if fits and group.get("Status") == enabled:
                return group
        raise ArError("unknown_group", str(after.get("Assigned Group")))

    def _assignee(self, after: Values, group: Entry) -> None:
        login, full = after.get("Assignee Login ID"), after.get("Assignee")
        for member in self._store.rows("CTM:Support Group Association"):
            if member.get("Support Group ID") != group["Support Group ID"]:
                continue
            if member.get("Login ID") == login or (login is None and member.get("Full Name") == full):
                after["Assignee"], after["Assignee Login ID"] = member.get("Full Name"), member.get("Login ID")
                return
        if self._switches.assignee_outside_group == "reject":
            raise ArError("not_a_member", str(login or full))
        after["Assignee"] = after["Assignee Login ID"] = None

    def _status(self, form: Form, after: Values, status: str) -> None:
        demanded = self._switches.status_reasons
        reason = _label(form, "Status_Reason", after.get("Status_Reason"))
        if status in demanded:
            if not reason:
                raise ArError("needs_reason", status)
            if demanded[status] and reason not in demanded[status]:
                raise ArError("wrong_reason", f"{status}: {reason}")
        elif demanded and status != "Closed":
            after["Status_Reason"] = None
        if status == "Resolved" and self._switches.resolution_required and after.get("Resolution") is None:
            raise ArError("needs_resolution", status)

    def _stamp(self, writing: Writing, after: Values, was: str, status: str) -> None:
        now = writing.now
        if status in ("Resolved", "Closed") and (was != "Resolved" or after.get("Last Resolved Date") is None):
            after["Last Resolved Date"] = now
        if status in _ENDED:
            after["Closed Date"] = now
        if was == "Resolved" and status not in (*_ENDED, "Resolved"):
            after["Re-Opened Date"] = now
            after["Reopen Count"] = int(after.get("Reopen Count") or 0) + 1
        if status in ("In Progress", "Resolved") and after.get("Responded Date") is None:
            after["Responded Date"] = now

    # changes and configuration items

    def _change(self, writing: Writing, after: Values) -> None:
        form, before = writing.form, writing.before
        status = _label(form, "Change Request Status", after.get("Change Request Status"))
        was = _label(form, "Change Request Status", before.get("Change Request Status")) if before is not None else ""
        if self._switches.status_model and before is not None:
            if was in _ENDED and _changes(writing):
                raise ArError("ended", str(before[form.key]))
            if status != was and status not in _CHANGE_NEXT.get(was, ()):
                raise ArError("transition", f"{was} -> {status}")
        start, end = after.get("Scheduled Start Date"), after.get("Scheduled End Date")
        begun = status in ("Scheduled", "Implementation In Progress", "Completed")
        if (begun and (start is None or end is None)) or (start is not None and end is not None and start >= end):  # type: ignore[operator]
            raise ArError("needs_dates", status)
        if status == "Pending" and self._switches.status_reasons and after.get("Status Reason") is None:
            raise ArError("needs_reason", status)
        if status != was and status == "Completed":
            after["Completed Date"] = writing.now
        self._priority(form, after)

    def _instance(self, writing: Writing, after: Values) -> None:
        form = writing.form
        if writing.before is None:
            after["ClassId"] = form.name.removeprefix("BMC.CORE:").upper()
            after.setdefault("ReconciliationIdentity", "0")
            after.setdefault("MarkAsDeleted", _number(form, "MarkAsDeleted", "No"))
        for end in ("Source", "Destination"):
            label = f"{end}.InstanceId"
            if label not in form.fields:
                continue
            item = self._store.get("BMC.CORE:BMC_BaseElement", str(after.get(label)))
            if item is None:
                raise ArError("unknown_ci", f"{label}: {after.get(label)}")
            after[f"{end}.ClassId"] = item.get("ClassId")
            after[f"{end}.ReconciliationIdentity"] = item.get("ReconciliationIdentity")


def _changes(writing: Writing) -> bool:
    """Whether a stored field becomes another: a note alone may still be added."""
    before: Mapping[str, Value] = writing.before or {}
    fields = writing.form.fields
    return any(not fields[label].display and before.get(label) != v for label, v in writing.given.items())


def _label(form: Form, label: str, value: Value) -> str:
    enum = form.fields[label].enum
    return enum.labels.get(value, "") if enum is not None and isinstance(value, int) else ""


def _number(form: Form, label: str, word: str) -> int:
    enum = form.fields[label].enum
    if enum is None:
        raise KeyError(label)
    return enum.numbers[word]
