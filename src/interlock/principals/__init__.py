"""Principals: who may act, how they prove it, what they may read.

``models`` says what an agent, a person and a service are, ``declaration`` reads an agent's YAML, ``store``
keeps principals and keys, ``authenticate`` answers who shows a token.
"""

from interlock.principals.authenticate import Authenticator
from interlock.principals.declaration import read_declaration
from interlock.principals.models import Agent, AnyPrincipal, Budgets, Person, Principal, Scope, Service
from interlock.principals.store import PrincipalStore
from interlock.principals.tables import Act, Issued, Key

__all__ = [
    "Act",
    "Agent",
    "AnyPrincipal",
    "Authenticator",
    "Budgets",
    "Issued",
    "Key",
    "Person",
    "Principal",
    "PrincipalStore",
    "Scope",
    "Service",
    "read_declaration",
]
