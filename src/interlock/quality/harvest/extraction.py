"""The native values that fields are made of, taken out of a page's rows in one pass.

A page is some ten megabytes of small objects: whoever walks through it once for each column waits for memory
most of the time. So each row is visited once, by straight-line code that is generated for the mapping from its
checked names (through ``repr``, as in ``decodegen``). Rows of another form than expected are read value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from interlock.adapterkit.native import Native

MISSING = object()
_RETRIES = 2


@dataclass(frozen=True, slots=True)
class Value:
    """A column, and the name inside the object that stands there (None: the column itself)."""

    name: str
    leaf: str | None

    def of(self, row: Native) -> Any:
        """The value in one row; MISSING when there is none. What is no object counts as it is."""
        cell = row.get(self.name, MISSING)
        return cell.get(self.leaf, MISSING) if self.leaf is not None and cell.__class__ is dict else cell


class Page:
    """Rows of a page with the values that were taken out of them."""

    def __init__(self, rows: Sequence[Native], taken: dict[Value, list[Any]] | None) -> None:
        self.rows = rows
        self._taken = taken

    def usual(self, value: Value) -> list[Any] | None:
        """The values in all rows, each out of an object if it has a leaf; None when a row has another form."""
        return None if self._taken is None else self._taken[value]

    def values(self, value: Value) -> list[Any]:
        """The values in all rows; MISSING where there is none."""
        return [value.of(row) for row in self.rows] if self._taken is None else self._taken[value]


class Extraction:
    """Takes the same values out of every page of a mapping."""

    def __init__(self, values: Sequence[Value]) -> None:
        self._values = sorted(set(values), key=lambda each: (each.name, each.leaf or ""))
        self._names = list(dict.fromkeys(value.name for value in self._values))
        self._absent: set[str] = set()  # columns that some rows lacked
        self._take = self._compiled()

    def __call__(self, rows: Sequence[Native]) -> Page:
        for _ in range(_RETRIES):
            try:
                return Page(rows, dict(zip(self._values, self._take(rows), strict=True)))
            except KeyError:
                lacking = {name for name in self._names if any(name not in row for row in rows)}
                if lacking <= self._absent:
                    break
                self._absent |= lacking
                self._take = self._compiled()
            except (TypeError, IndexError, AttributeError):
                break
        return Page(rows, None)

    def _compiled(self) -> Callable[[Sequence[Native]], list[list[Any]]]:
        lines = ["def take(rows):", f"    out = [[] for _ in range({len(self._values)})]"]
        lines += [f"    a{at} = out[{at}].append" for at in range(len(self._values))]
        lines += ["    for row in rows:", "        pass"]
        for name in self._names:
            leaves = [(at, value.leaf) for at, value in enumerate(self._values) if value.name == name]
            lines += self._lines(name, leaves)
        lines.append("    return out")
        nothing = dict.fromkeys((value.leaf for value in self._values), MISSING)
        space: dict[str, Any] = {"M": MISSING, "N": nothing}
        exec(compile("\n".join(lines), "<extraction>", "exec"), space)  # noqa: S102 - made of checked names, see above
        made: Callable[[Sequence[Native]], list[list[Any]]] = space["take"]
        return made

    def _lines(self, name: str, leaves: Sequence[tuple[int, str | None]]) -> list[str]:
        bare = leaves[0][1] is None
        cell = f"row.get({name!r}, {'M' if bare else 'N'})" if name in self._absent else f"row[{name!r}]"
        if bare:
            return [f"        a{at}({cell})" for at, _ in leaves]
        if len(leaves) == 1:
            return [f"        a{leaves[0][0]}({cell}[{leaves[0][1]!r}])"]
        return [f"        c = {cell}", *(f"        a{at}(c[{leaf!r}])" for at, leaf in leaves)]
