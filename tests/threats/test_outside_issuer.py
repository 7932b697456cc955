"""An issuer that is not us: its tokens count as far as its keys, the pinned algorithms and the settings say."""

import time
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from support.client import Client
from support.issuer import ISSUER, Issuer, an_issuer
from support.oauth import an_app, use
from support.originators import DISABLED, TILL
from support.switch import Switch

WRONG_TOKEN = 'Bearer realm="suv", error="invalid_token"'

STRANGER = ECKey.generate_key("P-256")
with warnings.catch_warnings(action="ignore"):  # our library warns of such a key, and rightly
    WEAK = RSAKey.generate_key(1024)

# What an issuer may publish besides, and nobody may sign with.
PASSED_OVER = [
    Issuer.public(WEAK),
    dict(OctKey.generate_key(256).as_dict()) | {"kid": "shared", "use": "sig"},
    Issuer.public(STRANGER, use="enc"),
    {"kty": ["EC"], "kid": "a list"},
    {"kty": "EC", "kid": ["a list"]},
    Issuer.public(STRANGER, kid="no curve", crv=["P-256"]),
    Issuer.public(STRANGER, kid="half a point", y="AA"),
    "no key",
]


@dataclass(frozen=True)
class Place:
    """A worker, and the issuer that it believes."""

    client: Client
    issuer: Issuer

    async def status(self, token: str) -> int:
        """What a call with a token is answered."""
        answer = await use(self.client, token)
        assert answer.status == 200 or answer.headers["www-authenticate"].startswith("Bearer "), answer
        return answer.status


@pytest.fixture(scope="module")
async def place(switch: Switch) -> AsyncIterator[Place]:
    async with an_issuer() as issuer:
        issuer.published += PASSED_OVER  # before it is asked for the first time
        settings = {"OAUTH_ISSUER": ISSUER, "OAUTH_JWKS_URL": issuer.url, "TOKEN_ISSUER": switch.tls_root}
        async with switch.extra_worker(**settings) as client:
            yield Place(client, issuer)


async def test_its_tokens_count_beside_ours(switch: Switch, place: Place) -> None:
    app = await an_app(switch, TILL)

    assert await place.status(place.issuer.token()) == 200
    assert await place.status(place.issuer.token(header={"typ": "JWT"}, aud=["account", "suv"])) == 200
    assert await place.status(await app.token()) == 200
    # A worker that knows no other issuer believes none.
    assert (await use(switch.client, place.issuer.token())).status == 401


async def test_its_scopes_are_what_it_says(place: Place) -> None:
    assert await place.status(place.issuer.token(scope="suv.redeem")) == 403
    assert await place.status(place.issuer.token(scope=None)) == 403


async def test_what_is_not_its_own_is_refused(place: Place) -> None:
    now = int(time.time())
    token = place.issuer.token

    for wrong in (
        token(key=STRANGER),
        token(key=WEAK),
        token(iss="https://other.example"),
        token(iss=None),
        token(aud="other"),
        token(aud=None),
        token(exp=now - 1),
        token(nbf=now + 3600),
        token(sub="nobody"),
        token(sub=DISABLED.id),
        token(sub=None),
        token(header={"jku": place.issuer.url}),
        token(header={"jwk": dict(STRANGER.as_dict(private=False))}),
        token(cnf={"jkt": "AAAA"}),
    ):
        answer = await use(place.client, wrong)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, WRONG_TOKEN)


async def test_a_token_that_names_our_own_issuer_is_not_ours(switch: Switch, place: Place) -> None:
    """The key decides whose a token is, and then the issuer must be that one."""
    assert await place.status(place.issuer.token(iss=switch.tls_root)) == 401


async def test_an_outage_keeps_its_keys_and_unknown_ones_do_not_make_us_ask_and_ask(switch: Switch) -> None:
    async with (
        an_issuer() as issuer,
        switch.extra_worker(OAUTH_ISSUER=ISSUER, OAUTH_JWKS_URL=issuer.url, TOKEN_ISSUER=switch.tls_root) as client,
    ):
        assert (await use(client, issuer.token())).status == 200
        asked = issuer.asked
        for _ in range(20):
            assert (await use(client, issuer.token(key=ECKey.generate_key("P-256")))).status == 401
        assert issuer.asked - asked <= 2

        await issuer.stop()
        assert (await use(client, issuer.token())).status == 200


async def test_an_issuer_that_is_not_there_or_talks_nonsense_lets_nobody_in(switch: Switch) -> None:
    async with an_issuer() as issuer:
        issuer.status = "302 Found"
        settings = {"OAUTH_ISSUER": ISSUER, "OAUTH_JWKS_URL": issuer.url, "TOKEN_ISSUER": switch.tls_root}
        async with switch.extra_worker(**settings) as client:
            assert (await use(client, issuer.token())).status == 401
        issuer.status = "200 OK"
        issuer.published = issuer.published * 100
        async with switch.extra_worker(**settings) as client:
            assert (await use(client, issuer.token())).status == 401
