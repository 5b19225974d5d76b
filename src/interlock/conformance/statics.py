"""Rules about the folder itself: nothing is called."""

from __future__ import annotations

import ast
import re

from interlock.conformance.bench import Bench
from interlock.conformance.declaration import FILE
from interlock.conformance.rules import Book, DoesNotApply, Failed
from interlock.records.fields import OPERATORS

BOOK = Book()
_KNOWN = {"adapter.yaml", FILE, "README.md", "mapping", "wsdl", "golden", "recordings", "__pycache__", "__init__.py"}
_ALLOWED = ("interlock.records", "interlock.adapterkit")
_MOST_LINES = 700


@BOOK.rule("STATIC-FOLDER", "reads", needs="folder")
async def folder(bench: Bench) -> str | None:
    """The folder holds a manifest of its own name, mappings, and nothing that nobody reads.

    To do: Call the folder as adapter.yaml's `adapter` says, put kinds into mapping/, and take other files away.
    """
    manifest = bench.compiled.manifest
    if manifest.adapter != bench.folder.name:
        raise Failed(f"the folder is called {bench.folder.name}, its manifest says {manifest.adapter}")
    odd = sorted(
        entry.name
        for entry in bench.folder.iterdir()
        if entry.name not in _KNOWN and entry.suffix != ".py" and not entry.name.startswith(".")
    )
    if odd:
        raise Failed(f"nothing reads {', '.join(odd)}")
    return f"{len(bench.compiled.mappings)} kinds: {', '.join(sorted(bench.compiled.mappings))}"


@BOOK.rule("STATIC-README", "reads", needs="folder")
async def readme(bench: Bench) -> str | None:
    """README.md tells an operator how to set the source up, which rights the account needs, and the product's traps.

    To do: Write README.md with an example of a source (`adapter: NAME`), the account's rights, and what is not offered.
    """
    path = bench.folder / "README.md"
    text = path.read_text("utf-8") if path.is_file() else ""
    name = bench.compiled.manifest.adapter
    if not text:
        raise Failed("there is no README.md")
    if f"adapter: {name}" not in text:
        raise Failed(f"README.md shows no source with adapter: {name}")
    if len(text.split()) < 80:
        raise Failed("README.md has hardly anything to say")
    return None


@BOOK.rule("STATIC-IMPORTS", "reads", needs="folder")
async def imports(bench: Bench) -> str | None:
    """The adapter's code imports the records and the adapter kit of Interlock, and nothing else of it.

    To do: Use what interlock.adapterkit offers; ask for what is missing there instead of reaching past it.
    """
    files = sorted(bench.folder.glob("*.py"))
    if not files:
        raise DoesNotApply("the adapter is all data")
    for file in files:
        text = file.read_text("utf-8")
        for node in (each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.Import | ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names.append(node.module or "")
            for name in names:
                if name.split(".")[0] == "interlock" and not name.startswith(_ALLOWED):
                    raise Failed(f"{file.name} line {node.lineno} imports {name}")
        if len(text.splitlines()) > _MOST_LINES:
            raise Failed(f"{file.name} has more than {_MOST_LINES} lines: is that still only what data cannot say?")
    return None


@BOOK.rule("STATIC-VERSION", "reads", needs="folder", per_kind=True)
async def version(bench: Bench, kind: str) -> str | None:
    """A kind that is written has a version, where the manifest says that versions are known by a field.

    To do: Map `version` to a column that changes with every update, or leave capabilities.version out.
    """
    capabilities = bench.compiled.manifest.capabilities
    if capabilities.version != "field" or "update" not in capabilities.writes.get(kind, ()):
        raise DoesNotApply("nothing of this kind is updated by a version field")
    if any(part.version is None for part in bench.parts(kind)):
        raise Failed("updates are declared, but version is not mapped")
    return None


@BOOK.rule("STATIC-WRITES", "reads", needs="folder", per_kind=True)
async def writes(bench: Bench, kind: str) -> str | None:
    """Every declared write has fields to write and a probe by which a lost one is found again.

    To do: Map fields with create or write, and declare write.probe for each operation; else take the operation out.
    """
    manifest, mapping = bench.compiled.manifest, bench.mapping(kind)
    declared = manifest.capabilities.writes.get(kind, ())
    if not declared:
        raise DoesNotApply("no write of this kind is declared")
    uses = mapping.fields.values()
    probes = manifest.write.probe
    if "create" in declared and not any(use.creatable or use.writable for use in uses):
        raise Failed("create is declared, but no field can be written")
    if "update" in declared and not any(use.writable for use in uses):
        raise Failed("update is declared, but no field of an existing record can be written")
    if "note" in declared and not mapping.spec.notes:
        raise Failed("note is declared, but no notes are mapped")
    held = mapping.fields.get(probes.create.field) if probes.create is not None else None
    if "create" in declared and held is not None and not held.readable:
        raise Failed(f"{held.name} holds our key, but cannot be read")
    for op in declared:
        if op in ("create", "note") and getattr(probes, op) is None:
            raise Failed(f"{op} is declared without write.probe.{op}: a lost one would never be found")
    return f"{', '.join(declared)}"


@BOOK.rule("STATIC-SETTLE", "reads", needs="folder")
async def settle(bench: Bench) -> str | None:
    """A lost write is waited for at least as long as a call may take.

    To do: Set write.settle_s to the product's longest processing time plus its search lag, and at
    least transport.timeout_s.
    """
    manifest = bench.compiled.manifest
    if not manifest.capabilities.writes:
        raise DoesNotApply("nothing is written")
    if manifest.write.settle_s < manifest.transport.timeout_s:
        raise Failed(f"settle_s is {manifest.write.settle_s:g}, a call may take {manifest.transport.timeout_s:g} s")
    return f"{manifest.write.settle_s:g} s"


@BOOK.rule("STATIC-HARVEST", "reads", needs="folder")
async def harvest(bench: Bench) -> str | None:
    """The field by which changes are found is an instant that can be read.

    To do: Name a mapped instant under capabilities.harvest.
    """
    name = bench.compiled.manifest.capabilities.harvest
    if name is None:
        raise DoesNotApply("changes cannot be found by a field")
    able = [kind for kind in bench.kinds() if name in bench.mapping(kind).fields]
    if not able:
        raise Failed(f"no kind maps {name}")
    for kind in able:
        use = bench.mapping(kind).fields[name]
        if use.type != "instant" or not use.readable:
            raise Failed(f"{name} of {kind} is a {use.type}{'' if use.readable else ' that cannot be read'}")
    return f"{name} of {', '.join(able)}"


@BOOK.rule("STATIC-OPERATORS", "reads", needs="folder")
async def operators(bench: Bench) -> str | None:
    """Only operators of the contract are declared, and one that may find more than asked says so.

    To do: Declare `loose` for every operator that compares without case or with wildcards; spell operators as
    docs/agents.md does.
    """
    query = bench.compiled.manifest.query
    if query.style == "rows":
        raise DoesNotApply("the source is not asked; every row is checked here")
    known = {op for offered in OPERATORS.values() for op in offered} | {"ends"}
    odd = sorted(set(query.operators) - known)
    if odd:
        raise Failed(f"no operator of the contract: {', '.join(odd)}")
    for name, operator in query.operators.items():
        if operator.any or operator.all:
            asked = operator.any or operator.all
            if asked not in query.operators:
                raise Failed(f"{name} is asked by {asked}, which is not declared")
    return ", ".join(sorted(query.operators))


@BOOK.rule("STATIC-SECRETS", "reads", needs="folder")
async def secrets(bench: Bench) -> str | None:
    """No file of the folder holds what looks like a credential.

    To do: Take it out, and change it where it is valid: it must be taken for known.
    """
    pattern = re.compile(
        r"(?i)(?:password|passwd|secret|token|api[_-]?key)\s*[:=]\s*[\"']?(?!env:|file:|\{)([A-Za-z0-9+/_-]{12,})"
    )
    for path in sorted(bench.folder.rglob("*")):
        if path.suffix not in (".yaml", ".py", ".json", ".md") or path.name == FILE:
            continue
        found = pattern.search(path.read_text("utf-8", "replace"))
        if found:
            raise Failed(f"{path.relative_to(bench.folder)} holds {found[0].split(found[1])[0].strip()} ...")
    return None
