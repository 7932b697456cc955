"""Tokens that do not count: forged, run out, taken back, of somebody else, or made for somewhere else.

Whatever is wrong with a token, its bearer hears the same 401. What is only missing is a scope: that is 403.
"""

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from joserfc.jws import JWSRegistry

from support.client import BASE, Answer, Client
from support.messages import AN_ID
from support.oauth import App, an_app, use
from support.originators import OTHER, TILL, Originator
from support.switch import Switch
from support.waiting import eventually
from voucherswitch.catalogue import oauth_clients, token_keys
from voucherswitch.security.oauth.scopes import Scope

WRONG_TOKEN = 'Bearer realm="suv", error="invalid_token"'
Json = dict[str, Any]


@pytest.fixture(scope="module")
async def app(switch: Switch) -> App:
    """A client that may do everything, in the till's name."""
    return await an_app(switch, TILL)


def parts(token: str) -> tuple[Json, Json, str]:
    """Header, claims and signature of a token."""
    header, claims, signature = token.split(".")
    return json.loads(decoded(header)), json.loads(decoded(claims)), signature


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def encoded(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Json, claims: Json, key: Any) -> str:
    """A token signed with any key and any algorithm that there is."""
    return jwt.encode(header, claims, key, registry=JWSRegistry(algorithms=[header["alg"]], strict_check_header=False))


def refused(answer: Answer) -> None:
    """What the bearer of any wrong token hears."""
    assert answer.status == 401, answer
    assert answer.headers["www-authenticate"] == WRONG_TOKEN
    assert answer.raw == b'{"errorType":"AUTHENTICATION_ERROR","errorMessage":"Originator not identified."}'


async def keys_of(switch: Switch) -> list[Json]:
    _, _, raw = await switch.client.bare("GET", "/oauth2/jwks", b"", {})
    keys: list[Json] = json.loads(raw)["keys"]
    return keys


ATTACKER = ECKey.generate_key("P-256")


def another_key(header: Json, claims: Json, _: Json) -> str:
    return signed(header, claims, ATTACKER)


def own_kid(header: Json, claims: Json, _: Json) -> str:
    return signed(header | {"kid": ATTACKER.thumbprint()}, claims, ATTACKER)


def no_algorithm(header: Json, claims: Json, _: Json) -> str:
    return f"{encoded(header | {'alg': 'none'})}.{encoded(claims)}."


def public_key_as_secret(header: Json, claims: Json, published: Json) -> str:
    """CVE-2015-9235: the verifier takes the public key for the secret of an HMAC."""
    secret = OctKey.import_key(json.dumps({name: published[name] for name in ("crv", "kty", "x", "y")}))
    return signed(header | {"alg": "HS256"}, claims, secret)


def with_header(**members: Any) -> Callable[[Json, Json, Json], str]:
    return lambda header, claims, _: signed(header | members, claims, ATTACKER)


def by_hand(**members: Any) -> Callable[[Json, Json, Json], str]:
    """With a header that no library writes."""

    def forge(header: Json, claims: Json, _: Json) -> str:
        content = f"{encoded(header | members)}.{encoded(claims)}"
        assert ATTACKER.private_key is not None
        r, s = decode_dss_signature(ATTACKER.private_key.sign(content.encode(), ECDSA(SHA256())))
        return f"{content}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    return forge


KEY_OF_ATTACKER = dict(ATTACKER.as_dict(private=False))
FORGERIES: Mapping[str, Callable[[Json, Json, Json], str]] = {
    "another key": another_key,
    "another key and its own id": own_kid,
    "alg none": no_algorithm,
    "alg None": lambda header, claims, _: f"{encoded(header | {'alg': 'None'})}.{encoded(claims)}.",
    "public key as a secret": public_key_as_secret,
    "its own key in the header": with_header(jwk=KEY_OF_ATTACKER),
    "its own keys by address": with_header(jku="http://127.0.0.1:9/keys"),
    "its own certificate by address": with_header(x5u="http://127.0.0.1:9/pem"),
    "its own certificate": with_header(x5c=["AAAA"]),
    "an extension that must be understood": by_hand(crit=["exp"]),
    "kid is a path": with_header(kid="../../../../dev/null"),
    "kid is SQL": with_header(kid="' UNION SELECT 'AAAA' --"),
    "kid is no text": by_hand(kid=["a"]),
    "no kid": lambda header, claims, _: signed({k: v for k, v in header.items() if k != "kid"}, claims, ATTACKER),
    "no JSON": lambda *_: f"{encoded(b'{{')}.{encoded(b'{}')}.AAAA",
    "deep JSON": lambda *_: f"{encoded(b'[' * 500)}.{encoded(b'{}')}.AAAA",
    "no base64": lambda *_: "\u00e4.\u00f6.\u00fc",
    "five parts": lambda *_: "a.b.c.d.e",
    "huge": lambda header, claims, _: signed(header, claims | {"x": "y" * 20_000}, ATTACKER),
    "a long header": with_header(x="y" * 2_000),
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forged_token_is_refused(switch: Switch, app: App, name: str) -> None:
    header, claims, _ = parts(await app.token())
    published = next(key for key in await keys_of(switch) if key["kid"] == header["kid"])

    refused(await use(switch.client, FORGERIES[name](header, claims, published)))


async def test_no_byte_of_a_token_can_be_changed(switch: Switch, app: App) -> None:
    token = await app.token()
    header, claims, signature = token.split(".")
    richer = encoded(json.loads(decoded(claims)) | {"sub": OTHER.id})
    changed = [
        f"{header}.{richer}.{signature}",
        f"{header}.{claims}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
    ]
    changed += [f"{header}.{claims}.", f"{header}.{claims}.{encoded(bytes(64))}", token[:-4], f"{token}AAAA"]

    for text in changed:
        refused(await use(switch.client, text))
    assert (await use(switch.client, token)).status == 200


async def test_a_token_comes_in_the_header_only(switch: Switch, app: App) -> None:
    """Addresses end up in logs: what RFC 6750 §2.2 and §2.3 allow besides is not offered."""
    token = await app.token()

    query = await switch.client.send("GET", f"{BASE}/products", by=None, query=[("access_token", token)])
    cookie = await switch.client.send("GET", f"{BASE}/products", by=None, headers={"cookie": f"access_token={token}"})

    assert (query.status, cookie.status) == (401, 401)


async def test_a_refresh_token_is_no_access_token(switch: Switch, app: App) -> None:
    refused(await use(switch.client, (await app.log_in())["refresh_token"]))


async def test_a_token_of_another_issuer_or_for_another_audience_is_refused(switch: Switch, app: App) -> None:
    """Both are signed with the right key: by a worker that is set up for another place."""
    other_issuer, other_audience = {"TOKEN_ISSUER": "https://other.example"}, {"OAUTH_AUDIENCE": "other"}
    for settings in (other_issuer, other_audience):
        async with switch.extra_worker(**{"TOKEN_ISSUER": switch.tls_root} | settings) as client:
            elsewhere = await app.ask_at(client)
            assert (await use(client, elsewhere)).status == 200
            refused(await use(switch.client, elsewhere))
            refused(await use(client, await app.token()))


async def test_an_expired_token_is_refused_even_if_it_is_remembered(switch: Switch, app: App) -> None:
    async with switch.extra_worker(TOKEN_LIFETIME_S="60", TOKEN_ISSUER=switch.tls_root) as client:
        token = await app.ask_at(client)
        assert (await use(client, token)).status == 200
        # The shortest lifetime that can be set is a minute; the clock of a worker cannot be moved from here. So the
        # token is made by the key that the switch signs with, as if that had happened earlier.
    header, claims, _ = parts(token)
    key = await signing_key(switch, header["kid"])
    now = int(time.time())
    fresh = signed(header, claims | {"iat": now - 898, "exp": now + 2}, key)
    assert (await use(switch.client, fresh)).status == 200

    async def gone() -> bool:
        return (await use(switch.client, fresh)).status == 401

    await eventually(gone, "the token to have run out")
    refused(await use(switch.client, signed(header, claims | {"iat": now - 900, "exp": now - 1}, key)))


@pytest.mark.parametrize(
    "changes",
    [
        {"nbf": 4_000_000_000},
        {"iat": 4_000_000_000},
        {"exp": "2099-01-01"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": 10**400},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"sub": [TILL.id]},
        {"sub": "nobody"},
        {"sub": OTHER.id},
        {"aud": None},
        {"aud": ["other"]},
        {"iss": None},
        {"client_id": None},
        {"client_id": "nobody"},
        {"gen": None},
        {"gen": 4711},
        {"reg": None},
        {"reg": 4711},
        {"jti": None},
        {"cnf": {"jkt": "AAAA"}},
        {"cnf": {"x5t#S256": "AAAA"}},
        {"cnf": "none"},
    ],
    ids=lambda changes: json.dumps(changes)[:40],
)
async def test_a_right_signature_is_not_enough(switch: Switch, app: App, changes: Json) -> None:
    """Every claim is asked, also of a token that our own key has signed."""
    header, claims, _ = parts(await app.token())
    key = await signing_key(switch, header["kid"])
    whole = {name: value for name, value in (claims | changes).items() if value is not None}

    assert (await use(switch.client, signed(header, claims, key))).status == 200
    refused(await use(switch.client, signed(header, whole, key)))


async def test_an_id_token_is_no_access_token(switch: Switch, app: App) -> None:
    header, claims, _ = parts(await app.token())
    key = await signing_key(switch, header["kid"])

    refused(await use(switch.client, signed(header | {"typ": "JWT"}, claims, key)))


async def signing_key(switch: Switch, kid: str) -> ECKey:
    """The private key, which only the vault's owner can open."""
    from voucherswitch.security.sealed import TOKEN_KEY

    sealed = await switch.value("SELECT sealed FROM token_key WHERE kid = $1", kid)
    return ECKey.import_key(json.loads(switch.vault.open(sealed, TOKEN_KEY.context("sealed", kid))))


# Taken back


async def test_a_revoked_token_counts_no_more_in_any_worker(switch: Switch, app: App) -> None:
    async with switch.extra_worker(TOKEN_ISSUER=switch.tls_root) as elsewhere:
        token, spared = await app.token(), await app.token()
        for client in (switch.client, elsewhere):
            assert (await use(client, token)).status == 200

        assert (await app.ask("/oauth2/revoke", token=token)).status == 200

        refused(await use(switch.client, token))
        await until_refused(elsewhere, token)
        assert (await use(elsewhere, spared)).status == 200


async def test_revoking_a_refresh_token_ends_its_log_in(switch: Switch, app: App) -> None:
    log_in, spared = await app.log_in(), await app.log_in()

    await app.ask("/oauth2/revoke", token=log_in["refresh_token"], token_type_hint="access_token")

    refused(await use(switch.client, log_in["access_token"]))
    assert (await app.refresh(log_in["refresh_token"])).error == "invalid_grant"
    assert (await use(switch.client, spared["access_token"])).status == 200


async def test_nobody_revokes_or_refreshes_another_clients_token(switch: Switch, app: App) -> None:
    thief = await an_app(switch, OTHER)
    log_in = await app.log_in()

    for token in log_in["access_token"], log_in["refresh_token"]:
        assert (await thief.ask("/oauth2/revoke", token=token)).status == 200  # tells nothing

    assert (await thief.refresh(log_in["refresh_token"])).error == "invalid_grant"
    assert (await use(switch.client, log_in["access_token"])).status == 200
    assert (await app.refresh(log_in["refresh_token"])).status == 200


async def test_a_replayed_refresh_token_ends_the_log_in_for_both_who_have_it(switch: Switch, app: App) -> None:
    """Somebody copied a token: whether thief or owner comes second, nobody has anything afterwards."""
    first = await app.log_in()
    second = (await app.refresh(first["refresh_token"])).body
    third = (await app.refresh(second["refresh_token"])).body

    assert (await app.refresh(first["refresh_token"])).error == "invalid_grant"

    assert (await app.refresh(third["refresh_token"])).error == "invalid_grant"
    for tokens in (first, second, third):
        refused(await use(switch.client, tokens["access_token"]))
    assert "refresh token replayed" in switch.workers[0].text()


async def test_a_thief_who_uses_the_grace_is_found_out_by_the_owner(switch: Switch, app: App) -> None:
    first = await app.log_in()
    owners = (await app.refresh(first["refresh_token"])).body

    thiefs = (await app.refresh(first["refresh_token"])).body
    assert (await app.refresh(owners["refresh_token"])).error == "invalid_grant"

    assert (await app.refresh(thiefs["refresh_token"])).error == "invalid_grant"
    refused(await use(switch.client, thiefs["access_token"]))


async def test_a_refresh_token_is_exchanged_late_by_nobody(switch: Switch, app: App) -> None:
    """The grace is over, though the successor was never used."""
    first = await app.log_in()
    assert (await app.refresh(first["refresh_token"])).status == 200
    family = first["refresh_token"].partition(".")[0]
    await switch.pool.execute("UPDATE refresh_token SET rotated_at = now() - interval '1 h' WHERE family = $1", family)

    assert (await app.refresh(first["refresh_token"])).error == "invalid_grant"


async def test_a_new_password_ends_what_the_old_one_fetched(switch: Switch) -> None:
    originator = Originator("22225001", {"product_lookup": True}, password="the first password")
    await switch.add_originator(originator)
    app = await an_app(switch, originator)
    log_in = await app.log_in()
    assert (await use(switch.client, log_in["access_token"])).status == 200

    await switch.set_password(Originator(originator.id, {}, password="the second password"))

    refused(await use(switch.client, log_in["access_token"]))
    assert (await app.refresh(log_in["refresh_token"])).error == "invalid_grant"


async def test_all_tokens_of_an_originator_are_revoked_at_once(switch: Switch) -> None:
    originator = Originator("22225002", {"product_lookup": True})
    await switch.add_originator(originator)
    app = await an_app(switch, originator)
    log_in, token = await app.log_in(), await app.token()

    async with switch.pool.acquire() as connection:
        await oauth_clients.revoke_all(connection, originator.id)

    await until_refused(switch.client, token)
    refused(await use(switch.client, log_in["access_token"]))
    assert (await app.refresh(log_in["refresh_token"])).error == "invalid_grant"
    assert (await use(switch.client, await app.token())).status == 200


async def test_a_disabled_originator_or_client_has_no_tokens(switch: Switch) -> None:
    originator = Originator("22225003", {"product_lookup": True})
    await switch.add_originator(originator)
    app, removed = await an_app(switch, originator), await an_app(switch, originator)
    token, orphan = await app.token(), await removed.token()

    async def change(work: Callable[[Any], Awaitable[Any]]) -> None:
        async with switch.pool.acquire() as connection:
            await work(connection)
        await switch.caught_up()

    await change(lambda c: oauth_clients.remove_client(c, originator.id, removed.client_id))
    refused(await use(switch.client, orphan))
    assert (await removed.ask(grant_type="client_credentials")).error == "invalid_client"
    await change(lambda c: oauth_clients.add_client(c, originator.id, removed.client_id))
    refused(await use(switch.client, orphan))  # another client has its id now

    await change(lambda c: oauth_clients.enable_client(c, originator.id, app.client_id, enabled=False))
    refused(await use(switch.client, token))
    await change(lambda c: oauth_clients.enable_client(c, originator.id, app.client_id, enabled=True))
    assert (await use(switch.client, token)).status == 200

    await switch.set_originator(originator.id, enabled=False)
    await switch.caught_up()
    refused(await use(switch.client, token))
    assert (await app.ask(grant_type="client_credentials")).error == "invalid_client"


async def test_a_log_in_beyond_the_bound_ends_the_oldest(switch: Switch) -> None:
    async with switch.extra_worker(REFRESH_TOKENS_MAX="2", TOKEN_ISSUER=switch.tls_root) as client:
        originator = Originator("22225004", {"product_lookup": True})
        await switch.add_originator(originator)
        app = await an_app(switch, originator)
        await eventually(lambda: app.granted_at(client), "the extra worker to know the client")
        logs_in = [await app.log_in_at(client) for _ in range(3)]

        assert await switch.value("SELECT count(*) FROM refresh_token WHERE originator_id = $1", originator.id) == 2
        assert (await app.refresh(logs_in[0]["refresh_token"])).error == "invalid_grant"
        assert (await app.refresh(logs_in[2]["refresh_token"])).status == 200


# Bound


async def test_a_token_is_of_no_use_without_its_certificate(switch: Switch) -> None:
    """Also with another certificate that the originator may use (RFC 8705)."""
    originator = Originator("22225005", {"product_lookup": True})
    mine, another = switch.authority.client("till"), switch.authority.client("another")
    await switch.add_originator(originator)
    app = await an_app(switch, originator)
    for fingerprint in (mine.fingerprint, another.fingerprint):
        await switch.pool.execute(
            "INSERT INTO originator_certificate (originator_id, fingerprint) VALUES ($1, $2)",
            originator.id,
            fingerprint,
        )
    await switch.caught_up()
    with_mine, with_another, without = switch.tls_client(mine), switch.tls_client(another), switch.tls_client()
    try:
        token = await app.ask_at(with_mine)

        assert parts(token)[1]["cnf"].keys() == {"x5t#S256"}
        assert (await use(with_mine, token)).status == 200
        for client in (with_another, without, switch.client):
            refused(await use(client, token))
        assert (await use(with_mine, token)).status == 200
        assert (await app.ask(grant_type="client_credentials")).error == "invalid_client"  # not without one of them
    finally:
        await asyncio.gather(*(client.close() for client in (with_mine, with_another, without)))


# Scope

OPERATIONS = {
    Scope.PROVISION: [
        ("POST", "/vouchers"), ("POST", f"/vouchers/{AN_ID}/retry"), ("POST", "/vouchers/confirmations"),
        ("POST", "/vouchers/reversals"),
    ],
    Scope.REDEEM: [
        ("POST", "/redemptions"), ("POST", "/redemptions/confirmations"), ("POST", "/redemptions/reversals"),
        ("GET", f"/redemptions/{AN_ID}"),
    ],
    Scope.REFUND: [("POST", "/refunds"), ("POST", "/refunds/confirmations"), ("POST", "/refunds/reversals")],
    Scope.LOOKUP: [("GET", "/vouchers")],
    Scope.PRODUCTS: [("GET", "/products")],
}  # fmt: skip


@pytest.mark.parametrize("scope", list(Scope))
async def test_a_token_allows_what_its_scope_says_and_nothing_else(switch: Switch, app: App, scope: Scope) -> None:
    token = await app.token(scope=scope)

    for needed, operations in OPERATIONS.items():
        for method, path in operations:
            answer = await use(switch.client, token, path, method, body=b"{}" if method == "POST" else None)
            if needed is scope:
                assert answer.error_type != "AUTHENTICATION_ERROR", (method, path, answer)
            else:
                assert (answer.status, answer.error_type) == (403, "AUTHENTICATION_ERROR"), (method, path, answer)
                missing = f'Bearer realm="suv", error="insufficient_scope", scope="{needed}"'
                assert answer.headers["www-authenticate"] == missing


# Keys

AGED = "UPDATE token_key SET made_at = made_at - interval '40 d', activated_at = activated_at - interval '40 d'"


async def test_a_rotation_of_keys_breaks_no_token(switch: Switch, app: App) -> None:
    before = await app.token()
    published = {key["kid"] for key in await keys_of(switch)}
    async with switch.pool.acquire() as connection:
        await connection.execute("UPDATE token_key SET made_at = clock_timestamp() WHERE state = 1")
        with pytest.raises(token_keys.TokenKeyError, match="try again in"):
            await token_keys.rotate_token_keys(connection, switch.vault)
        await connection.execute("UPDATE token_key SET made_at = made_at - interval '1 h' WHERE state = 1")
        await token_keys.rotate_token_keys(connection, switch.vault)

    async def signs_anew() -> str:
        token = await app.token()
        return token if parts(token)[0]["kid"] != parts(before)[0]["kid"] else ""

    after = await eventually(signs_anew, "a token by the next key")
    assert parts(after)[0]["kid"] in published  # it was known before it signed
    assert (await use(switch.client, before)).status == 200
    assert (await use(switch.client, after)).status == 200


async def test_the_worker_rotates_and_forgets_keys_in_their_time(switch: Switch, app: App) -> None:
    before = parts(await app.token())[0]["kid"]
    async with switch.pool.acquire() as connection:
        await connection.execute(AGED)
        await token_keys.keep_token_keys(connection, switch.vault, 30)
        assert await connection.fetchval("SELECT state FROM token_key WHERE kid = $1", before) == 3
        await token_keys.keep_token_keys(connection, switch.vault, 30)
        assert await connection.fetchval("SELECT count(*) FROM token_key WHERE state IN (1, 2)") == 2

        await connection.execute("UPDATE token_key SET retired_at = retired_at - interval '2 h' WHERE kid = $1", before)
        await token_keys.keep_token_keys(connection, switch.vault, 30)
        assert await connection.fetchval("SELECT state FROM token_key WHERE kid = $1", before) is None
    await switch.caught_up()  # or the next test's token would be signed by the key that is gone


async def test_keys_that_leaked_are_taken_back_with_all_that_they_signed(switch: Switch, app: App) -> None:
    token = await app.token()
    assert (await use(switch.client, token)).status == 200
    stolen = await signing_key(switch, parts(token)[0]["kid"])

    async with switch.pool.acquire() as connection:
        assert await token_keys.replace_token_keys(connection, switch.vault) >= 2

    await until_refused(switch.client, token)
    header, claims, _ = parts(token)
    refused(await use(switch.client, signed(header, claims, stolen)))
    assert (await use(switch.client, await app.token())).status == 200


async def until_refused(client: Client, token: str) -> None:
    """Wait until a worker has heard of a change."""

    async def gone() -> bool:
        return (await use(client, token)).status == 401

    await eventually(gone, "the worker to refuse the token", within_s=5)
