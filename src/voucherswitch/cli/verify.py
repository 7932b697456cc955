"""`voucherswitch verify`: does the journal agree with itself, and can what is sealed in it be opened."""

import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from voucherswitch.cli.context import with_database
from voucherswitch.cli.errors import FAILED, CommandError, line_for, usage_error
from voucherswitch.cli.output import JsonFlag, lasting, plain, print_json, print_table
from voucherswitch.cli.progress import progress
from voucherswitch.cli.times import moment

if TYPE_CHECKING:
    import asyncpg

    from voucherswitch.config.settings import Settings
    from voucherswitch.journal.invariants import Finding

COULD_NOT: Final = 2
AUDIT: Final = "audit_chain"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(verify)


def verify(
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only what changed since: 30m, 24h, 7d, or a time like 2026-11-23T08:00Z."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what changed before: written the same.")
    ] = None,
    sample: Annotated[
        int,
        typer.Option(
            min=0, max=100_000, help="Open what is sealed of so many of the oldest and of the newest requests; 0: none."
        ),
    ] = 100,
    examples: Annotated[int, typer.Option(min=1, max=500, help="Show so many rows of each finding.")] = 3,
    as_json: JsonFlag = False,
) -> None:
    """Check what must hold in the journal, while the switch works.

    No request both confirmed and reversed, every acknowledged advice still on its way or delivered, every voucher as
    its records say: each invariant is asked over all of the journal, or over what changed since a time. Then whether
    the vault key opens what is sealed, whether the trace has room for tomorrow, and whether the audit trail is as it
    was recorded. It reads only; a million transactions take about a minute. The workers ask the same every minute,
    over what changed.

    Exit codes: 0 all of it holds, 1 something is broken, 2 it could not be found out.

    \b
    Examples:
      voucherswitch verify                    after a restore, before a release
      voucherswitch verify --since 24h        what changed in the last day
      voucherswitch verify --json             for a script or a scheduler
    """
    for name, value in (("--since", since), ("--until", until)):
        if value is not None and moment(value, datetime.now(UTC)) is None:
            usage_error(f"{name}: {value} is no time; write 30m, 24h, 7d, or 2026-11-23T08:00Z")
    began_s = time.monotonic()
    try:
        asked, findings = with_database(
            lambda connection, settings: _verify(connection, settings, (since, until), sample, show=not as_json)
        )
    except CommandError as error:
        raise CommandError(str(error), COULD_NOT) from error
    except Exception as error:
        line = line_for(error) or ("the database did not answer in time" if isinstance(error, TimeoutError) else None)
        if line is None:
            raise
        raise CommandError(f"could not be found out: {line}", COULD_NOT) from error
    took_s = time.monotonic() - began_s
    if as_json:
        print_json(
            {"holds": not findings, "asked": asked, "took_s": took_s, "findings": [_described(f) for f in findings]}
        )
    else:
        _print(findings, asked, took_s, examples)
    if findings:
        raise typer.Exit(FAILED)


async def _verify(
    connection: "asyncpg.Connection",
    settings: "Settings",
    span: tuple[str | None, str | None],
    sample: int,
    *,
    show: bool,
) -> "tuple[list[str], list[Finding]]":
    from voucherswitch.journal import soundness
    from voucherswitch.journal.invariants import EVER, INVARIANTS, TO_THE_END, Window, check_one
    from voucherswitch.security.key_source import source_of
    from voucherswitch.security.vault import Vault

    if await soundness.lacks_migrations(connection):
        raise CommandError("the database lacks this release's migrations; run: voucherswitch db migrate")
    now = await connection.fetchval("SELECT clock_timestamp()")
    since, until = (None if text is None else moment(text, now) for text in span)
    window = Window(since=since or EVER, until=until or TO_THE_END)
    steps: dict[str, Callable[[], Awaitable[Finding | None]]] = {
        invariant.name: lambda invariant=invariant: check_one(connection, invariant, window)  # type: ignore[misc]  # bound now
        for invariant in INVARIANTS
        if not (since and invariant.only_full)
    }
    if sample:
        vault = Vault(source_of(settings).read())
        steps[soundness.SEALED] = lambda: soundness.check_sealed(connection, vault, sample)
    steps[soundness.TRACE] = lambda: soundness.check_trace(connection)
    steps[AUDIT] = lambda: _check_audit(connection)
    findings = []
    with progress(len(steps)) if show else nullcontext(lambda *_: None) as advance:
        for number, (name, step) in enumerate(steps.items()):
            advance(min(number, 1), name)
            finding = await step()
            if finding is not None:
                findings.append(finding)
    return list(steps), findings


async def _check_audit(connection: "asyncpg.Connection") -> "Finding | None":
    """Walk the audit trail, all of it whatever the window: None, it is as it was recorded."""
    from voucherswitch.journal.invariants import Breach, Finding
    from voucherswitch.people.audit.chain import walk

    walked = await walk(connection)
    if not walked.faults:
        return None
    return Finding(
        name=AUDIT,
        purpose="The audit trail is as it was recorded: nothing changed, taken out, put in or cut off.",
        row_means="An event that is not what was recorded, or is missing.",
        remedy="Take a copy of the database before anything else, then as docs/operations/audit.md says.",
        rows=tuple(Breach(str(fault.seq), None, fault.found) for fault in walked.faults),
        more=walked.more,
    )


def _print(findings: "list[Finding]", asked: list[str], took_s: float, examples: int) -> None:
    if not findings:
        print(f"All {len(asked)} invariants hold; it took {lasting(took_s)}.")
        return
    rows = [
        (
            finding.name,
            f"{finding.count}{'+' if finding.more else ''}",
            "\n".join(f"{row.request_id or row.key}: {row.found}" for row in finding.rows[:examples]),
            finding.row_means,
            finding.remedy,
        )
        for finding in findings
    ]
    print_table(("Broken", ">Rows", "For example", "It means", "Do"), rows, empty="")
    print(f"{len(findings)} of {len(asked)} invariants are broken. The story of a request: voucherswitch explain ID")


def _described(finding: "Finding") -> dict[str, Any]:
    described: dict[str, Any] = plain(finding)
    return described | {"count": finding.count, "examples": plain(finding.examples)}
