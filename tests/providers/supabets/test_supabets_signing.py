"""The token of every request: the worked example to the byte, and what the provider makes of every other one."""

import base64
import hashlib
import hmac
from typing import Any

import msgspec
import pytest

from providers.provider_support import R1, SAMPLE_TIME, Heard, advice_order, raw_server
from providers.supabets.supabets_support import (
    BASE,
    SAMPLE_BODY,
    SAMPLE_JTI,
    SAMPLE_NOW_S,
    SAMPLE_TOKEN,
    Supabets,
    b64,
    code_of,
    provision_order,
    token,
)
from voucherswitch.message.outcomes import OutcomeUnknown
from voucherswitch.providers.contract.connector import ProviderSettingsError
from voucherswitch.providers.contract.settings import read_settings
from voucherswitch.providers.supabets.connector import SupabetsConnector, connect
from voucherswitch.providers.supabets.settings import SupabetsSettings
from voucherswitch.providers.supabets.signing import Signer, body_hash
from voucherswitch.providers.supabets.simulator import KID, PARTNER_ID, SECRET
from voucherswitch.providers.supabets.simulator.tokens import Tokens

EMPTY_HASH = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
SETTINGS: dict[str, object] = {
    "base_url": "http://127.0.0.1:1",
    "partner_id": PARTNER_ID,
    "kid": KID,
    "secret": SECRET,
    "default_outlet": "S001",
}


def typed(**more: object) -> SupabetsSettings:
    return read_settings(SupabetsSettings, "supabets", SETTINGS | more)


def judged(text: str, body: bytes = SAMPLE_BODY.encode(), now_s: float = SAMPLE_NOW_S) -> str | None:
    return Tokens().judge(f"Bearer {text}".encode(), body, now_s).refusal


def test_the_worked_example_comes_out_to_the_byte() -> None:
    assert Signer(typed()).token(SAMPLE_BODY.encode(), SAMPLE_NOW_S, SAMPLE_JTI) == SAMPLE_TOKEN


def test_the_hash_of_an_empty_body() -> None:
    assert body_hash(b"") == EMPTY_HASH


def test_2_the_provider_takes_the_example_and_no_other_byte_of_it() -> None:
    assert judged(SAMPLE_TOKEN) is None
    for place, letter in enumerate(SAMPLE_TOKEN):
        for other in "AQgw_.~"[: 7 if place > len(SAMPLE_TOKEN) - 4 else 2]:
            if other != letter:
                changed = SAMPLE_TOKEN[:place] + other + SAMPLE_TOKEN[place + 1 :]
                assert judged(changed) == "invalid-token", (place, other)


def test_2_the_body_is_bound_to_its_token() -> None:
    body = SAMPLE_BODY.encode()
    for place in range(len(body)):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        assert judged(SAMPLE_TOKEN, changed) == "body-hash"
    assert judged(SAMPLE_TOKEN, b"") == "body-hash"


HMACS = {"HS384": "sha384", "HS512": "sha512"}


@pytest.mark.parametrize("alg", ["HS384", "HS512", "none", "RS256", "hs256", "HS256 "])
def test_another_algorithm_than_hs256_is_refused(alg: str) -> None:
    header = {"alg": alg, "typ": "JWT", "kid": KID}
    signed = token(SAMPLE_BODY.encode(), SAMPLE_NOW_S, header=header, digest=HMACS.get(alg, "sha256"))
    assert judged(signed) == "invalid-token"
    assert judged(signed.rpartition(".")[0] + ".") == "invalid-token"


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({}, None),
        ({"header": {"kid": KID, "typ": "JWT", "alg": "HS256"}}, None),
        ({"header": {"alg": "HS256", "kid": KID}}, "invalid-token"),
        ({"header": {"alg": "HS256", "typ": "JWS", "kid": KID}}, "invalid-token"),
        ({"header": {"alg": "HS256", "typ": "JWT"}}, "invalid-token"),
        ({"header": {"alg": "HS256", "typ": "JWT", "kid": "k2"}}, "invalid-token"),
        ({"secret": SECRET[:-1] + "0"}, "invalid-token"),
        ({"iss": "another"}, "invalid-token"),
        ({"aud": "another"}, "invalid-token"),
        ({"jti": "1"}, "invalid-token"),
        ({"jti": 7}, "invalid-token"),
        ({"exp": SAMPLE_NOW_S + 60}, None),
        ({"exp": SAMPLE_NOW_S + 61}, "invalid-token"),
        ({"exp": str(SAMPLE_NOW_S + 45)}, "invalid-token"),
        ({"iat": True}, "invalid-token"),
        ({"iat": SAMPLE_NOW_S + 30, "exp": SAMPLE_NOW_S + 75}, None),
        ({"iat": SAMPLE_NOW_S + 31, "exp": SAMPLE_NOW_S + 76}, "invalid-token"),
        ({"iat": SAMPLE_NOW_S - 45, "exp": SAMPLE_NOW_S}, "token-expired"),
        ({"bh": EMPTY_HASH}, "body-hash"),
        ({"bh": None}, "body-hash"),
        ({"more": 1}, "invalid-token"),
        *(({"without": name}, "invalid-token") for name in ("iss", "aud", "iat", "exp", "jti", "bh")),
    ],
)
def test_every_claim_and_header_is_checked(changes: dict[str, Any], refusal: str | None) -> None:
    assert judged(token(SAMPLE_BODY.encode(), SAMPLE_NOW_S, **changes)) == refusal


@pytest.mark.parametrize(
    "authorization", [None, b"", b"Bearer", b"Bearer ", b"Basic eDp5", b"Bearer a.b.c", b"Bearer \xff", b"Bearer ."]
)
def test_what_is_no_token_is_refused(authorization: bytes | None) -> None:
    assert Tokens().judge(authorization, b"", SAMPLE_NOW_S).refusal == "invalid-token"


async def test_the_samples_request_goes_over_the_wire(supabets: Supabets) -> None:
    """Line, headers and body of the sample, with a token for exactly that body; and an empty body says so."""

    async def answer(heard: Heard, writer: Any) -> None:
        writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")

    async with raw_server(answer) as server:
        connector = SupabetsConnector("supabets", typed(base_url=server.url), lambda: SAMPLE_NOW_S)
        await connector.provision(provision_order(), supabets.call())
        await connector.confirm(advice_order(), supabets.call())
        await connector.reverse(advice_order(), supabets.call())
        await connector.products(supabets.call())
        await connector.close()
    put, commit, release, products = server.heard
    assert put.line == f"PUT {BASE}/reservations/{R1} HTTP/1.1"
    assert (put.header("content-type"), put.header("content-length")) == ("application/json", "96")
    assert put.body == SAMPLE_BODY.encode()
    assert (put.header("user-agent") or "").startswith("voucherswitch/")
    assert [heard.line.rpartition(" ")[0] for heard in (commit, release, products)] == [
        f"POST {BASE}/reservations/{R1}/commit",
        f"DELETE {BASE}/reservations/{R1}",
        f"GET {BASE}/products",
    ]
    for empty in (commit, release, products):
        assert (empty.header("content-type"), empty.header("content-length"), empty.body) == (None, "0", b"")
    jtis = set()
    for heard in server.heard:
        header, claims = verified(heard.header("authorization"))
        assert header == b'{"alg":"HS256","typ":"JWT","kid":"k1"}'
        said = msgspec.json.decode(claims)
        jtis.add(said.pop("jti"))
        assert said == {
            "iss": PARTNER_ID,
            "aud": "supabets-voucher",
            "iat": SAMPLE_NOW_S,
            "exp": SAMPLE_NOW_S + 45,
            "bh": b64(hashlib.sha256(heard.body).digest()),
        }
        assert list(msgspec.json.decode(claims)) == ["iss", "aud", "iat", "exp", "jti", "bh"]
    assert len(jtis) == 4


def verified(authorization: str | None) -> tuple[bytes, bytes]:
    """Header and claims of a token whose signature the standard library finds right."""
    assert authorization is not None
    header, claims, signature = authorization.removeprefix("Bearer ").split(".")
    assert b64(hmac.digest(SECRET.encode(), f"{header}.{claims}".encode(), "sha256")) == signature
    return base64.urlsafe_b64decode(header + "=="), base64.urlsafe_b64decode(claims + "==")


async def test_2_over_the_wire_the_sample_is_answered_and_a_changed_one_is_not(supabets: Supabets) -> None:
    await supabets.at(SAMPLE_TIME)
    path = f"/reservations/{R1}"
    changed = SAMPLE_TOKEN[:-3] + "XWc"
    refused = await supabets.raw("PUT", path, SAMPLE_BODY.encode(), with_token=changed)
    assert code_of(refused) == (401, "invalid-token")
    assert (await supabets.raw("PUT", path, SAMPLE_BODY.encode(), with_token=SAMPLE_TOKEN)).status == 201


async def test_one_token_for_one_request(supabets: Supabets) -> None:
    """A token id serves once in two minutes, whatever the request was, and also when that was refused."""
    used = "11111111-2222-4333-8444-555555555555"
    assert (await supabets.raw("GET", "/products", jti=used)).status == 200
    assert code_of(await supabets.raw("GET", "/products", jti=used)) == (401, "jti-reused")
    assert code_of(await supabets.raw("GET", f"/reservations/{R1}", jti=used)) == (401, "jti-reused")
    # A token that was refused is not used up.
    other = used.replace("1", "9")
    assert code_of(await supabets.raw("GET", "/products", jti=other, bh="x")) == (401, "body-hash")
    assert (await supabets.raw("GET", "/products", jti=other)).status == 200
    await supabets.advance(121_000)
    assert (await supabets.raw("GET", "/products", jti=used)).status == 200


async def test_a_request_that_came_twice_is_in_doubt(supabets: Supabets) -> None:
    """`jti-reused` proves that the same request was there before, and that one may have been processed."""
    await supabets.fault("decline", op="provision", params={"code": "jti-reused"})
    outcome = await supabets.connector.provision(provision_order(), supabets.call())
    assert isinstance(outcome, OutcomeUnknown)
    assert (outcome.error_type.value, outcome.provider_code) == ("DUPLICATE_RECORD", "jti-reused")
    assert len(await supabets.journal()) == 1


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("secret", "x" * 31, "at least 32 characters"),
        ("secret", ..., "providers.supabets.secret is missing"),
        ("partner_id", "", "not empty"),
        ("kid", ..., "providers.supabets.kid is missing"),
        ("late_reveal", "yes", "providers.supabets.late_reveal"),
        ("base_path", "retail/", "providers.supabets.base_path"),
        ("reveal", True, "is not a setting"),
    ],
)
def test_a_wrong_setting_is_refused_by_name_and_never_quoted(key: str, value: object, says: str) -> None:
    wanted = {name: one for name, one in (SETTINGS | {key: value}).items() if one is not ...}
    with pytest.raises(ProviderSettingsError, match=says) as refused:
        connect("supabets", wanted)
    assert SECRET not in str(refused.value)


def test_settings_never_show_their_secret() -> None:
    assert SECRET not in repr(typed())
