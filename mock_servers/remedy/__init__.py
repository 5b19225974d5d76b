"""A mock BMC AR System behind its mid-tier: SOAP as the product speaks it, with switches and faults on demand.

``python -m mock_servers.remedy`` serves one; in a test: ``async with MockRemedy(store) as mock``.
Shapes and names are those seen in public web service descriptions and vendor documents; what is common
knowledge only (field ids, most error numbers, weights of priorities) is data or a switch, never asserted.
"""

from mock_servers.faults import Faults, Rule
from mock_servers.remedy.server import MockRemedy
from mock_servers.remedy.services import customised_services, default_services
from mock_servers.remedy.settings import Switches, User
from mock_servers.remedy.store import Store

__all__ = [
    "Faults",
    "MockRemedy",
    "Rule",
    "Store",
    "Switches",
    "User",
    "customised_services",
    "default_services",
]
