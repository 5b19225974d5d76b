"""A mock ServiceNow instance: faithful on the wire, with switches for what differs and faults on demand.

``python -m mock_servers.servicenow`` serves one; in a test: ``async with MockServiceNow(store) as mock``.
Wire facts are from the public product documentation and from public clients' observations.
"""

from mock_servers.faults import Faults, Rule
from mock_servers.servicenow.server import MockServiceNow
from mock_servers.servicenow.settings import Client, Switches, User
from mock_servers.servicenow.store import Store

__all__ = ["Client", "Faults", "MockServiceNow", "Rule", "Store", "Switches", "User"]
