"""The ledger: append-only, tamper-evident, with payloads that can be forgotten.

``chain`` is the form of an entry, ``vault`` the form of a payload, ``heads`` the signed ends of the chain,
``store`` the ledger while a gateway runs, ``verify`` the check, ``read`` a look into it.
"""

from interlock.governance.ledger.chain import Entry
from interlock.governance.ledger.store import Counts, Ledger
from interlock.governance.ledger.vault import Payload
from interlock.governance.ledger.verify import Report, verify

__all__ = ["Counts", "Entry", "Ledger", "Payload", "Report", "verify"]
