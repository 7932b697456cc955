"""TLS as an attacker meets it: over real sockets, against the running server."""

from support.messages import a_provision
from support.originators import TILL
from support.switch import Switch


async def test_a_sale_over_tls(switch: Switch) -> None:
    client = switch.tls_client()
    try:
        answer = await client.post("/vouchers", a_provision(TILL))
        assert answer.status == 201, answer
    finally:
        await client.close()
