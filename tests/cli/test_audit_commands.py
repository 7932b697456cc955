"""`voucherswitch audit`, and that the other administration commands are in it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cli.cli_support import Done, Terminal, environment, open_folder
from support.vault import vault_of
from voucherswitch.journal.embedded import EmbeddedPostgres


class Desk:
    """Somebody at a terminal who administers a database."""

    def __init__(self, folder: Path, url: str, terminal: Terminal) -> None:
        self.folder, self.url, self._terminal = folder, url, terminal
        self.env = environment(DATABASE_URL=url, VOUCHERSWITCH_VAULT_KEY_FILE=str(folder / "vault.key"))

    async def run(self, *arguments: str, stdin: str = "") -> Done:
        """Type a command, and what it asks for."""
        return await asyncio.to_thread(self._terminal.run, *arguments, folder=self.folder, env=self.env, stdin=stdin)

    async def ok(self, *arguments: str) -> Done:
        """Type a command that must succeed."""
        done = await self.run(*arguments)
        assert done.code == 0, f"{arguments}: {done.code}\n{done.out}{done.err}"
        return done

    async def events(self, action: str) -> list[dict[str, Any]]:
        """The events of an action, the oldest first."""
        found: list[dict[str, Any]] = (await self.ok("audit", "list", "--action", action, "--json")).json
        return found[::-1]


@pytest.fixture(scope="module")
async def desk(terminal: Terminal) -> AsyncIterator[Desk]:
    with open_folder() as folder, EmbeddedPostgres(folder / "data") as server:
        vault_of(folder / "vault.key")
        typing = Desk(folder, server.url, terminal)
        await typing.ok("db", "migrate")
        yield typing


def sealed(secret: str) -> tuple[str, str]:
    return "--secret", f"api_key={secret}"


async def test_what_a_command_changes_is_recorded_with_who_and_what_it_was_before(desk: Desk) -> None:
    secret = "correct-horse-battery"
    receiver = ("--settlement-id", "33333333", "--settlement-name", "Settler")
    for line in (
        ("receiver", "add", "77777777", "--name", "Marula", *receiver),
        ("receiver", "add", "77777777", "--name", "Marula Music", *receiver),
        ("originator", "add", "33334444", "--name", "Baobab", "--password", secret),
        ("originator", "set", "33334444", "--deadline-s", "30", "--receiver", "77777777"),
        ("originator", "password", "33334444", "--password", f"{secret}-2"),
        ("provider", "set", "mobi", "--connector", "sandbox", "base_url=http://127.0.0.1:9", *sealed(secret)),
        ("provider", "set", "mobi", *sealed(f"{secret}-2")),
        ("provider", "set", "mobi", "--disabled"),
        ("product", "add", "GIFT75", "--receiver", "77777777", "--name", "Gift", "--amount", "75"),
        ("route", "add", "--product", "GIFT75", "--provider", "mobi", "--provider-product", "X"),
        ("saf", "pause", "mobi"),
        ("saf", "resume", "mobi"),
        ("provider", "maintenance", "add", "mobi", "--until", "2099-01-01T00:00Z", "--reason", "too long"),
        ("provider", "close-breaker", "mobi"),
    ):  # fmt: skip
        await desk.run(*line)
    names = {event["action"]: event for event in reversed((await desk.ok("audit", "list", "--json")).json)}
    assert list(names) == [
        "migration.run", "receiver.change", "originator.add", "originator.change", "credential.issue", "provider.add",
        "secret.set", "provider.change", "product.change", "route.change", "saf.pause", "saf.resume", "audit.search",
    ][: len(names)], "what was refused, or changed nothing, is not there"  # fmt: skip
    changed = names["originator.change"]
    assert changed["actor_kind"] == "cli"
    assert changed["actor_id"].startswith("cli:")
    assert "@" in changed["actor_id"]
    assert (changed["before"], changed["after"]) == (
        {"deadline_s": 60, "receivers": None},
        {"deadline_s": 30, "receivers": ["77777777"]},
    )
    assert names["receiver.change"]["before"]["name"] == "Marula"
    assert names["credential.issue"]["after"] == {"password": "changed"}
    assert names["provider.add"]["after"]["sealed"] == {"api_key": "set"}
    assert names["secret.set"]["after"]["sealed"] == {"api_key": "changed"}
    everything = (await desk.ok("audit", "export")).out
    assert secret not in everything
    assert "argon2" not in everything


async def test_the_trail_is_verified_and_a_changed_event_is_named(desk: Desk) -> None:
    await desk.ok("receiver", "add", "88888888", "--name", "A", "--settlement-id", "1", "--settlement-name", "S")
    whole = await desk.ok("audit", "verify", "--json")
    assert whole.json["holds"] is True
    head = whole.json["head"]
    log = desk.folder / "worker.log"
    log.write_text(json.dumps({"event": "audit head", "head": head}) + "\n", encoding="utf-8")
    compared = await desk.ok("audit", "verify", "--log", str(log), "--head", head, "--json")
    assert compared.json["compared"] == 2
    assert "as they were recorded" in (await desk.ok("audit", "verify")).out
    assert (await desk.ok("verify", "--json")).json["holds"] is True

    owner = await asyncpg.connect(desk.url)
    try:
        await owner.execute("SET session_replication_role = replica")
        await owner.execute("UPDATE audit_event SET actor_id = 'cli:nobody@host' WHERE seq = 2")
        for command in (("audit", "verify", "--json"), ("verify", "--json")):
            found = await desk.run(*command)
            assert found.code == 1
            assert "event 2 was changed" in found.out
        await owner.execute(
            "UPDATE audit_event SET actor_id = (SELECT actor_id FROM audit_event WHERE seq = 1) WHERE seq = 2"
        )
    finally:
        await owner.close()
    assert (await desk.run("audit", "verify")).code == 0
    beyond = await desk.run("audit", "verify", "--head", f"900:{'0' * 64}")
    assert beyond.code == 1
    assert "the trail once went to 900" in beyond.out
    assert (await desk.run("audit", "verify", "--head", "900")).code == 2


async def test_events_are_shown_and_exported(desk: Desk) -> None:
    first = (await desk.ok("audit", "show", "1", "--json")).json
    assert (first["seq"], first["action"], first["prev_hash"]) == (1, "migration.run", "0" * 64)
    assert (await desk.run("audit", "show", "99999")).code == 3
    file = desk.folder / "trail.jsonl"
    assert "events are in" in (await desk.ok("audit", "export", "--file", str(file))).out
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[0] == first
    assert "is there already" in (await desk.run("audit", "export", "--file", str(file))).line
    table = (await desk.ok("audit", "export", "--format", "csv", "--action", "migration")).out.splitlines()
    assert table[0].startswith("seq,at,actor_kind")
    assert len(table) == 2
    assert "no time" in (await desk.run("audit", "list", "--since", "yesterday")).line
