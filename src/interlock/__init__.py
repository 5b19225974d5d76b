"""Interlock: a gateway that lets AI agents use legacy ITSM and CMDB systems safely."""

__version__ = "0.1.0"
