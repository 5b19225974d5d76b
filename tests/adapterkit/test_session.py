"""Sessions over respx: addresses, credentials, redirects."""

from __future__ import annotations

import asyncio
import base64

import httpx
import orjson
import pytest
import respx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import SecretStr

from interlock.adapterkit.auth import ApiKey, Auth, Basic, OAuth
from interlock.adapterkit.connection import connect
from interlock.adapterkit.session import Session, open_session
from interlock.clock import ManualClock
from interlock.config.model import ApiKey as ApiKeyConfig
from interlock.config.model import Auth as AuthConfig
from interlock.config.model import OAuth2, SourceConfig
from interlock.records.problems import Problem, Slug

BASE = "https://acme.example"


def session(auth: Auth | None = None, clock: ManualClock | None = None, base: str = BASE) -> Session:
    return open_session(base, clock or ManualClock(1000.0), auth=auth, transport="httpx")


@respx.mock
async def test_address_parameters_and_body() -> None:
    route = respx.post(url__startswith=BASE).mock(return_value=httpx.Response(201, json={"a": 1}))
    found = session(base=BASE + "/tenant/")
    answer = await found.request("POST", "/api/x", params={"q": "a=b c^d&e"}, json={"ü": 1}, headers={"X-A": "1"})
    await found.close()
    sent = route.calls[0].request
    assert str(sent.url) == "https://acme.example/tenant/api/x?q=a%3Db%20c%5Ed%26e"
    assert sent.content == '{"ü":1}'.encode()
    assert sent.headers["content-type"] == "application/json"
    assert (sent.headers["accept"], sent.headers["x-a"]) == ("application/json", "1")
    assert (answer.status, answer.body) == (201, b'{"a":1}')


@pytest.mark.parametrize(
    "base",
    ["ftp://x", "acme.example", "https://", "https://user:hush@acme.example", "https://acme.example/?a=1", ""],
)
def test_addresses_that_cannot_be(base: str) -> None:
    with pytest.raises(Problem) as told:
        session(base=base)
    assert (told.value.slug, told.value.field) == (Slug.INVALID_ARGUMENT, "base_url")
    assert "hush" not in str(told.value.body())


@respx.mock
@pytest.mark.parametrize(
    ("location", "slug", "reached"),
    [
        ("https://idp.example/saml?token=hush", Slug.SOURCE_DENIED, "no"),
        ("//idp.example/x", Slug.SOURCE_DENIED, "no"),
        ("http://acme.example/x", Slug.SOURCE_DENIED, "no"),
        ("/login.do?sysparm=hush", Slug.SOURCE_DENIED, "no"),
        ("/api/x/", Slug.SOURCE_FAULT, "maybe"),
        ("", Slug.SOURCE_FAULT, "maybe"),
    ],
)
async def test_redirects_are_not_followed(location: str, slug: Slug, reached: str) -> None:
    route = respx.get(f"{BASE}/api/x").mock(return_value=httpx.Response(302, headers={"location": location}))
    with pytest.raises(Problem) as told:
        await session().request("GET", "/api/x")
    assert (told.value.slug, told.value.reached, route.call_count) == (slug, reached, 1)
    assert "hush" not in str(told.value.body())


@respx.mock
async def test_basic_and_key_headers() -> None:
    route = respx.get(f"{BASE}/a").mock(return_value=httpx.Response(200, json={}))
    await session(Basic("kim", SecretStr("pä:ss"))).request("GET", "/a")
    await session(ApiKey("x-sn-apikey", SecretStr("hush"))).request("GET", "/a")
    await session(ApiKey("Authorization", SecretStr("hush"), "token ")).request("GET", "/a")
    first, second, third = (call.request.headers for call in route.calls)
    assert base64.b64decode(first["authorization"].removeprefix("Basic ")).decode() == "kim:pä:ss"
    assert second["x-sn-apikey"] == "hush"
    assert third["authorization"] == "token hush"
    assert "hush" not in repr(ApiKey("x", SecretStr("hush")))


def test_credentials_that_no_header_can_carry() -> None:
    for make in (
        lambda: Basic("a:b", SecretStr("hush")),
        lambda: ApiKey("x-key", SecretStr("hush\r\nevil: 1")),
    ):
        with pytest.raises(Problem) as told:
            make()
        assert told.value.slug is Slug.INVALID_ARGUMENT
        assert "hush" not in str(told.value.body())


@respx.mock
async def test_a_401_without_renewable_credentials_is_an_answer() -> None:
    route = respx.get(f"{BASE}/a").mock(return_value=httpx.Response(401))
    assert (await session(Basic("a", SecretStr("b"))).request("GET", "/a")).status == 401
    assert route.call_count == 1


# --- OAuth ------------------------------------------------------------------------------------------

CLIENT = OAuth2(grant="password", client_id="id", client_secret="sec", username="kim", password="pw")  # type: ignore[arg-type]


def token(name: str, lasts: int = 1800, **more: str) -> httpx.Response:
    return httpx.Response(200, json={"access_token": name, "token_type": "Bearer", "expires_in": lasts, **more})


def form(call: respx.models.Call) -> dict[str, str]:
    return dict(httpx.QueryParams(call.request.content.decode()))


@respx.mock
async def test_many_calls_at_once_ask_for_one_token() -> None:
    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.02)
        return token("one")

    tokens = respx.post(f"{BASE}/oauth_token.do").mock(side_effect=slow)
    calls = respx.get(f"{BASE}/a").mock(return_value=httpx.Response(200, json={}))
    found = session(OAuth(CLIENT))
    tasks = [asyncio.create_task(found.request("GET", "/a")) for _ in range(50)]
    await asyncio.sleep(0.005)
    tasks[0].cancel()  # whoever came first may leave without harm to the others
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError)
    assert all(not isinstance(each, BaseException) for each in done[1:])
    assert (tokens.call_count, calls.call_count) == (1, 49)
    assert form(tokens.calls[0]) == {
        "grant_type": "password", "username": "kim", "password": "pw", "client_id": "id", "client_secret": "sec",
    }  # fmt: skip
    assert {call.request.headers["authorization"] for call in calls.calls} == {"Bearer one"}


@respx.mock
async def test_a_token_is_renewed_before_it_ends_by_its_refresh_token() -> None:
    clock = ManualClock(1000.0)
    tokens = respx.post(f"{BASE}/oauth_token.do").mock(
        side_effect=[token("one", 1800, refresh_token="again"), token("two")]
    )
    calls = respx.get(f"{BASE}/a").mock(return_value=httpx.Response(200, json={}))
    found = session(OAuth(CLIENT), clock)
    await found.request("GET", "/a")
    clock.advance(1760)
    await found.request("GET", "/a")
    assert tokens.call_count == 1
    clock.advance(15)
    await found.request("GET", "/a")
    assert form(tokens.calls[1])["grant_type"] == "refresh_token"
    assert form(tokens.calls[1])["refresh_token"] == "again"
    assert [call.request.headers["authorization"] for call in calls.calls] == ["Bearer one", "Bearer one", "Bearer two"]


@respx.mock
async def test_a_401_is_tried_once_more_with_a_new_token() -> None:
    tokens = respx.post(f"{BASE}/oauth_token.do").mock(side_effect=[token("one"), token("two")])
    calls = respx.post(f"{BASE}/a").mock(side_effect=[httpx.Response(401), httpx.Response(201, json={})])
    assert (await session(OAuth(CLIENT)).request("POST", "/a", json={"x": 1})).status == 201
    assert [call.request.headers["authorization"] for call in calls.calls] == ["Bearer one", "Bearer two"]
    assert [call.request.content for call in calls.calls] == [b'{"x":1}'] * 2
    assert tokens.call_count == 2
    respx.get(f"{BASE}/b").mock(return_value=httpx.Response(401))
    tokens.mock(return_value=token("three"))
    assert (await session(OAuth(CLIENT)).request("GET", "/b")).status == 401


@respx.mock
async def test_many_401_at_once_ask_for_one_new_token() -> None:
    tokens = respx.post(f"{BASE}/oauth_token.do").mock(side_effect=[token("one"), token("two")])

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if request.headers["authorization"] == "Bearer two" else 401, json={})

    respx.get(f"{BASE}/a").mock(side_effect=answer)
    found = session(OAuth(CLIENT))
    answers = await asyncio.gather(*(found.request("GET", "/a") for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert tokens.call_count == 2


@respx.mock
async def test_a_refresh_token_that_is_refused_gives_way_to_the_grant() -> None:
    clock = ManualClock(1000.0)
    refused = httpx.Response(401, json={"error": "invalid_grant"})
    tokens = respx.post(f"{BASE}/oauth_token.do").mock(
        side_effect=[token("one", 10, refresh_token="old"), refused, token("two")]
    )
    respx.get(f"{BASE}/a").mock(return_value=httpx.Response(200, json={}))
    found = session(OAuth(CLIENT), clock)
    await found.request("GET", "/a")
    clock.advance(11)
    await found.request("GET", "/a")
    assert [form(call)["grant_type"] for call in tokens.calls] == ["password", "refresh_token", "password"]


@respx.mock
@pytest.mark.parametrize(
    ("answer", "slug"),
    [
        (httpx.Response(401, json={"error": "server_error", "error_description": "access_denied"}), "source-denied"),
        (httpx.Response(400, json={"error": "unsupported_grant_type"}), "source-denied"),
        (httpx.Response(200, html="<html>Your instance is hibernating</html>"), "source-unavailable"),
        (httpx.Response(200, json={"no": "token"}), "source-denied"),
        (httpx.Response(503), "source-unavailable"),
        (httpx.ConnectError("refused"), "source-unavailable"),
        (httpx.ReadTimeout("late"), "source-unavailable"),
    ],
)
async def test_a_write_without_token_was_not_sent(answer: httpx.Response | Exception, slug: str) -> None:
    side = {"side_effect": answer} if isinstance(answer, Exception) else {"return_value": answer}
    respx.post(f"{BASE}/oauth_token.do").mock(**side)
    with pytest.raises(Problem) as told:
        await session(OAuth(CLIENT)).request("POST", "/a", json={})
    assert (told.value.slug, told.value.reached) == (slug, "no")
    assert "sec" not in (told.value.native_message or "")


@respx.mock
async def test_client_credentials_by_basic_header_at_another_address() -> None:
    tokens = respx.post("https://idp.example/token").mock(return_value=token("t"))
    respx.get(f"{BASE}/a").mock(return_value=httpx.Response(200, json={}))
    client = CLIENT.model_copy(
        update={
            "grant": "client_credentials",
            "client_auth": "basic",
            "token_path": "https://idp.example/token",
            "scope": "useraccount",
        }
    )
    await session(OAuth(client)).request("GET", "/a")
    assert form(tokens.calls[0]) == {"grant_type": "client_credentials", "scope": "useraccount"}
    assert tokens.calls[0].request.headers["authorization"] == "Basic " + base64.b64encode(b"id:sec").decode()


@respx.mock
async def test_jwt_bearer_signs_an_assertion() -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    tokens = respx.post(f"{BASE}/oauth_token.do").mock(return_value=token("t"))
    respx.get(f"{BASE}/a").mock(return_value=httpx.Response(200, json={}))
    client = OAuth2(grant="jwt-bearer", client_id="id", username="kim", private_key=SecretStr(pem), key_id="k1")
    await session(OAuth(client, lambda: 1000.0)).request("GET", "/a")
    assertion = form(tokens.calls[0])["assertion"]
    head, claims, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in assertion.split("."))
    signed = assertion.rsplit(".", 1)[0].encode()
    key.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    assert orjson.loads(head) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    told = orjson.loads(claims)
    assert (told["iss"], told["sub"], told["aud"], told["iat"], told["exp"]) == ("id", "kim", "id", 1000, 1300)


# --- from the configuration -------------------------------------------------------------------------


async def test_connect_takes_everything_from_the_configuration() -> None:
    source = SourceConfig(
        adapter="servicenow",
        base_url=BASE,
        environment="test",
        transport="httpx",
        proxy=SecretStr("http://us%40er:hush@proxy.example:3128"),
        auth=AuthConfig(api_key=ApiKeyConfig(header="x-sn-apikey", key=SecretStr("hush"))),
    )
    found = connect(source, ManualClock(0.0))
    assert (found.base_url, found.transport.name) == (BASE, "httpx")
    assert "hush" not in repr(found._auth)
    await found.close()
    with pytest.raises(Problem) as told:
        connect(source.model_copy(update={"base_url": None}), ManualClock(0.0))
    assert told.value.field == "base_url"
