"""A ledger's export without what two products must tell differently, by the rules of ``ledger_mask.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

RULES = yaml.safe_load(Path(__file__).with_name("ledger_mask.yaml").read_text(encoding="utf-8"))
_REF = re.compile(r"[a-z][a-z0-9_]*:(incident|ci|person|group|relationship):.+")


class Mask:
    """Masks one export. A ref is told by its kind and by when it appeared first, so that equal stays equal."""

    def __init__(self) -> None:
        self._rules = [(each["at"].split("/"), f"<{each['as']}>") for each in RULES["mask"]]
        self._seen: dict[str, str] = {}
        self._count: dict[str, int] = {}

    def entries(self, found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Entries of agents' calls, masked."""
        return [self._value(entry, ()) for entry in found if entry["kind"] in ("call", "intent", "settle")]

    def _value(self, value: Any, path: tuple[str, ...]) -> Any:
        if value is not None and path:
            for at, said in self._rules:
                if _fits(at, path):
                    return said
        if isinstance(value, dict):
            return {name: self._value(value[name], (*path, name)) for name in sorted(value)}
        if isinstance(value, list):
            return [self._value(each, (*path, str(n))) for n, each in enumerate(value)]
        return self._refs(value) if isinstance(value, str) else value

    def _refs(self, text: str) -> str:
        whole = _REF.fullmatch(text)
        return self._name(text, whole.group(1)) if whole else text

    def _name(self, ref: str, kind: str) -> str:
        if ref not in self._seen:
            self._count[kind] = self._count.get(kind, 0) + 1
            self._seen[ref] = f"<{kind} {self._count[kind]}>"
        return self._seen[ref]


def _fits(at: list[str], path: tuple[str, ...]) -> bool:
    return len(at) == len(path) and all(a in ("*", p) for a, p in zip(at, path, strict=True))
