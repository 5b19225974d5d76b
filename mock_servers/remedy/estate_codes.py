"""How Remedy says what the estate says: statuses, reasons, classes, relations.

Plain data, in the labels of the forms.
"""

from __future__ import annotations

from dataclasses import dataclass

IMPACT = {"high": "1-Extensive/Widespread", "medium": "2-Significant/Large", "low": "4-Minor/Localized"}
URGENCY = {"high": "2-High", "medium": "3-Medium", "low": "4-Low"}
PRIORITY = {"p1": "Critical", "p2": "High", "p3": "Medium", "p4": "Low", "p5": "Low"}
STATUS = {
    "new": "New",
    "in_progress": "In Progress",
    "on_hold": "Pending",
    "resolved": "Resolved",
    "closed": "Closed",
    "cancelled": "Cancelled",
}
HOLD = {
    "caller": "Client Action Required",
    "vendor": "Third Party Vendor Action Reqd",
    "change": "Infrastructure Change",
    "problem": "Pending Original Incident",
}
CLOSE = {
    "fixed": ("No Further Action Required", "Solution provided"),
    "workaround": ("Temporary Corrective Action", "Workaround provided"),
    "known_error": ("Future Enhancement", "Known error"),
    "duplicate": ("Resolved by Original Incident", "Duplicate"),
    "user_error": ("No Further Action Required", "User error"),
    "not_reproducible": ("Monitoring Incident", "Not reproducible"),
    "by_caller": ("Customer Follow-Up Required", "Resolved by caller"),
    "by_change": ("Infrastructure Change Created", "Resolved by change"),
    "by_problem": ("Future Enhancement", "Resolved by problem"),
}
"""Close code to the status reason, which is coarser, and the site's own resolution category."""
SOURCE = {
    "phone": "Phone",
    "email": "Email",
    "self_service": "Self Service",
    "chat": "Web",
    "monitoring": "Systems Management",
    "walk_in": "Walk In",
}
CHANGE_STATUS = {"new": "Draft", "scheduled": "Scheduled", "closed": "Closed"}
CHANGE_TIMING = {"normal": "Normal", "standard": "Standard", "emergency": "Emergency"}
CHANGE_RISK = {"low": "Risk Level 1", "moderate": "Risk Level 3", "high": "Risk Level 4"}
CHANGE_CLOSE = {"successful": "Successful"}
CHANGE_LEVEL = {"low": "low", "moderate": "medium", "high": "high"}
"""How far a change reaches, which the estate does not say, by its risk."""
LIFECYCLE = {
    "live": "Deployed",
    "ordered": "Ordered",
    "maintenance": "Down",
    "planned": "Being Assembled",
    "repair": "In Repair",
    "in_stock": "In Inventory",
    "retired": "End of Life",
    "stolen": "Disposed",
    "missing": "Transferred",
}
OPERATIONAL = {
    "operational": "Operational",
    "non_operational": "Non-Operational",
    "repair": "Repair",
    "standby": "Standby",
    "ready": "Ready",
    "retired": "Retired",
    "pipeline": "Pipeline",
    "catalog": "Catalog",
}
ENVIRONMENT = {
    "production": "Production",
    "staging": "Staging",
    "test": "Test",
    "development": "Development",
    "training": "Training",
    "recovery": "Disaster Recovery",
}
CRITICALITY = {"critical": "PRIORITY_1", "high": "PRIORITY_2", "medium": "PRIORITY_3", "low": "PRIORITY_4"}


@dataclass(frozen=True, slots=True)
class Class:
    """A form of CI as a class, with the primary capability of a computer system and the item of its category."""

    name: str
    item: str
    capability: str = ""


CLASSES: dict[str, Class] = {
    "data_centre": Class("BMC_PhysicalLocation", "Data Centre"),
    "rack": Class("BMC_Rack", "Rack"),
    "ups": Class("BMC_UPS", "UPS"),
    "esx_server": Class("BMC_ComputerSystem", "ESX Server", "Server"),
    "vmware_instance": Class("BMC_ComputerSystem", "Virtual Machine", "Virtual Machine"),
    "linux_server": Class("BMC_ComputerSystem", "Linux Server", "Server"),
    "windows_server": Class("BMC_ComputerSystem", "Windows Server", "Server"),
    "aix_server": Class("BMC_ComputerSystem", "AIX Server", "Server"),
    "solaris_server": Class("BMC_ComputerSystem", "Solaris Server", "Server"),
    "mainframe": Class("BMC_Mainframe", "Mainframe", "Mainframe"),
    "switch": Class("BMC_ComputerSystem", "Switch", "Switch"),
    "router": Class("BMC_ComputerSystem", "Router", "Router"),
    "access_point": Class("BMC_ComputerSystem", "Access Point", "Wireless Access Point"),
    "firewall": Class("BMC_ComputerSystem", "Firewall", "Firewall"),
    "load_balancer": Class("BMC_ComputerSystem", "Load Balancer", "Load Balancer"),
    "storage_array": Class("BMC_ComputerSystem", "Storage Array", "Storage"),
    "storage_volume": Class("BMC_DiskPartition", "Storage Volume"),
    "mssql_instance": Class("BMC_DataBase", "Microsoft SQL Server"),
    "oracle_instance": Class("BMC_DataBase", "Oracle"),
    "mysql_instance": Class("BMC_DataBase", "MySQL"),
    "postgresql_instance": Class("BMC_DataBase", "PostgreSQL"),
    "tomcat": Class("BMC_SoftwareServer", "Tomcat"),
    "weblogic": Class("BMC_SoftwareServer", "WebLogic"),
    "websphere": Class("BMC_SoftwareServer", "WebSphere"),
    "apache": Class("BMC_SoftwareServer", "Apache Web Server"),
    "iis": Class("BMC_SoftwareServer", "IIS Web Server"),
    "mail_server": Class("BMC_SoftwareServer", "Mail Server"),
    "application": Class("BMC_Application", "Application"),
    "cluster": Class("BMC_Cluster", "Server Cluster"),
    "kubernetes_cluster": Class("BMC_Cluster", "Kubernetes Cluster"),
    "container": Class("BMC_SoftwareServer", "Container"),
    "printer": Class("BMC_Printer", "Printer", "Printer"),
    "phone": Class("BMC_Equipment", "Phone"),
    "peripheral": Class("BMC_Equipment", "Peripheral"),
    "network_adapter": Class("BMC_NetworkPort", "Network Adapter"),
    "disk": Class("BMC_DiskDrive", "Disk"),
    "software": Class("BMC_Product", "Software"),
    "certificate": Class("BMC_Document", "Certificate"),
    "business_service": Class("BMC_BusinessService", "Business Service"),
    "technical_service": Class("BMC_BusinessService", "Technical Service"),
    "service_instance": Class("BMC_BusinessService", "Service Instance"),
    "service_offering": Class("BMC_ServiceOffering", "Service Offering"),
    "business_application": Class("BMC_Application", "Business Application"),
    "computer": Class("BMC_ComputerSystem", "Computer", "Desktop"),
}


@dataclass(frozen=True, slots=True)
class Link:
    """A relation as a class and a name. A source provides and a destination needs: ``turned`` says that the
    subject of our sentence is the destination."""

    name: str
    label: str
    turned: bool = False
    impact: bool = True


LINKS: dict[str, Link] = {
    "depends_on": Link("BMC_Dependency", "DEPENDENCY", turned=True),
    "runs_on": Link("BMC_HostedSystemComponents", "HOSTEDSYSTEMCOMPONENTS", turned=True),
    "hosted_on": Link("BMC_Dependency", "HOSTEDON", turned=True),
    "contains": Link("BMC_Component", "COMPONENT", impact=False),
    "member_of": Link("BMC_MemberOfCollection", "MEMBEROFCOLLECTION"),
    "connects_to": Link("BMC_Dependency", "NETWORKCONNECTION", turned=True),
    "uses": Link("BMC_Dependency", "USES", turned=True),
    "manages": Link("BMC_Dependency", "MANAGES", impact=False),
    "provides": Link("BMC_Dependency", "PROVIDES"),
    "powered_by": Link("BMC_Dependency", "POWERS", turned=True),
    "exchanges_data_with": Link("BMC_Dependency", "DATAEXCHANGE", impact=False),
}
