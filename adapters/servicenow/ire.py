"""CIs and relations are written through identification and reconciliation, never over the Table API.

Every write is rehearsed first (``/identifyreconcile/query``): a create that the instance identifies as a CI it
has is refused before anything is written, and an update goes out only where the instance identifies exactly
the CI that was asked for. Facts: c_IdentifyReconcileAPI, id-engine-error-messages, CI identification.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from interlock.adapterkit.native import Native, NativeWrite, Written
from interlock.adapterkit.outcome import rule_for
from interlock.adapterkit.rest import encoded, plain
from interlock.adapterkit.wire import Answer
from interlock.records.problems import Problem, Reached, Slug, invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .adapter import ServiceNowAdapter

DATA_SOURCE = "Interlock"
_SERIALS = "cmdb_serial_number"
_KEEP_CLASS = {"updateWithoutUpgrade": True, "updateWithoutDowngrade": True, "updateWithoutSwitch": True}
_FIRST, _SEEN = "first_discovered", "last_discovered"
_NEVER = {"value": "", "display_value": ""}
_NAMED = re.compile(r"\[([^\[\]]*)\]")
_SHOWN_KEYS = 5


@contextmanager
def nothing_sent() -> Iterator[None]:
    """What fails in here failed before the write: certainly nothing was written."""
    try:
        yield
    except Problem as problem:
        problem.reached = "no"
        raise


class CiWrites:
    """Creates, updates and relates CIs of one instance."""

    def __init__(self, adapter: ServiceNowAdapter) -> None:
        self._adapter = adapter
        self.data_source = str(adapter.settings.get("data_source") or DATA_SOURCE)
        if not re.fullmatch(r"[\w .:/()-]{1,40}", self.data_source):
            raise invalid(
                "data_source", self.data_source, "is no name of a data source", "Use letters, digits, blanks."
            )
        self._rules: dict[str, tuple[Mapping[str, Any], ...]] = {}

    # --- reading -----------------------------------------------------------------------------------

    def shown(self, row: Native) -> Native:
        """A CI that only we have reported was never seen by discovery, whatever its time of discovery says:
        the instance stamps a new CI with the time of its creation."""
        if plain(row.get("discovery_source")) != self.data_source:
            return row
        first, last = plain(row.get(_FIRST)), plain(row.get(_SEEN))
        if not last or first != last:
            return row
        return {**row, _FIRST: _NEVER, _SEEN: _NEVER}

    def _sightings(self, now: Mapping[str, Any]) -> dict[str, str]:
        """Times of discovery for a payload, so that our edit does not look like a sighting.

        Without one the engine would write its own time. It leaves a later time alone, so the CI's own is sent;
        where it has none, one time for both says that nobody saw it (see ``shown``).
        """
        if now.get(_SEEN):
            return {_SEEN: str(now[_SEEN])}
        moment = datetime.fromtimestamp(self._adapter.clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%S")
        once = str(now.get(_FIRST) or moment)
        return {_FIRST: once, _SEEN: once}

    async def find_created(self, correlation: str) -> list[Native]:
        """The CI that the instance knows by our key (sys_object_source: source_name, source_native_key)."""
        adapter = self._adapter
        query = f"id={correlation}^name={self.data_source}^ORDERBYsys_id"
        rows = await adapter.list_rows("sys_object_source", query, ("name", "id", "target_sys_id"), 10)
        found: list[Native] = []
        columns = adapter.product.mappings["ci"].columns(None)
        for row in rows:
            if (row.get("name"), row.get("id")) != (self.data_source, correlation):
                continue  # found without regard to case, or by a condition that was dropped
            try:
                found.append(await adapter.read("ci", str(row.get("target_sys_id")), columns, by_handle=True))
            except Problem as problem:
                if problem.slug is not Slug.NOT_FOUND:
                    raise
        return found

    # --- CIs ---------------------------------------------------------------------------------------

    async def write(self, write: NativeWrite) -> Written:
        return await (self._create(write) if write.op == "create" else self._update(write))

    async def _create(self, write: NativeWrite) -> Written:
        values = dict(write.payload)
        table = str(values.pop("sys_class_name", "") or "")
        with nothing_sent():
            if not table:
                raise invalid("cls", None, "is needed to add a CI", "Say which class it is of.")
            values |= self._sightings({})
            item = {"className": table, "internal_id": "ci", "values": values}
            if write.correlation:
                info = {"source_name": self.data_source, "source_native_key": write.correlation}
                item["sys_object_source_info"] = info
            serial = values.get("serial_number")
            if serial and any(entry.get("table") == _SERIALS for entry in await self._identifiers(table)):
                known = {"serial_number": serial, "serial_number_type": "system", "valid": "true", "absent": "false"}
                item["lookup"] = [{"className": _SERIALS, "internal_id": "serial", "values": known}]
            told = (await self._send({"items": [item]}, "/query"))["items"][0]
            if told.get("operation") != "INSERT":
                raise self._already(told, "no")
        told = (await self._send({"items": [item]}, "", write.not_after))["items"][0]
        if told.get("operation") != "INSERT":
            # It came into being after the rehearsal; what we sent was written over it.
            raise self._already(told, "yes")
        return Written(self._sys_id(told))

    async def _update(self, write: NativeWrite) -> Written:
        handle = write.handle or ""
        with nothing_sent():
            now = await self._current(handle)
            table = str(now["sys_class_name"])
            own = {**write.payload, **self._sightings(now)}
            if "attested_date" in own:
                # The person who decided is in our ledger; the one who attested before did not say this.
                own |= {"attested": "true" if own["attested_date"] else "false", "attested_by": ""}
            by_id = {"sys_id": handle, **own}
            by_rule = {**{name: now[name] for name in await self._keys(table) if now.get(name)}, **own}
            found: set[str] = set()
            for values in (by_id, by_rule):  # instances differ in whether they look at a sys_id
                item = {"className": table, "internal_id": "ci", "values": values, "settings": _KEEP_CLASS}
                try:
                    told = (await self._send({"items": [item]}, "/query"))["items"][0]
                except Problem as problem:
                    if values is by_rule or problem.native_code != "MISSING_MATCHING_ATTRIBUTES":
                        raise
                    continue
                if told.get("sysId") == handle and told.get("operation") in ("UPDATE", "NO_CHANGE"):
                    break
                found.add(str(told.get("sysId")))
            else:
                raise self._other(handle, found)
        told = (await self._send({"items": [item]}, "", write.not_after))["items"][0]
        if told.get("sysId") != handle:
            raise self._adapter.odd("the CI that was to be changed")
        return Written(handle)

    async def _current(self, handle: str) -> dict[str, Any]:
        """Class, identity and last discovery of a CI, as they are. Raises not-found."""
        adapter = self._adapter
        columns = ("sys_class_name", _FIRST, _SEEN, "name", "serial_number", "ip_address", "mac_address")
        params = {"sysparm_fields": ",".join(columns), "sysparm_exclude_reference_link": "true"}
        row = adapter.row(await adapter.fetch(adapter.path("ci", handle), encoded(params)))
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,79}", str(row.get("sys_class_name") or "")):
            raise adapter.unsupported("changes of a CI whose class our account may not read,")
        return dict(row)

    async def _keys(self, table: str) -> list[str]:
        """Columns of the CI itself by which its class is identified."""
        entries = [entry for entry in await self._identifiers(table) if not entry.get("referenced_field")]
        return list(dict.fromkeys(name for entry in entries for name in str(entry.get("attributes", "")).split(",")))

    async def _identifiers(self, table: str) -> tuple[Mapping[str, Any], ...]:
        """Identifier entries of a class, from the CMDB Meta API; none where our account may not ask it."""
        known = self._rules.get(table)
        if known is None:
            try:
                found = await self._adapter.fetch(f"{self._adapter.root}/cmdb/meta/{table}")
            except Problem as problem:
                if problem.retryable:
                    raise
                found = {}
            result = found.get("result") if isinstance(found, Mapping) else None
            rules = result.get("identification_rules") if isinstance(result, Mapping) else None
            entries = rules.get("identifiers") if isinstance(rules, Mapping) else None
            known = tuple(each for each in entries or () if isinstance(each, Mapping))
            self._rules[table] = known
        return known

    # --- relations ---------------------------------------------------------------------------------

    async def relate(self, write: NativeWrite) -> Written:
        """Add one relation between two CIs that are there."""
        kind, parent, child = (str(write.payload.get(name) or "") for name in ("type.name", "parent", "child"))
        with nothing_sent():
            if (known := await self._relation(kind, parent, child)) is not None:
                raise self._exists("relationship", known, "the two CIs are related like this already", "no")
            items = []
            for name, handle in (("parent", parent), ("child", child)):
                now = await self._current(handle)
                values = {"sys_id": handle, **self._sightings(now)}
                keys = {each: now[each] for each in await self._keys(str(now["sys_class_name"])) if now.get(each)}
                item = {"className": now["sys_class_name"], "internal_id": name, "settings": _KEEP_CLASS}
                items.append({**item, "values": {**keys, **values}})
            relation = {"parent_id": "parent", "child_id": "child", "type": kind}
            payload = {"items": items, "relations": [relation]}
            told = await self._send(payload, "/query")
            found = [each.get("sysId") for each in told["items"]]
            if found != [parent, child]:
                raise self._other(f"{parent}, {child}", {str(each) for each in found} - {parent, child})
        await self._send(payload, "", write.not_after)
        made = await self._relation(kind, parent, child)
        if made is None:
            raise self._adapter.odd("a relation that can be seen")
        return Written(made)

    async def _relation(self, kind: str, parent: str, child: str) -> str | None:
        """The handle of a relation between these two, if there is one."""
        for handle in (parent, child):
            self._adapter.path("ci", handle)  # it enters a query: refuse what is none
        query = f"parent={parent}^child={child}^ORDERBYsys_id"
        rows = await self._adapter.list_rows("cmdb_rel_ci", query, ("sys_id", "parent", "child", "type.name"), 100)
        for row in rows:
            if (row.get("parent"), row.get("child"), row.get("type.name")) == (parent, child, kind):
                return str(row["sys_id"])
        return None

    # --- the engine --------------------------------------------------------------------------------

    async def _send(self, payload: dict[str, Any], address: str, not_after: float | None = None) -> dict[str, Any]:
        """One payload to the engine; its result, or the Problem of the first item that failed.

        HTTP says 200 although items fail. The plain address is used: the enhanced one would keep what could
        not be written, and might write it months later.
        """
        adapter = self._adapter
        answer = await adapter.session.request(
            "POST",
            f"{adapter.root}/identifyreconcile{address}",
            params=encoded({"sysparm_data_source": self.data_source}),
            json=payload,
            not_after=not_after,
        )
        found = adapter.parsed(answer)
        result = found.get("result") if isinstance(found, Mapping) else None
        items = result.get("items") if isinstance(result, Mapping) else None
        relations = (result.get("relations") if isinstance(result, Mapping) else None) or []
        if not isinstance(items, list) or len(items) != len(payload["items"]):
            raise adapter.odd("a result for each item")
        errors = [
            (str(error.get("error") or ""), str(error.get("message") or ""))
            for each in (*items, *relations)
            for error in each.get("errors") or ([{}] if each.get("errorCount") else [])
        ]
        if errors:
            raise self._failed(errors)
        return {"items": items, "relations": relations}

    def _failed(self, errors: Sequence[tuple[str, str]]) -> Problem:
        """The problem of what the engine says; ABANDONED only says that something else failed."""
        code, message = next((each for each in errors if each[0] != "ABANDONED"), errors[0])
        rule = rule_for(self._adapter.manifest.errors, Answer(200, {}, b"", 0.0), code, message)
        named = [name.strip() for found in _NAMED.findall(message) for name in found.split(",")]
        fields = [field for name in named if (field := self._field(name))]
        asks = code in ("REQUIRED_ATTRIBUTE_EMPTY", "MISSING_MATCHING_ATTRIBUTES")
        step = rule.next_step if rule else None
        if asks and fields:
            step = f"Also give: {', '.join(fields)}."
        return Problem(
            rule.type if rule else Slug.SOURCE_REJECTED,
            f"identification and reconciliation refuse it: {message or code}",
            field=fields[0] if asks and fields else None,
            next_step=step or "The message of the source says what it does not take.",
            retryable=rule.retryable if rule else None,
            layer="source",
            native_code=code or None,
            native_message=message[:500] or None,
            reached=(rule.reached if rule else None) or "yes",
        )

    def _field(self, column: str) -> str | None:
        """The canonical field of a column of a CI."""
        for name, spec in self._adapter.spec("ci").fields.items():
            place = spec.create or spec.write
            if place is not None and place.column == column:
                return name
        return None

    def _sys_id(self, told: Mapping[str, Any]) -> str:
        found = told.get("sysId")
        if not isinstance(found, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", found) or found == "Unknown":
            raise self._adapter.odd("the CI that was made")
        return found

    def _already(self, told: Mapping[str, Any], reached: Reached) -> Problem:
        attempts = [each for each in told.get("identificationAttempts") or () if each.get("attemptResult") == "MATCHED"]
        by = ", ".join(str(name) for each in attempts for name in each.get("attributes") or ())
        detail = f"the instance identifies a CI that it has{f' by {by}' if by else ''}, so no CI was added"
        if reached == "yes":
            detail += "; that CI came into being meanwhile, and the values were written over it"
        return self._exists("ci", self._sys_id(told), detail, reached)

    def _exists(self, kind: str, handle: str, detail: str, reached: Reached) -> Problem:
        ref = self._adapter.ref(kind, handle)
        return Problem(
            Slug.SOURCE_REJECTED,
            f"{detail}: {ref}",
            next_step="Read the record that is there; change it, if that is what you want.",
            layer="source",
            native_code="ALREADY_THERE",
            reached=reached,
            more={"existing": ref},
        )

    def _other(self, handle: str, found: set[str]) -> Problem:
        others = sorted(each for each in found if each not in ("Unknown", "None"))[:_SHOWN_KEYS]
        what = (
            f"it identifies {', '.join(self._adapter.ref('ci', each) for each in others)}" if others else "it does not"
        )
        return Problem(
            Slug.SOURCE_REJECTED,
            f"the instance must identify exactly {handle} for this change, but {what}; nothing was written",
            next_step="Have the CMDB's owner look at the CI's name, serial number and duplicates.",
            layer="source",
            native_code="IDENTIFIED_ANOTHER",
            reached="no",
        )
