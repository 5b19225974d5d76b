"""The documents are true of the code: what there is is documented, and what is documented is there."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from tests.docs.pages import PAGES, ROOT, blocks, prose, slug, tables, text, words

from interlock.adapterkit import manifest, mappingspec
from interlock.config import model
from interlock.governance.ledger.chain import KINDS
from interlock.principals.declaration import AgentDeclaration
from interlock.principals.models import ROLES, Stage
from interlock.quality import profile
from interlock.quality.judge import Standing
from interlock.quality.rowlevel import shipped
from interlock.records.fields import OPERATORS
from interlock.records.problems import STATUS
from interlock.state.journal import ENDS, TRANSITIONS
from interlock.telemetry import Metrics
from interlock.tools.catalogue import TOOL_SETS, TOOLS

PAGE = pytest.mark.parametrize("page", PAGES, ids=str)


@PAGE
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (ROOT / page).parent / name if name else ROOT / page
        assert there.exists(), f"{page} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [slug(heading) for heading in headings], f"{page} links to {target}"


@PAGE
def test_files_that_are_named_are_there(page: Path) -> None:
    for name in words(prose(page)):
        path = name.partition("::")[0].rstrip("/")
        if re.match(r"(src|docs|tests|adapters|contracts|mock_servers|benchmarks|\.ci)/[\w./*-]+$", path):
            assert list(ROOT.glob(path)), f"{page} names {name}"


def test_proofs_are_tests_that_exist() -> None:
    proofs = [proof for rows in tables("docs/missing.md").values() for row in rows[1:] for proof in words(row[2])]
    assert len(proofs) > 30
    for proof in proofs:
        file, *names = proof.split("::")
        body: Any = ast.parse(text(file)).body
        for name in names:
            node = next((entry for entry in body if getattr(entry, "name", None) == name), None)
            assert node is not None, f"{proof}: {name} is not there"
            body = node.body


def test_every_tool_and_set_is_documented() -> None:
    rows = tables("docs/agents.md")["The tools"][1:]
    assert [words(row[0])[0] for row in rows] == [tool.name for tool in TOOLS]
    declared = next(row for row in tables("docs/operators.md")["Principals and keys"] if row[0] == "`tools`")
    general = {tool.name for tool in TOOLS if tool.general}
    assert set(words(declared[1])) == {*TOOL_SETS, *general}


def test_every_error_is_documented_with_its_status() -> None:
    rows = tables("docs/agents.md")["Errors"][1:]
    assert {words(row[0])[0]: int(row[1]) for row in rows} == {str(slug): status for slug, status in STATUS.items()}


def test_every_operator_and_standing_is_documented() -> None:
    line = next(line for line in text("docs/agents.md").splitlines() if line.startswith("Operators:"))
    told = {word for word in words(line) if word.isidentifier()}
    assert told == {operator for operators in OPERATORS.values() for operator in operators}
    rows = tables("docs/agents.md")["Answers"][1:]
    assert [words(row[0])[0] for row in rows] == list(get_args(Standing))


def test_every_outcome_of_a_receipt_is_documented() -> None:
    documented = {words(row[0])[0] for row in tables("docs/agents.md")["Writing"][1:]}
    assert documented == {*ENDS, "unknown", "held"}


def test_every_check_is_documented() -> None:
    rows = tables("docs/checks.md")["Checks"][1:]
    assert {re.findall(r"\[([A-Z-]+)\]", row[0])[0] for row in rows} == set(shipped().checks)


def test_every_metric_is_documented_with_its_labels() -> None:
    registry = CollectorRegistry()
    kept = Metrics(registry)
    names = {}
    for metric in vars(kept).values():
        if metric is registry:
            continue
        suffix = "_total" if metric._type == "counter" else ""
        names[metric._name + suffix] = ", ".join(metric._labelnames)
    rows = tables("docs/operators.md")["Metrics, logs, health"][1:]
    assert {words(row[0])[0]: row[1] for row in rows} == names


SETTINGS: dict[str, type[BaseModel]] = {
    "The file": model.Config,
    "listen": model.Listen,
    "sources.NAME": model.SourceConfig,
    "sources.NAME.auth": model.Auth,
    "sources.NAME.auth.basic": model.Basic,
    "sources.NAME.auth.oauth2": model.OAuth2,
    "sources.NAME.auth.api_key": model.ApiKey,
    "sources.NAME.auth.bearer": model.Bearer,
    "sources.NAME.limits": model.Limits,
    "sources.NAME.cache": model.Cache,
    "sources.NAME.schedule": model.SourceSchedule,
    "schedule": model.Schedule,
    "storage": model.Storage,
    "webhooks": model.Webhook,
    "sources.NAME.harvest": model.Harvest,
    "quality": model.Quality,
    "search": model.SearchConfig,
    "ledger": model.LedgerConfig,
}


def test_every_section_of_the_configuration_is_documented() -> None:
    sections = {each for each in vars(model).values() if isinstance(each, type) and issubclass(each, model.Section)}
    assert set(SETTINGS.values()) == sections - {model.Section}


@pytest.mark.parametrize("heading", SETTINGS)
def test_every_setting_is_documented_with_its_default(heading: str) -> None:
    rows = tables("docs/configuration.md")[heading][1:]
    fields = SETTINGS[heading].model_fields
    assert [words(row[0])[0] for row in rows] == list(fields)
    for row in rows:
        assert row[1] == _default(fields[words(row[0])[0]].default), row[0]
        assert row[2]


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "*required*"
    if value is None:
        return "*none*"
    if isinstance(value, BaseModel | dict | tuple) or value == "":
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, int | float) else f"`{value}`"


def test_every_part_of_a_declaration_is_documented() -> None:
    found = tables("docs/operators.md")
    rows = [row for row in found["Principals and keys"] if row[0] != "key"]
    names = [name for row in rows for name in words(row[0])]
    fields = list(AgentDeclaration.model_fields)
    assert sorted(names[: len(fields)]) == sorted(fields)
    assert set(names[len(fields) :]) - {"stage"} == set(get_args(Stage))
    for role in ROLES:
        assert f"`{role}`" in text("docs/operators.md")
    for limit, value in AgentDeclaration.model_fields["budgets"].default.model_dump().items():
        assert f"`{limit}` ({value})" in text("docs/operators.md")


def test_every_part_of_a_quality_profile_is_documented() -> None:
    documented: dict[str, set[str]] = {}
    for row in tables("docs/operators.md")["Quality profile"][1:]:
        documented.setdefault(words(row[0])[0], set()).update(words(row[1]))
    assert set(documented) == set(profile.Profile.model_fields)
    for name in profile.Profile.model_fields:
        section = profile.Profile.model_fields[name].annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            assert documented[name] == set(section.model_fields)
    by_source = next(row for row in tables("docs/operators.md")["Quality profile"] if row[1] == "`sources`")
    assert set(words(by_source[2])) == set(profile.IncidentOverride.model_fields)


PARTS: dict[str, type[BaseModel]] = {
    "transport": manifest.Transport,
    "limits": manifest.Limits,
    "capabilities": manifest.Capabilities,
    "wire": manifest.Wire,
    "query": manifest.QueryStyle,
    "paging": manifest.Paging,
}


def _keys(part: type[BaseModel]) -> set[str]:
    return {info.alias or name for name, info in part.model_fields.items()}


@pytest.mark.parametrize("name", PARTS)
def test_every_key_of_a_part_of_a_manifest_is_documented(name: str) -> None:
    assert {key for row in tables("docs/integrators.md")[name][1:] for key in words(row[0])} == _keys(PARTS[name])


def test_every_key_of_a_manifest_is_documented() -> None:
    found = tables("docs/integrators.md")
    rows = found["adapter.yaml, every key"][1:]
    assert {key for row in rows for key in words(row[0])} == _keys(manifest.Manifest)
    guide = prose("docs/integrators.md")
    inner = (manifest.ErrorRule, manifest.InstantWire, manifest.Leaf, manifest.Literals, manifest.Operator)
    for part in (
        *inner,
        manifest.Order,
        manifest.PageSize,
        manifest.CreateProbe,
        manifest.NoteProbe,
        manifest.UpdateProbe,
    ):
        for key in _keys(part):
            assert re.search(rf"`(probe\.\w+\.)?{key}`", guide), f"{part.__name__}.{key}"
    assert {key for row in found["write"][1:] for key in words(row[0])} == {
        *(_keys(manifest.Write) - {"probe"}),
        *(f"probe.{name}" for name in _keys(manifest.Probes)),
    }


def test_every_key_of_a_mapping_is_documented() -> None:
    found = tables("docs/mapping.md")
    assert {words(row[0])[0] for row in found["A mapping file"][1:]} == _keys(mappingspec.MappingPart)
    assert {words(row[0])[0] for row in found["Keys of a field"][1:]} == _keys(mappingspec.FieldPart)


def test_every_method_of_an_adapter_is_documented() -> None:
    from interlock.adapterkit.adapter import Adapter

    rows = tables("docs/integrators.md")["adapter.py, when data is not enough"][1:]
    methods = {name for name, value in vars(Adapter).items() if callable(value) and not name.startswith("_")}
    assert {name for row in rows for name in words(row[0])} == methods


def test_the_kinds_of_ledger_entries_are_documented() -> None:
    rows = tables("docs/operators.md")["The ledger"][1:]
    assert {kind for row in rows for kind in words(row[0])} == KINDS


def test_the_state_machine_is_the_one_of_the_journal() -> None:
    rows = tables("docs/architecture.md")["The journal of writes"][1:]
    drawn = {None if row[0] == "(none)" else row[0]: frozenset(row[1].split(", ")) for row in rows}
    assert drawn == TRANSITIONS


def test_the_floors_are_those_that_are_held() -> None:
    contract = tomllib.loads(text("pyproject.toml"))["tool"]["importlinter"]["contracts"][0]
    layers = [layer for layer in contract["layers"] if not layer.startswith("(")]
    held = [{name.strip().removeprefix("interlock.") for name in layer.split(":")} for layer in layers]
    rows = tables("docs/architecture.md")["Rooms and floors"][1:]
    drawn = [
        {Path(name).stem if name.endswith(".py") else name.rpartition("/")[2] for name in words(row[1])} for row in rows
    ]
    assert drawn == held
    assert [int(row[0]) for row in rows] == list(range(len(held) - 1, -1, -1))


def test_the_outsiders_check_is_the_one_of_the_ledger() -> None:
    from interlock.governance.ledger import chain

    script = next(block.body for block in blocks("docs/operators.md", "python") if block.name == "verify.py")
    documented = [line.strip() for line in script.splitlines() if line.strip()]
    assert all(line in (chain.__doc__ or "") for line in documented)
    assert len(documented) <= 20


def test_exporting_contracts_leaves_the_folders_own_page(tmp_path: Path) -> None:
    from interlock.tools.publishing import export

    (tmp_path / "README.md").write_text(text("contracts/README.md"))
    export(tmp_path, first=True)
    assert (tmp_path / "README.md").exists()
    listed = {words(row[0])[0] for row in tables("contracts/README.md")["Contracts"][1:]}
    for path in (ROOT / "contracts").rglob("*.json"):
        relative = path.relative_to(ROOT / "contracts")
        assert any(relative.match(pattern) for pattern in listed), relative
