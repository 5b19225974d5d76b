"""pysnow, unchanged, against the mock: ``python servicenow_pysnow.py URL`` in an environment of its own.

Prints ``N passed, 0 failed`` and exits 1 when anything failed.
"""

# ruff: noqa: PT017, S106, S107, T201 -- the accounts of a mock; a script that prints
from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Callable
from urllib.parse import urlsplit

import pysnow
from pysnow.exceptions import MultipleResults, NoResults
from requests.exceptions import HTTPError

URL = urlsplit(sys.argv[1])
TAG = "pysnow-check"


def client(user: str = "admin", password: str = "admin") -> pysnow.Client:
    return pysnow.Client(host=URL.netloc, user=user, password=password, use_ssl=URL.scheme == "https")


def incidents() -> pysnow.resource.Resource:
    return client().resource(api_path="/table/incident")


def make(text: str) -> dict[str, object]:
    payload = {"short_description": text, "impact": "1", "urgency": "2", "correlation_id": TAG}
    return incidents().create(payload=payload).one()


def create_answers_the_record_after_the_rules() -> None:
    record = make("made by pysnow")
    assert record["number"].startswith("INC"), record
    assert record["priority"] == "2", record["priority"]
    assert record["sys_mod_count"] == "0"
    assert record["active"] == "true"


def query_by_dictionary() -> None:
    record = make("by dictionary")
    found = incidents().get(query={"number": record["number"]}).one()
    assert found["sys_id"] == record["sys_id"]


def query_by_builder() -> None:
    record = make("zebra by builder")
    query = pysnow.QueryBuilder().field("short_description").contains("zebra by").AND()
    query = query.field("number").equals([record["number"], "INC9999999"]).AND()
    found = incidents().get(query=query.field("state").not_equals("7")).all()
    assert [f["sys_id"] for f in found] == [record["sys_id"]]


def fields_and_display_values() -> None:
    record = make("shown")
    resource = incidents()
    resource.parameters.display_value = True
    shown = resource.get(query={"sys_id": record["sys_id"]}, fields=["state", "opened_by", "no_such"]).one()
    assert shown["state"] == "New", shown
    assert shown["opened_by"]["display_value"] == "System Administrator", shown
    assert "no_such" not in shown
    resource.parameters.exclude_reference_link = True
    resource.parameters.display_value = False
    plain = resource.get(query={"sys_id": record["sys_id"]}, fields=["opened_by"]).one()
    assert isinstance(plain["opened_by"], str), plain


def update_by_query() -> None:
    record = make("before")
    changed = incidents().update(query={"number": record["number"]}, payload={"short_description": "after"}).one()
    assert changed["short_description"] == "after"
    assert changed["sys_mod_count"] == "1"


def update_and_delete_from_a_response() -> None:
    record = make("to be deleted")
    response = incidents().get(query={"sys_id": record["sys_id"]})
    assert response.update({"urgency": "1"})["priority"] == "1"
    assert response.delete()["status"] == "record deleted"
    assert incidents().get(query={"sys_id": record["sys_id"]}).one_or_none() is None


def delete_by_query() -> None:
    record = make("to be deleted too")
    assert incidents().delete(query={"sys_id": record["sys_id"]}) == {"status": "record deleted"}
    try:
        incidents().get(query={"sys_id": record["sys_id"]}).one()
    except NoResults:
        return
    raise AssertionError("the record is still there")


def pages_by_offset_have_no_gaps() -> None:
    resource = incidents()
    everything = [r["sys_id"] for r in resource.get(query="ORDERBYsys_id", fields=["sys_id"]).all()]
    assert len(everything) > 100
    assert everything == sorted(everything)
    paged: list[str] = []
    while True:
        page = resource.get(query="ORDERBYsys_id", limit=37, offset=len(paged), fields=["sys_id"]).all()
        if not page:
            break
        paged.extend(r["sys_id"] for r in page)
    assert paged == everything


def total_count_and_links() -> None:
    response = incidents().get(query="ORDERBYnumber", limit=2)
    assert len(response.all()) == 2
    assert int(response.headers["X-Total-Count"]) > 100
    assert 'rel="next"' in response.headers["Link"]


def generator_streams_records() -> None:
    response = incidents().get(query="ORDERBYnumber", limit=50, fields=["number"], stream=True)
    numbers = [record["number"] for record in response.all()]
    assert len(numbers) == 50
    assert numbers == sorted(numbers)
    assert response.count == 50


def first_of_a_stream() -> None:
    first = incidents().get(query="ORDERBYnumber", limit=5, stream=True).first()
    assert first["number"].startswith("INC")
    assert incidents().get(query={"number": "none"}, stream=True).first_or_none() is None


def several_where_one_is_wanted() -> None:
    try:
        incidents().get(query={"active": "true"}, limit=2).one()
    except MultipleResults:
        return
    raise AssertionError("several were taken for one")


def errors_are_http_errors() -> None:
    for resource, status in (
        (client().resource(api_path="/table/no_such_table"), 400),
        (client("admin", "wrong").resource(api_path="/table/incident"), 401),
    ):
        try:
            resource.get(query={}).all()
        except HTTPError as error:
            assert error.response.status_code == status, error
            continue
        raise AssertionError(f"no error {status}")


def data_policy_refuses_closing_without_a_code() -> None:
    record = make("close me")
    try:
        incidents().update(query={"sys_id": record["sys_id"]}, payload={"state": "6"}).one()
    except HTTPError as error:
        assert error.response.status_code == 403
        assert "Data Policy Exception" in error.response.json()["error"]["detail"]
    else:
        raise AssertionError("closed without a code")


def journal_is_input_only() -> None:
    record = make("with a note")
    changed = incidents().update(query={"sys_id": record["sys_id"]}, payload={"work_notes": "looked at it"}).one()
    assert changed["work_notes"] == ""
    notes = client().resource(api_path="/table/sys_journal_field")
    entry = notes.get(query={"element_id": record["sys_id"], "element": "work_notes"}).one()
    assert entry["value"] == "looked at it"


def custom_request() -> None:
    record = make("custom")
    response = incidents().request("GET", path_append=f"/{record['sys_id']}")
    assert response.one()["number"] == record["number"]


def oauth_password_grant() -> None:
    oauth = pysnow.OAuthClient(
        client_id="interlock-client",
        client_secret="interlock-secret",
        host=URL.netloc,
        use_ssl=URL.scheme == "https",
    )
    token = oauth.generate_token("integration", "integration")
    oauth.set_token(token)
    found = oauth.resource(api_path="/table/incident").get(query={}, limit=1).all()
    assert len(found) == 1


def legacy_interface() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with client() as old:
            made = old.insert(table="incident", payload={"short_description": "legacy", "impact": "3"})
            sys_id = made["sys_id"]
            assert old.query(table="incident", query={"sys_id": sys_id}).get_one()["sys_id"] == sys_id
            assert old.query(table="incident", query={"sys_id": sys_id}).count == 1
            updated = old.query(table="incident", query={"sys_id": sys_id}).update({"impact": "1"})
            assert updated["impact"] == "1"
            assert old.query(table="incident", query={"sys_id": sys_id}).delete() == {"success": True}


def legacy_interface_follows_next_links() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = pysnow.Client(
            host=URL.netloc,
            user="admin",
            password="admin",
            use_ssl=URL.scheme == "https",
            request_params={"sysparm_limit": 40},
        )
        query = old.query(table="incident", query="numberSTARTSWITHINC")
        numbers = [record["number"] for record in query.get_multiple(fields=["number"], order_by=["number"])]
    assert len(numbers) > 100, len(numbers)
    assert numbers == sorted(set(numbers)), "pages overlap"


CHECKS: tuple[Callable[[], None], ...] = (
    create_answers_the_record_after_the_rules,
    query_by_dictionary,
    query_by_builder,
    fields_and_display_values,
    update_by_query,
    update_and_delete_from_a_response,
    delete_by_query,
    pages_by_offset_have_no_gaps,
    total_count_and_links,
    generator_streams_records,
    first_of_a_stream,
    several_where_one_is_wanted,
    errors_are_http_errors,
    data_policy_refuses_closing_without_a_code,
    journal_is_input_only,
    custom_request,
    oauth_password_grant,
    legacy_interface,
    legacy_interface_follows_next_links,
)


def main() -> int:
    failed = 0
    for check in CHECKS:
        try:
            check()
        except Exception:  # each check stands alone: all of them run
            failed += 1
            print(f"FAILED {check.__name__}\n{traceback.format_exc()}", file=sys.stderr)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
