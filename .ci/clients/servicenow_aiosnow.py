"""aiosnow, unchanged, against the mock: ``python servicenow_aiosnow.py URL`` in an environment of its own.

Prints ``N passed, 0 failed`` and exits 1 when anything failed.
"""

# ruff: noqa: PT017, S107, T201 -- the accounts of a mock; a script that prints
from __future__ import annotations

import asyncio
import sys
import traceback
import warnings
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

warnings.filterwarnings("ignore")  # the library is older than what it stands on

import aiosnow  # noqa: E402
from aiosnow.exceptions import NoItems, RequestError, TooManyItems  # noqa: E402
from aiosnow.models.table.declared import IncidentModel, JournalModel  # noqa: E402

URL = urlsplit(sys.argv[1])


def client(password: str = "admin") -> aiosnow.Client:
    return aiosnow.Client(URL.netloc, basic_auth=("admin", password), use_ssl=URL.scheme == "https")


def incidents(password: str = "admin") -> IncidentModel:
    return IncidentModel(client(password), table_name="incident")


async def make(model: IncidentModel, text: str) -> dict[str, object]:
    response = await model.create({"short_description": text, "impact": 1, "urgency": 2})
    return dict(response.data)


async def create_answers_the_record_after_the_rules() -> None:
    async with incidents() as model:
        record = await make(model, "made by aiosnow")
        assert str(record["number"]).startswith("INC"), record
        assert (record["priority"].key, record["priority"].value) == (2, "2 - High"), record["priority"]
        assert record["active"] is True
        assert record["sys_mod_count"] == 0


async def get_one_by_condition() -> None:
    async with incidents() as model:
        record = await make(model, "find me")
        response = await model.get_one(IncidentModel.number == record["number"])
        assert response["sys_id"] == record["sys_id"]
        assert response["opened_at"] is not None


async def conditions_combine() -> None:
    async with incidents() as model:
        record = await make(model, "okapi in the lift")
        wanted = IncidentModel.short_description.contains("okapi in") & (
            IncidentModel.number.equals("none") | IncidentModel.number.equals(record["number"])
        )
        found = await model.get(wanted)
        assert record["sys_id"] in [row["sys_id"] for row in found], found.data


async def update_by_condition_and_by_id() -> None:
    async with incidents() as model:
        record = await make(model, "before")
        response = await model.update(IncidentModel.number == record["number"], {"short_description": "after"})
        assert response["short_description"] == "after"
        assert response["sys_mod_count"] == 1
        response = await model.update(str(record["sys_id"]), {"urgency": 1})
        assert response["priority"].key == 1


async def delete_leaves_nothing() -> None:
    async with incidents() as model:
        record = await make(model, "delete me")
        response = await model.delete(IncidentModel.sys_id == record["sys_id"])
        assert response.status == 204
        try:
            await model.get_one(IncidentModel.sys_id == record["sys_id"])
        except NoItems:
            return
        raise AssertionError("the record is still there")


async def too_many_for_one() -> None:
    async with incidents() as model:
        try:
            await model.get_one(IncidentModel.active.is_true())
        except TooManyItems:
            return
        raise AssertionError("several were taken for one")


async def stream_pages_through_everything() -> None:
    async with incidents() as model:
        seen: list[str] = []
        pages = set()
        query = aiosnow.select(IncidentModel.number.starts_with("INC")).order_asc(IncidentModel.sys_id)
        async for response, record in model.stream(query, limit=1_000, page_size=100):
            pages.add(id(response))
            seen.append(record["sys_id"])
        whole = await model.get(query, limit=10_000)
        assert len(pages) > 1
        assert seen == [row["sys_id"] for row in whole], (len(seen), len(whole))


async def only_some_fields() -> None:
    async with incidents() as model:
        response = await model.get(IncidentModel.active.is_true(), limit=3, return_only=["sys_id", "number"])
        assert len(response) == 3
        assert set(response.data[0]) == {"sys_id", "number"}


async def errors_carry_message_and_detail() -> None:
    async with incidents() as model:
        record = await make(model, "close me")
        try:
            await model.update(str(record["sys_id"]), {"state": 6})
        except RequestError as error:
            assert "Data Policy Exception" in str(error), error
        else:
            raise AssertionError("closed without a code")


async def wrong_password_is_refused() -> None:
    async with incidents("wrong") as model:
        try:
            await model.get(limit=1)
        except RequestError as error:
            assert error.status == 401, error.status
        else:
            raise AssertionError("a wrong password was taken")


async def journal_entries_are_records() -> None:
    async with incidents() as model:
        record = await make(model, "with a note")
        response = await model.update(str(record["sys_id"]), {"work_notes": "looked at it"})
        assert not response["work_notes"]
    async with JournalModel(client(), table_name="sys_journal_field") as journal:
        entry = await journal.get_one(JournalModel.element_id == record["sys_id"])
        assert (entry["element"], entry["value"]) == ("work_notes", "looked at it")


CHECKS: tuple[Callable[[], Awaitable[None]], ...] = (
    create_answers_the_record_after_the_rules,
    get_one_by_condition,
    conditions_combine,
    update_by_condition_and_by_id,
    delete_leaves_nothing,
    too_many_for_one,
    stream_pages_through_everything,
    only_some_fields,
    errors_carry_message_and_detail,
    wrong_password_is_refused,
    journal_entries_are_records,
)


async def main() -> int:
    failed = 0
    for check in CHECKS:
        try:
            await check()
        except Exception:  # each check stands alone: all of them run
            failed += 1
            print(f"FAILED {check.__name__}\n{traceback.format_exc()}", file=sys.stderr)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
