"""From a mapping and a customer's WSDLs to an overlay that a person then reads and corrects. Nothing is called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from interlock.adapterkit.product import Product
from interlock.adapterkit.soap.customised import GROUPS, Found, Offer, called, elements, renamed, services_in, serving
from interlock.adapterkit.soap.declaration import SoapHabits
from interlock.adapterkit.soap.model import Node, Operation, Service
from interlock.adapterkit.soap.proposal import SoapProposal


def soap_proposals(product: Product, folder: Path, wsdls: Path) -> tuple[dict[str, str], list[str]]:
    """An overlay for each kind that differs, and what a person must decide where no service serves a kind.

    ``folder``: the adapter's; ``wsdls``: the customer's. Raises Problem: a WSDL is not understood.
    """
    habits = product.manifest.soap or SoapHabits()
    theirs = services_in(wsdls, habits.version)
    ours = services_in(folder / "wsdl", habits.version)
    found = {
        kind: Found(mapping.spec, mapping.spec.soap)
        for kind, mapping in product.mappings.items()
        if mapping.spec.soap is not None
    }
    owners = _owners(found, ours, theirs)
    for kind, each in found.items():
        _serve(each, ours, {name: service for name, service in theirs.items() if owners.get(name) == kind}, theirs)
    texts, remarks = {}, []
    for kind, each in found.items():
        if not {"get", "list"} & set(each.offers):
            remarks.append(
                f"please decide: no service in {wsdls} serves {kind}; save its WSDL there, or remove the kind "
                f"with mapping: {{{kind}: null}}"
            )
            continue
        text = SoapProposal(kind, each, product.documents[kind].data, found).text(f"{product.manifest.adapter}/{kind}")
        if text is not None:
            texts[kind] = text
    return texts, remarks


def _file(each: Found, role: str) -> str:
    return each.soap.operations()[role].wsdl or each.soap.wsdl


def _owners(
    found: Mapping[str, Found], ours: Mapping[str, Service], theirs: Mapping[str, Service]
) -> dict[str, str]:  # fmt: skip
    """Which kind a service is of: the one whose records it holds best. A service of a known name is known."""
    known = {_file(each, role): kind for kind, each in found.items() for role in each.soap.operations()}
    owners = {name: kind for name, kind in known.items() if name in theirs}
    for name, service in theirs.items():
        if name in owners:
            continue
        best = 0.0
        for kind, each in found.items():
            for role in set(each.soap.operations()) & set(GROUPS[0]):
                offer = _offer(each, role, ours, {name: service})
                if offer is not None and offer.score > best:
                    best, owners[name] = offer.score, kind
    return owners


def _offer(each: Found, role: str, ours: Mapping[str, Service], theirs: Mapping[str, Service]) -> Offer | None:
    labels = called(each.spec, each.soap, role)
    return serving(role, labels, _shipped(each, role, ours), theirs.values())


def _shipped(each: Found, role: str, ours: Mapping[str, Service]) -> Operation | None:
    service = ours.get(_file(each, role))
    return service.operations.get(each.soap.operations()[role].operation) if service is not None else None


def _serve(each: Found, ours: Mapping[str, Service], own: Mapping[str, Service], theirs: Mapping[str, Service]) -> None:
    for role, part in each.soap.operations().items():
        shipped = _shipped(each, role, ours)
        if shipped is not None:
            each.shipped[role] = shipped
        there = theirs.get(_file(each, role))
        if there is not None and part.operation in there.operations:
            each.offers[role] = Offer(there.file, there.operations[part.operation], 1.0)
            continue
        offer = _offer(each, role, ours, own)
        if offer is not None:
            each.offers[role] = offer
    for group in GROUPS:
        roles = [role for role in group if role in each.offers]
        labels: dict[str, set[str]] = {}
        nodes: dict[str, Node] = {}
        before: dict[str, Node] = {}
        for role in roles:
            for name, said in called(each.spec, each.soap, role).items():
                labels.setdefault(name, set()).update(said)
            for node in elements(each.offers[role].operation, role):
                nodes.setdefault(node.name, node)
            for node in elements(each.shipped[role], role) if role in each.shipped else ():
                before.setdefault(node.name, node)
        names = renamed(labels, before, nodes.values())
        for role in roles:
            each.names[role] = names
