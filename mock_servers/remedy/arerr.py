"""AR System's errors: a number, a text, and what was appended to it.

302 and 623 are seen in public clients and documents. The other numbers are common knowledge, not verified:
``Switches.codes`` replaces any of them. Those above 10000 are what a site's workflow says.
"""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[int, str]] = {
    "no_entry": (302, "Entry does not exist in database"),
    "bad_value": (306, "Value does not fall within the limits specified for the field"),
    "missing_required": (307, "Required field (without a default) not specified"),
    "null_required": (326, "Required field cannot be reset to a NULL value"),
    "no_write": (330, "You do not have write access to this field"),
    "no_form": (353, "You have no access to form"),
    "duplicate": (382, "The value(s) for this entry violate a unique index that has been defined for this form"),
    "no_user_name": (149, "A user name must be supplied in the control record"),
    "authentication": (623, "Authentication failed"),
    "cannot_connect": (90, "Cannot establish a network connection to the AR System server"),
    "timed_out": (92, "Timeout during database update -- the operation has been accepted by the server and will"
                      " usually complete successfully"),
    "busy": (93, "Timeout during data retrieval due to busy server -- retry the operation"),
    "sql": (552, "The SQL database operation failed"),
    "syntax": (1584, "Expected field, relational operator, value or parenthesis at this position in query line"),
    "bad_type": (1586, "Format or type of right side of relational operator is incompatible with the field"),
    "unknown_field": (1587, "Unknown field referenced in query line"),
    "web_service": (9130, "Error executing web service"),
    "session": (9201, "Session is invalid or has timed out. Please reload page to log in again"),
    "no_server": (9280, "Server not present in the configuration file"),
    "unknown_customer": (44801, "The customer was not found, or is not the only one of this name"),
    "unknown_group": (44802, "The support group is invalid or is not enabled"),
    "not_a_member": (44803, "The assignee is not a member of the support group or is not available"),
    "needs_group": (44804, "An assigned group is required for this status"),
    "needs_assignee": (44805, "An assignee is required for this status"),
    "needs_reason": (44806, "A status reason is required for this status"),
    "wrong_reason": (44807, "The status reason is not valid for this status"),
    "needs_resolution": (44808, "A resolution is required for this status"),
    "ended": (44809, "The record is closed or cancelled and can no longer be modified"),
    "transition": (44810, "The status cannot be changed to the one specified"),
    "needs_dates": (44811, "Scheduled start and end dates are required for this status, the start before the end"),
    "unknown_ci": (44812, "The configuration item was not found"),
}  # fmt: skip

GERMAN: Mapping[str, str] = {
    "no_entry": "Eintrag ist in der Datenbank nicht vorhanden",
    "missing_required": "Pflichtfeld (ohne Standardwert) nicht angegeben",
    "null_required": "Pflichtfeld kann nicht auf NULL zurückgesetzt werden",
    "authentication": "Authentifizierung fehlgeschlagen",
    "unknown_field": "Unbekanntes Feld in der Abfragezeile",
    "needs_reason": "Für diesen Status ist ein Statusgrund erforderlich",
}
"""A locale translates the text and never the number: nothing may match on the words."""


class ArError(Exception):
    """One error, by its name in ``TEXTS``, with what the server appends (a field, a value, a position)."""

    def __init__(self, name: str, appended: str = "") -> None:
        super().__init__(name, appended)
        self.name = name
        self.appended = appended

    def text(self, codes: Mapping[str, int], locale: str = "") -> str:
        """``ERROR (302): Entry does not exist in database; `` and what is appended."""
        number, words = TEXTS[self.name]
        if locale.lower().startswith("de"):
            words = GERMAN.get(self.name, words)
        return f"ERROR ({codes.get(self.name, number)}): {words}; {self.appended}"
