"""Too many requests of one sender are answered 503 before anything is done, and others are served."""

from ipaddress import ip_network

from support.client import Client
from support.messages import a_provision, new_id
from support.oauth import an_app, post_form
from support.originators import OTHER, TILL, Originator
from support.switch import Switch
from voucherswitch.interface.oauth.endpoints import TOKEN_PATH

NOWHERE = "192.0.2.254/32"  # whoever may come from anywhere would open the listeners of other tests


async def statuses(client: Client, path: str, by: Originator, count: int) -> list[int]:
    """Ask so often, one after the other."""
    return [(await client.get(path, by=by)).status for _ in range(count)]


async def test_product_lookups_leave_time_for_sales(switch: Switch) -> None:
    async with switch.extra_worker(PRODUCT_LOOKUPS_PER_S="1") as client:
        found = await statuses(client, "/products", TILL, 20)
        assert {200, 503} == set(found)
        assert found.count(200) < 15

        assert (await client.post("/vouchers", a_provision(TILL))).status == 201, "its own sales"
        assert (await client.get("/products", by=OTHER)).status == 200, "others' lookups"


async def test_an_originators_rate_is_its_own_and_an_advice_is_refused_like_everything(switch: Switch) -> None:
    slow = Originator(f"F-{new_id()[:8]}", {"product_lookup": True, "requests_per_s": 1, "sources": None})
    await switch.add_originator(slow)

    refused = [answer for _ in range(20) if (answer := await switch.client.get("/products", by=slow)).status != 200]

    assert refused
    assert {(answer.status, answer.error_type) for answer in refused} == {(503, "UPSTREAM_UNAVAILABLE")}
    assert (await switch.client.get("/products", by=TILL)).status == 200
    await switch.set_originator(slow.id, requests_per_s=None, sources=[ip_network(NOWHERE)])


async def test_a_sources_rate_is_asked_before_anything_else(switch: Switch) -> None:
    async with switch.extra_worker(SOURCE_REQUESTS_PER_S="1") as client:
        nobody = Originator(new_id())
        answers = [await client.get("/products", by=nobody) for _ in range(10)]

        assert {answer.status for answer in answers} == {401, 503}


async def test_rates_hold_for_tokens_too(switch: Switch) -> None:
    """Else a source, or an originator, asks there what it may not ask elsewhere."""
    async with switch.extra_worker(SOURCE_REQUESTS_PER_S="1") as client:
        form, stranger = {"grant_type": "client_credentials"}, (new_id(), "wrong")
        answers = [await post_form(client, TOKEN_PATH, form, stranger) for _ in range(10)]
        assert {answer.status for answer in answers} == {401, 503}

    slow = Originator(f"F-{new_id()[:8]}", {"product_lookup": True, "requests_per_s": 1, "sources": None})
    await switch.add_originator(slow)
    app = await an_app(switch, slow)
    assert {(await app.ask(grant_type="client_credentials")).status for _ in range(10)} == {200, 503}
    await switch.set_originator(slow.id, requests_per_s=None, sources=[ip_network(NOWHERE)])
