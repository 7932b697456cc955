"""Tokens: N3, N5 and N6 (interface.md §9), and what RFC 6749, 7009, 8414 and 9068 promise a client."""

import base64
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from support.expect import refused
from support.messages import a_provision
from support.oauth import FORM, App, Reply, an_app, post, post_form, use
from support.originators import NO_PRODUCTS, NO_REDEMPTION, OTHER, TILL
from support.switch import Switch
from voucherswitch.security.oauth.scopes import Scope


@pytest.fixture(scope="module")
async def app(switch: Switch) -> App:
    """A client that may do everything, in the till's name."""
    return await an_app(switch, TILL)


async def keys_of(switch: Switch) -> Any:
    """The published keys."""
    status, headers, raw = await switch.client.bare("GET", "/oauth2/jwks", b"", {})
    assert (status, headers["content-type"]) == (200, "application/jwk-set+json")
    return json.loads(raw)


def oauth_refused(reply: Reply, status: int, error: str) -> None:
    """RFC 6749 §5.2: a name, a text, and nothing kept on the way."""
    assert (reply.status, reply.error) == (status, error)
    assert set(reply.body) == {"error", "error_description"}
    assert reply.headers["cache-control"] == "no-store"


async def test_n3_a_token_serves_as_a_password_does(switch: Switch, app: App) -> None:
    answer = await use(switch.client, await app.token(), "/vouchers", "POST", body=a_provision(TILL))

    assert answer.status == 201


async def test_n6_the_user_behind_the_token_is_the_client_of_the_message(switch: Switch, app: App) -> None:
    request = a_provision(OTHER)

    answer = await use(switch.client, await app.token(), "/vouchers", "POST", body=request)

    refused(answer, 400, "AUTHENTICATION_ERROR", "Incorrect username", id=request["id"])


async def test_a_token_says_what_rfc_9068_asks_for(switch: Switch, app: App) -> None:
    answer = await app.tokens()

    token = jwt.decode(answer["access_token"], KeySet.import_key_set(await keys_of(switch)), ["ES256"])
    assert token.header["typ"] == "at+jwt"
    claims = token.claims
    assert (claims["iss"], claims["aud"], claims["sub"]) == (switch.tls_root, "suv", TILL.id)
    assert (claims["client_id"], claims["exp"] - claims["iat"]) == (app.client_id, answer["expires_in"])
    assert claims["scope"] == answer["scope"] == " ".join(sorted(Scope))
    assert "jti" in claims
    assert "cnf" not in claims
    assert answer["token_type"] == "Bearer"
    assert "refresh_token" not in answer  # RFC 6749 §4.4.3


async def test_the_published_keys_hold_nothing_secret(switch: Switch) -> None:
    keys = (await keys_of(switch))["keys"]

    assert len(keys) >= 2  # the one that signs, and the next
    assert all(set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"} for key in keys)


async def test_the_metadata_names_every_endpoint(switch: Switch) -> None:
    status, _, raw = await switch.client.bare("GET", "/.well-known/oauth-authorization-server", b"", {})

    found = json.loads(raw)
    assert status == 200
    assert found["issuer"] == switch.tls_root
    assert found["token_endpoint"] == f"{switch.tls_root}/oauth2/token"
    assert found["jwks_uri"] == f"{switch.tls_root}/oauth2/jwks"
    assert found["grant_types_supported"] == ["client_credentials", "password", "refresh_token"]


async def test_n5_the_password_grant_needs_all_four(switch: Switch, app: App) -> None:
    whole = {"grant_type": "password", "username": TILL.id, "password": TILL.password}

    assert (await app.ask(**whole)).status == 200
    oauth_refused(await app.ask(**whole | {"password": "wrong password"}), 400, "invalid_grant")
    oauth_refused(await app.ask(**whole | {"username": "22229999"}), 400, "invalid_grant")
    oauth_refused(await app.ask(**whole | {"username": OTHER.id}), 400, "invalid_grant")
    oauth_refused(await app.ask(grant_type="password", username=TILL.id), 400, "invalid_request")
    oauth_refused(await post_form(switch.client, "/oauth2/token", whole, None), 401, "invalid_client")
    wrong = (app.client_id, "wrong secret")
    oauth_refused(await post_form(switch.client, "/oauth2/token", whole, wrong), 401, "invalid_client")


async def test_a_client_may_prove_itself_in_the_form(switch: Switch, app: App) -> None:
    form = {"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": app.secret}

    reply = await post_form(switch.client, "/oauth2/token", form, None)
    both = await post_form(switch.client, "/oauth2/token", form, (app.client_id, app.secret))

    assert reply.status == 200
    assert reply.headers["cache-control"] == "no-store"
    oauth_refused(both, 400, "invalid_request")


async def test_an_unknown_client_and_a_wrong_secret_hear_the_same(switch: Switch, app: App) -> None:
    form = {"grant_type": "client_credentials"}

    unknown = await post_form(switch.client, "/oauth2/token", form, ("nobody", app.secret))
    wrong = await post_form(switch.client, "/oauth2/token", form, (app.client_id, "wrong"))

    oauth_refused(unknown, 401, "invalid_client")
    assert (unknown.status, unknown.body) == (wrong.status, wrong.body)
    assert unknown.headers["www-authenticate"] == wrong.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "scope": "suv.everything"}, "invalid_scope"),
        ({"grant_type": "client_credentials", "scope": "'; DROP TABLE originator --"}, "invalid_scope"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": f"{'0' * 32}.{'a' * 43}"}, "invalid_grant"),
    ],
)
async def test_a_wrong_request_is_refused_by_its_name(app: App, form: dict[str, str], error: str) -> None:
    oauth_refused(await app.ask(**form), 400, error)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"grant_type":"client_credentials"}', "application/json"),
        (b"grant_type=client_credentials&grant_type=password", FORM),
        (b"grant_type=client_credentials&" + b"&".join(b"f%d=1" % n for n in range(20)), FORM),
        (b"grant_type=\xff", FORM),
        (b"grant_type=%FF", FORM),
        (b"no form", FORM),
    ],
    ids=["json", "twice", "many", "no ASCII", "no UTF-8", "no pairs"],
)
async def test_what_is_no_form_is_refused(switch: Switch, app: App, body: bytes, content_type: str) -> None:
    reply = await post(switch.client, "/oauth2/token", body, content_type, (app.client_id, app.secret))

    oauth_refused(reply, 400, "invalid_request")


async def test_a_form_that_is_too_large_is_not_read(switch: Switch, app: App) -> None:
    body = b"grant_type=" + b"a" * 20_000

    reply = await post(switch.client, "/oauth2/token", body, FORM, (app.client_id, app.secret))

    oauth_refused(reply, 413, "invalid_request")


async def test_a_client_has_only_its_grants(switch: Switch) -> None:
    app = await an_app(switch, TILL, grants=("client_credentials",))
    who = {"username": TILL.id, "password": TILL.password}

    assert (await app.ask(grant_type="client_credentials")).status == 200
    oauth_refused(await app.ask(grant_type="password", **who), 400, "unauthorized_client")
    oauth_refused(await app.ask(grant_type="refresh_token", refresh_token="x"), 400, "unauthorized_client")


async def test_scopes_are_what_was_asked_for_as_far_as_client_and_originator_may(switch: Switch) -> None:
    narrow = await an_app(switch, TILL, scopes=(Scope.PROVISION, Scope.PRODUCTS))
    no_redemption = await an_app(switch, NO_REDEMPTION)
    no_products = await an_app(switch, NO_PRODUCTS)

    assert (await narrow.tokens())["scope"] == "suv.products suv.provision"
    assert (await narrow.tokens(scope="suv.provision suv.redeem"))["scope"] == "suv.provision"
    assert (await no_redemption.tokens())["scope"] == "suv.products suv.provision"
    assert "suv.products" not in (await no_products.tokens())["scope"]
    oauth_refused(await narrow.ask(grant_type="client_credentials", scope="suv.redeem"), 400, "invalid_scope")


async def test_a_refresh_token_serves_once_and_brings_its_successor(switch: Switch, app: App) -> None:
    first = await app.log_in(scope="suv.products suv.provision")

    second = await app.refresh(first["refresh_token"])
    third = await app.refresh(second.body["refresh_token"], scope="suv.products")

    assert (second.status, third.status) == (200, 200)
    assert second.body["scope"] == "suv.products suv.provision"
    assert third.body["scope"] == "suv.products"
    assert len({first["refresh_token"], second.body["refresh_token"], third.body["refresh_token"]}) == 3
    assert (await use(switch.client, third.body["access_token"])).status == 200
    # Never more than the log-in asked for.
    wider = await app.refresh(third.body["refresh_token"], scope="suv.redeem")
    oauth_refused(wider, 400, "invalid_scope")


async def test_a_lost_answer_is_had_again(switch: Switch, app: App) -> None:
    """The till did not hear its new tokens; it comes again with the old one."""
    first = await app.log_in()
    lost = await app.refresh(first["refresh_token"])

    again = await app.refresh(first["refresh_token"])

    assert (lost.status, again.status) == (200, 200)
    assert (await app.refresh(again.body["refresh_token"])).status == 200


async def test_revoking_is_idempotent_and_tells_nothing(app: App) -> None:
    token = await app.token()

    answers = [await app.ask("/oauth2/revoke", token=text) for text in (token, token, "x", "a.b.c")]

    assert [(answer.status, answer.body) for answer in answers] == [(200, {})] * 4
    oauth_refused(await app.ask("/oauth2/revoke"), 400, "invalid_request")


async def test_basic_may_be_switched_off_and_so_may_oauth2(switch: Switch, app: App) -> None:
    token = await app.token()
    async with switch.extra_worker(AUTHENTICATION="oauth2", TOKEN_ISSUER=switch.tls_root) as client:
        answer = await client.get("/products", by=TILL)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="suv"')
        assert (await use(client, token)).status == 200
    async with switch.extra_worker(AUTHENTICATION="basic") as client:
        answer = await use(client, token)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Basic realm="suv", charset="UTF-8"')
        status, _, _ = await client.bare("POST", "/oauth2/token", b"a=b", {"content-type": FORM})
        assert status == 404


async def test_client_secret_in_the_header_is_read_as_a_form_writes_it(switch: Switch, app: App) -> None:
    """RFC 6749 §2.3.1: both parts are encoded before Basic encodes them together."""
    escaped = "".join(f"%{ord(letter):02x}" for letter in app.client_id), app.secret
    plain = base64.b64encode(f"{escaped[0]}:{escaped[1]}".encode()).decode()
    status, _, _ = await switch.client.bare(
        "POST", "/oauth2/token", b"grant_type=client_credentials",
        {"content-type": FORM, "authorization": f"Basic {plain}"},
    )  # fmt: skip
    assert status == 200
