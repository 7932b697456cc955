"""Single sign-on against an identity provider over real HTTP: what counts signs in, whatever else does not."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from people.people_support import DESK, HOST, Office
from support.identity import CLIENT, REDIRECT, SECRET, Identity, identity
from voucherswitch.people import oidc, user_changes
from voucherswitch.people.oidc import Oidc, Provider
from voucherswitch.people.sign_in import Answer, Refused, SignedIn


@pytest.fixture(scope="module")
def somewhere() -> Iterator[Identity]:
    with identity() as running:
        yield running


@pytest.fixture
async def provider(somewhere: Identity) -> AsyncIterator[Oidc]:
    somewhere.claims, somewhere.published, somewhere.algorithm = {}, [somewhere.key], "RS256"
    speaking = Oidc(
        Provider(
            issuer=somewhere.issuer, client_id=CLIENT, client_secret=SECRET, redirect_url=REDIRECT,
            roles={"vs-support": "support", "vs-finance": "finance_operator", "vs-money": "finance_approver"},
            strong_acr=frozenset({"phr"}),
        )
    )  # fmt: skip
    yield speaking
    await speaking.close()


async def signs_on(office: Office, provider: Oidc, somewhere: Identity, **claims: Any) -> Answer:
    somewhere.claims = claims
    begun = await oidc.begin(office.people, provider)
    state, code = somewhere.visit(begun.url)
    return await oidc.finish(office.people, provider, state, code, begun.browser_token, DESK)


async def test_the_first_sign_on_makes_a_user_with_the_roles_of_the_groups(
    strict: Office, provider: Oidc, somewhere: Identity
) -> None:
    who = {
        "preferred_username": "Ann.Lee",
        "name": "Ann Lee",
        "groups": ["vs-support", "others"],
        "amr": ["pwd", "mfa"],
    }
    answer = await signs_on(strict, provider, somewhere, **who)
    assert isinstance(answer, SignedIn)
    assert answer.stage == "open", "the identity provider has asked for a second factor"
    session = await strict.session(answer.token)
    assert session is not None
    assert (session.user.name, session.user.roles) == ("ann.lee", ("support",))
    again = await signs_on(strict, provider, somewhere, **who | {"groups": []})
    assert isinstance(again, SignedIn)
    assert await strict.pool.fetchval("SELECT count(*) FROM operator_user") == 1
    assert await strict.actions() == ["user.create", "user.sign_in", "user.sign_in"]


@pytest.mark.parametrize(
    ("claims", "stage"),
    [
        ({}, "enrol"),
        ({"amr": ["pwd"]}, "enrol"),
        ({"acr": "phr"}, "open"),
        ({"acr": "0"}, "enrol"),
        ({"amr": "mfa"}, "enrol"),
    ],
    ids=str,
)
async def test_the_second_factor_is_waived_only_when_the_identity_provider_says_it_asked_for_one(
    strict: Office, provider: Oidc, somewhere: Identity, claims: dict[str, Any], stage: str
) -> None:
    answer = await signs_on(strict, provider, somewhere, **claims)
    assert isinstance(answer, SignedIn)
    assert answer.stage == stage
    assert (await strict.user("p-1")).roles == ("viewer",)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of another"},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"aud": "another client"},
        {"aud": [CLIENT, "another"]},
        {"azp": "another client"},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"sub": None},
        {"groups": ["vs-finance", "vs-money"]},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_us_now_does_not_count(
    office: Office, provider: Oidc, somewhere: Identity, claims: dict[str, Any]
) -> None:
    assert await signs_on(office, provider, somewhere, **claims) == Refused()
    assert await office.pool.fetchval("SELECT count(*) FROM operator_user") == 0
    assert await office.actions() == ["user.sign_in_failed"]


async def test_a_key_that_is_not_the_issuers_does_not_count_and_a_new_one_is_fetched(
    office: Office, provider: Oidc, somewhere: Identity
) -> None:
    assert isinstance(await signs_on(office, provider, somewhere), SignedIn)
    first, other = somewhere.key, RSAKey.generate_key(2048, {"kid": "k2"})
    try:
        somewhere.key = other
        assert await signs_on(office, provider, somewhere) == Refused()
        somewhere.published = [first, other]
        assert isinstance(await signs_on(office, provider, somewhere), SignedIn)
        somewhere.algorithm = "RS512"
        assert await signs_on(office, provider, somewhere) == Refused(), "an algorithm that is not pinned"
    finally:
        somewhere.key = first


async def test_an_answer_counts_once_and_in_the_browser_that_began(
    office: Office, provider: Oidc, somewhere: Identity
) -> None:
    begun = await oidc.begin(office.people, provider)
    state, code = somewhere.visit(begun.url)
    assert await oidc.finish(office.people, provider, state, code, "another browser", DESK) == Refused()
    assert await oidc.finish(office.people, provider, "another state", code, begun.browser_token, DESK) == Refused()
    right = await oidc.finish(office.people, provider, state, code, begun.browser_token, DESK)
    assert isinstance(right, SignedIn)
    assert await oidc.finish(office.people, provider, state, code, begun.browser_token, DESK) == Refused()
    assert begun.browser_token not in repr(begun)


async def test_a_local_user_of_the_same_name_stays_another_person(
    office: Office, provider: Oidc, somewhere: Identity
) -> None:
    await office.hire("ann", "admin")
    answer = await signs_on(office, provider, somewhere, preferred_username="ann")
    assert isinstance(answer, SignedIn)
    session = await office.session(answer.token)
    assert session is not None
    assert session.user.name.startswith("ann-")
    assert session.user.roles == ("viewer",)


async def test_a_disabled_user_is_not_let_in_by_anybody(office: Office, provider: Oidc, somewhere: Identity) -> None:
    await signs_on(office, provider, somewhere)
    async with office.pool.acquire() as connection:
        await user_changes.set_enabled(connection, HOST, "p-1", office.people.policy, enabled=False)
    assert await signs_on(office, provider, somewhere) == Refused()


async def test_an_identity_provider_that_is_away_refuses(office: Office) -> None:
    gone = Oidc(Provider(issuer="http://127.0.0.1:1", client_id=CLIENT, client_secret=SECRET, redirect_url=REDIRECT))
    with pytest.raises(oidc.OidcError, match="cannot be reached"):
        await oidc.begin(office.people, gone)
    await gone.close()
