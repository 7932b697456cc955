"""What operators type when a credential has leaked: the commands, against the running switch."""

import asyncio
import json
import os
import sys

from support.oauth import App, an_app, use
from support.originators import Originator
from support.processes import Process
from support.switch import Switch
from support.waiting import eventually


async def command(switch: Switch, *words: str) -> str:
    """Run a command against the switch's database; return what it printed."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VOUCHERSWITCH_")}
    environ |= {"DATABASE_URL": switch.database_url, "VOUCHERSWITCH_DATA_DIR": str(switch.folder / "data")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "voucherswitch", *words, env=environ, cwd=switch.folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return printed.decode()


async def test_a_client_is_made_used_and_taken_back_by_commands(switch: Switch) -> None:
    originator = Originator("22225101", {"product_lookup": True})
    await switch.add_originator(originator)
    made = json.loads(await command(switch, "originator", "client", "add", originator.id, "--json"))
    app = App(switch, originator, made["client_id"], made["client_secret"])
    await eventually(lambda: app.granted_at(switch.client), "the worker to know the client")
    token = await app.token()
    assert (await use(switch.client, token)).status == 200

    listed = await command(switch, "originator", "client", "list", originator.id, "--json")
    assert made["client_id"] in listed
    assert made["client_secret"] not in listed

    await command(switch, "token", "revoke", "--originator", originator.id)

    async def refused() -> bool:
        return (await use(switch.client, token)).status == 401

    await eventually(refused, "the revoked token to be refused")
    recorded = await switch.rows("SELECT action, after::text FROM audit_event WHERE object_id = $1", originator.id)
    assert {row["action"] for row in recorded} >= {"credential.issue", "credential.revoke"}
    assert made["client_secret"] not in str(recorded)


async def test_the_log_tells_why_a_token_was_refused_and_never_the_token(switch: Switch) -> None:
    originator = Originator("22225102", {"product_lookup": True})
    await switch.add_originator(originator)
    app = await an_app(switch, originator)
    log_in = await app.log_in()
    await app.ask("/oauth2/revoke", token=log_in["refresh_token"])
    assert (await use(switch.client, log_in["access_token"])).status == 401

    worker: Process = switch.workers[0]
    logged = worker.text()
    assert "token does not count" in logged
    for secret in (log_in["access_token"], log_in["refresh_token"], app.secret):
        assert secret not in logged
