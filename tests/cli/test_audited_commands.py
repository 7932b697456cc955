"""Every command that changes something leaves an audit event: with who, and with what was before or comes after.

The tables below name every command. One that is in none fails the test: it changes something, and then it is typed here
and its event looked for; or it does not, and says so.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from cli.cli_support import Terminal, open_folder
from cli.test_audit_commands import Desk
from cli.test_command_line import commands
from support.vault import vault_of
from voucherswitch.journal.embedded import EmbeddedPostgres
from voucherswitch.journal.resealing import let_newest_seal
from voucherswitch.people.audit.actions import ACTIONS

PASSWORD = "baobab tram 7 lemon"
FINGERPRINT = "a" * 64
ADVICE = "261ed2d5-d206-4eef-aa20-97b78acc7a7a"

# Commands that change nothing that we keep: they look, write files, run a process, or speak as a till does.
LOOKS: Final = frozenset(
    {
        "explain", "verify", "sell", "redeem", "refund", "confirm", "reverse", "lookup", "products", "switch", "worker",
        "bench", "console", "simulators", "torture", "originator list", "originator certificate list",
        "originator client list",
        "product list", "product sync", "route list", "route preview", "receiver list", "provider list",
        "provider show", "provider check", "provider new", "provider maintenance list", "saf list", "saf show",
        "user list", "user show", "user check", "role list", "role show", "approval list", "approval show",
        "audit verify", "db url", "db backup", "archive list", "archive verify", "certs dev", "vault check",
        "vault show", "token keys list",
        "vault create",  # there is no trail yet: it makes the file that comes before the journal
        "up",  # what it makes is the sandbox; its users are in the trail
    }
)  # fmt: skip

# Commands that need more than this test has: where they are typed, and their events looked for.
ELSEWHERE: Final = {
    "resolve": ("voucher.settle_unknown", "tests/conformance/test_settled_by_hand.py"),
    "db restore": ("restoration.mark", "tests/cli/test_backup.py"),
}


@dataclass(frozen=True)
class Step:
    """A command, what it needs, what it is asked, and the event that it leaves."""

    command: str
    arguments: str
    action: str
    needs: str = ""
    typed: str = ""


RECEIVER = "77777777 --name Marula --settlement-id 33333333 --settlement-name Settler"
BREAKER = "INSERT INTO provider_breaker (provider_id, opened_at, retry_at) VALUES ('mobi', now(), now())"
PARKED = (
    "INSERT INTO advice (request_id, generation, advice_id, kind, request_kind, state, originator_id, provider_id,"
    f" lane) VALUES ('{ADVICE}', 0, '{ADVICE}', 1, 1, 4, '7', 'mobi', 0)"
)
ROLE = "--permission alert.view --description Watches --why nights"
STEPS: Final = (
    Step("db migrate", "", "migration.run"),
    Step("vault add-key", "", "key.add"),
    Step("vault retire-key", "1", "key.retire", needs="the newest key seals"),
    Step("db grant-console", "vs_console", "database.grant", needs="CREATE ROLE vs_console"),
    Step("receiver add", RECEIVER, "receiver.change"),
    Step("originator add", "7 --name Baobab --password first-Baobab-77", "originator.add"),
    Step("originator set", "7 --deadline-s 30", "originator.change"),
    Step("originator set", "7 --source 10.0.0.0/8", "allowlist.change"),
    Step("originator password", "7 --password second-Baobab-78", "credential.issue"),
    Step("originator certificate add", f"7 --fingerprint {FINGERPRINT}", "credential.issue"),
    Step("originator certificate remove", f"7 --fingerprint {FINGERPRINT} --password-alone", "credential.revoke"),
    Step("originator client add", "7 --client-id app", "credential.issue"),
    Step("originator client rotate", "7 app", "credential.issue"),
    Step("originator client disable", "7 app", "originator.change"),
    Step("originator client enable", "7 app", "originator.change"),
    Step("originator client remove", "7 app", "credential.revoke"),
    Step("token revoke", "--originator 7", "credential.revoke"),
    Step("token keys rotate", "", "key.activate"),
    Step("token keys rotate", "--compromised", "key.retire"),
    Step("provider set", "mobi --connector sandbox base_url=http://127.0.0.1:9 --secret api_key=abc", "provider.add"),
    Step("provider set", "mobi --disabled", "provider.change"),
    Step("provider set", "mobi --secret api_key=def", "secret.set"),
    Step("provider close-breaker", "mobi", "breaker.reset", needs=BREAKER),
    Step("provider maintenance add", "mobi --until 2026-12-24T00:00Z --reason release", "maintenance.add"),
    Step("provider maintenance end", "1", "maintenance.end"),
    Step("product add", "GIFT --receiver 77777777 --name Gift --amount 75", "product.change"),
    Step("product import", "more.csv", "product.import"),
    Step("route add", "--product GIFT --provider mobi --provider-product X", "route.change"),
    Step("saf pause", "mobi", "saf.pause"),
    Step("saf resume", "mobi", "saf.resume"),
    Step("saf resend", ADVICE, "saf.resend", needs=PARKED),
    Step("archive run", "", "job.run"),
    Step("db restored", "--to 2026-01-01T00:00:00Z", "restoration.mark"),
    Step("db restored", "--settled", "restoration.close"),
    # Nobody is there who could agree: the host does it at once.
    Step("user invite", "joe --role viewer", "user.create"),
    Step("user roles", "joe --role support", "role.give"),
    Step("user grant-pins", "joe --days 2", "pin.grant"),
    Step("user revoke-pins", "joe --reason done", "pin.revoke"),
    Step("user unlock", "joe", "user.unlock"),
    Step("user reset-factor", "joe", "factor.reset"),
    Step("user reset-password", "joe", "password.change"),
    Step("user disable", "joe --reason left", "user.disable"),
    Step("user enable", "joe", "user.enable"),
    Step("role create", f"watch {ROLE}", "role.create"),
    Step("role grant", "watch --permission saf.view", "role.change"),
    Step("role take", "watch --permission saf.view", "role.change"),
    Step("role delete", "watch", "role.delete"),
    Step("user invite", "ann --role admin", "user.invite"),
    Step("user set-up", "ann", "password.change", typed=f"{{invitation}}\n{PASSWORD}\n{PASSWORD}\n"),
    # Now somebody is.
    Step("role create", f"watch {ROLE}-are-not-ours", "approval.request"),
    Step("approval approve", "a-1 --as ann", "approval.execute", typed=f"{PASSWORD}\n"),
    Step("role delete", "watch --why nights-are-over", "approval.request"),
    Step("approval reject", "a-2 --as ann --comment not-before-June", "approval.reject", typed=f"{PASSWORD}\n"),
    Step("role delete", "watch --why nights-are-over", "approval.request"),
    Step("approval withdraw", "a-3", "approval.withdraw"),
    Step("audit list", "", "audit.search"),
    Step("audit show", "1", "audit.search"),
    Step("audit export", "", "audit.export"),
)
WITHOUT_VALUES: Final = frozenset({"audit show"})  # it names the event that was looked at as its object


@pytest.fixture(scope="module")
async def desk(terminal: Terminal) -> AsyncIterator[Desk]:
    with open_folder() as folder, EmbeddedPostgres(folder / "data") as server:
        vault_of(folder / "vault.key")
        (folder / "more.csv").write_text("product_id,receiver_id,name,amount\nG80,77777777,Gift,80\n", encoding="utf-8")
        yield Desk(folder, server.url, terminal)


def test_every_command_is_known_to_change_something_or_not() -> None:
    named = [" ".join(path) for path, _ in commands()]
    changing = {step.command for step in STEPS} | ELSEWHERE.keys()
    assert sorted(set(named) - changing - LOOKS) == [], "does it change something? then it belongs into STEPS"
    assert sorted((changing | LOOKS) - set(named)) == []
    assert sorted(changing & LOOKS) == []
    assert {step.action for step in STEPS} <= ACTIONS.keys()


def test_what_is_looked_for_elsewhere_is() -> None:
    root = Path(__file__).parents[2]
    for command, (action, file) in ELSEWHERE.items():
        text = (root / file).read_text(encoding="utf-8")
        assert f'"{action}"' in text, f"{command}: {file} does not look for {action}"


async def test_every_command_that_changes_something_leaves_its_event(desk: Desk) -> None:
    """Who, what, and the values before or after; and of no secret more than that it was set."""
    owner = await asyncpg.connect(desk.url)
    invitation = ""
    last = 0
    try:
        for step in STEPS:
            if step.needs.startswith("the newest"):
                assert await let_newest_seal(owner) == 2
            elif step.needs:
                await owner.execute(step.needs)
            words = (*step.command.split(), *step.arguments.split())
            if step.command == "user invite":
                words = (*words, "--json")
            done = await desk.run(*words, stdin=step.typed.format(invitation=invitation))
            assert done.code == 0, f"{words}: {done.code}\n{done.out}{done.err}"
            if step.command == "user invite":
                invitation = json.loads(done.out)["invitation"]
            events = await owner.fetch("SELECT * FROM audit_event WHERE seq > $1 ORDER BY seq", last)
            last += len(events)
            found = [event for event in events if event["action"] == step.action]
            assert found, f"{' '.join(words)}: {[event['action'] for event in events]}"
            assert found[-1]["actor_id"].startswith("u-" if step.typed else "cli:"), words
            told = found[-1]["before"] or found[-1]["after"]
            assert told or step.command in WITHOUT_VALUES, f"{words}: the event has neither before nor after"
        assert (await desk.ok("audit", "verify", "--json")).json["holds"] is True
        trail = str(await owner.fetch("SELECT audit_event::text FROM audit_event"))
    finally:
        await asyncio.wait_for(owner.close(), 10)
    assert not [word for word in (PASSWORD, invitation, "first-Baobab", "second-Baobab", "argon2") if word in trail]
