"""Who is calling: a bearer token, or the API key header. Never a name from a body or another header."""

from __future__ import annotations

from interlock.principals.authenticate import Authenticator
from interlock.principals.models import Agent, AnyPrincipal, Person
from interlock.records.problems import Problem, Slug

_HOW = "Send the header Authorization: Bearer <key>."


def principal(principals: Authenticator, authorization: str | None) -> AnyPrincipal:
    """The principal of an Authorization header. Raises unauthenticated."""
    if not authorization:
        raise Problem(Slug.UNAUTHENTICATED, "no key was sent", next_step=_HOW)
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(Slug.UNAUTHENTICATED, "the Authorization header is not a bearer key", next_step=_HOW)
    return principals.authenticate(token.strip())


def agent(principals: Authenticator, authorization: str | None) -> Agent:
    """The agent of a call; people and services do not call tools. Raises unauthenticated, refused."""
    found = principal(principals, authorization)
    if not isinstance(found, Agent):
        raise Problem(
            Slug.REFUSED, f"{found.id} is not an agent: only agents call tools", next_step="Use an agent's key."
        )
    return found


def person(principals: Authenticator, authorization: str | None) -> Person:
    """The person of a request. Raises unauthenticated, refused."""
    found = principal(principals, authorization)
    if not isinstance(found, Person):
        raise Problem(
            Slug.REFUSED, f"{found.id} is not a person: this is for people", next_step="Use a personal token."
        )
    return found
