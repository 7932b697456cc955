"""`voucherswitch provider check`: the conformance kit from the command line."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from voucherswitch.cli.amounts import AMOUNT_HELP, amount_option
from voucherswitch.cli.errors import FAILED, CommandError, say, usage_error
from voucherswitch.cli.output import JsonFlag, print_json, print_table

if TYPE_CHECKING:
    from voucherswitch.providers.kit.report import Report, Result
    from voucherswitch.providers.kit.runner import Target
    from voucherswitch.providers.kit.scenario import Scenario
    from voucherswitch.providers.kit.subject import Subject

Tick = Callable[[str], None]

_NAMED_MAX: Final = 40  # scenarios that are skipped for one reason and still told by name


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(check)


def check(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Its connector: sandbox, …")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every provider, a line each.")] = False,
    against: Annotated[
        str | None, typer.Option(metavar="URL", help="A sandbox of the provider's own, not our simulator.")
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --against: JSON with the connector's settings, secrets included."),
    ] = None,
    product: Annotated[
        str | None, typer.Option(metavar="REF", help="With --against: what is sold there, as the provider names it.")
    ] = None,
    amount: Annotated[
        str | None, typer.Option(metavar="RAND", help=f"With --against: for how much, {AMOUNT_HELP}.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="SCENARIO", help="Only this one, or those that begin so; may be repeated."),
    ] = None,
    scenarios: Annotated[bool, typer.Option("--scenarios", help="List the scenarios and run none.")] = False,
    report: Annotated[Path | None, typer.Option(metavar="FILE.md", help="Also write the report as a page.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run the conformance kit: try a connector against its simulator, or against a sandbox of the provider's own.

    Every scenario that the provider's capabilities select is run: sales, refusals, cut connections, advices, files.
    Each starts from nothing. Against a provider's own sandbox only those run that need no simulator; they sell, redeem
    and reverse there. Exit code 0: nothing failed.

    \b
    Examples:
      voucherswitch provider check sandbox
      voucherswitch provider check sandbox --only cut --only reverse
      voucherswitch provider check --all --report conformance.md
      voucherswitch provider check ott --against https://test.example --settings ott.json --amount 10
    """
    if scenarios:
        _list_scenarios(only or [])
        return
    if (name is None) != every:
        usage_error("name one provider, or --all")
    if against is None and (settings or product or amount):
        usage_error("--settings, --product and --amount go with --against URL")
    if against is not None and every:
        usage_error("--against and --all exclude each other")
    wanted = _chosen(only or [])
    subjects, absent = _subjects(name)
    target = None if against is None else _target(against, settings, product, amount)
    with _progress(len(subjects) * len(wanted)) as tick:
        reports = asyncio.run(_run(subjects, wanted, target, tick, unfinished=bool(only)))
    if report is not None:
        report.write_text("\n".join(one.as_markdown() for one in reports), encoding="utf-8")
    if as_json:
        found = [one.as_json() for one in reports]
        print_json(found if every else found[0])
    elif every:
        _print_summary(reports)
    else:
        _print_report(reports[0])
    for reason in absent:
        say(reason)
    failed = sum(not one.passed for one in reports) + len(absent)
    if failed:
        raise CommandError(_failure(reports, failed, every=every), FAILED)


async def _run(
    subjects: Sequence["Subject"],
    wanted: Sequence["Scenario"],
    target: "Target | None",
    tick: Tick,
    *,
    unfinished: bool,
) -> list["Report"]:
    from voucherswitch.providers.kit.runner import run

    def done(result: "Result") -> None:
        tick(result.scenario)

    return [await run(subject, wanted, target, done, unfinished=unfinished) for subject in subjects]


def _subjects(name: str | None) -> tuple[list["Subject"], list[str]]:
    """The providers to try; with none named all of them, and why some of those cannot be tried."""
    from voucherswitch.providers import registry
    from voucherswitch.providers.kit.subject import NoKitError, subject

    found, absent = [], []
    for one in registry.names() if name is None else [name]:
        try:
            found.append(subject(one))
        except NoKitError as error:
            if name is not None:
                raise CommandError(str(error)) from error
            absent.append(str(error))
    return found, absent


def _chosen(only: Sequence[str]) -> Sequence["Scenario"]:
    from voucherswitch.providers.kit.runner import chosen

    try:
        return chosen(only)
    except LookupError as error:
        usage_error(f"there is no scenario {error.args[0]!r}; list them with --scenarios")


def _target(against: str, file: Path | None, product: str | None, amount: str | None) -> "Target":
    """The sandbox to try, from the address and the file of settings."""
    from voucherswitch.providers.kit.runner import Target

    settings = {} if file is None else _settings(file)
    url = urlsplit(against)
    if "@" in url.netloc:  # the report names the address
        usage_error("credentials belong into the file of --settings, not into the address")
    if url.scheme == "tcp":
        settings |= {"host": url.hostname, "port": url.port}
    elif url.scheme in ("http", "https"):
        settings["base_url"] = against.rstrip("/")
    else:
        usage_error(f"{against!r} is not http://…, https://… or tcp://host:port")
    return Target(against, settings, product, None if amount is None else amount_option(amount))


def _settings(file: Path) -> dict[str, Any]:
    import json

    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CommandError(f"{file} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise CommandError(f"{file} is not a JSON object with the connector's settings")
    return found


def _print_report(found: "Report") -> None:
    for label, text in found.head:
        print(f"{label + ':':<10}{text}")
    tried = [one for one in found.results if one.verdict.value != "skipped"]
    rows = [(one.number, one.scenario, one.verdict.value, one.seen, f"{one.duration_ms} ms") for one in tried]
    print_table((">Check", "Scenario", "Result", "What was seen", ">Time"), rows, empty="Nothing was tried.")
    skipped: dict[str, list[str]] = {}
    for one in found.results:
        if one not in tried:
            skipped.setdefault(one.seen, []).append(one.scenario)
    for reason, names in skipped.items():
        print(f"Skipped, {reason}: {', '.join(names) if len(names) < _NAMED_MAX else f'{len(names)} scenarios'}")
    print(found.summary)


def _print_summary(reports: Sequence["Report"]) -> None:
    from voucherswitch.providers.kit.report import Verdict

    rows = [
        (
            one.provider, one.labelled, *(one.count(verdict) for verdict in Verdict), f"{one.duration_ms / 1000:.1f} s",
            " ".join(_failed(one)) or "-",
        )
        for one in reports
    ]  # fmt: skip
    columns = ("Provider", "Protocol", ">Passed", ">Failed", ">Skipped", ">Time", "Failed scenarios")
    print_table(columns, rows, empty="No provider can be tried.")


def _failed(found: "Report") -> list[str]:
    return [one.scenario for one in found.results if one.verdict.value == "failed"]


def _failure(reports: Sequence["Report"], failed: int, *, every: bool) -> str:
    if every:
        return f"{failed} providers do not conform; see: voucherswitch provider check NAME"
    names = _failed(reports[0])
    if not names:
        return "nothing was tried: every scenario was skipped"
    if steps := [one for one in names if one.startswith("to-do-")]:
        return f"{len(steps)} steps of the to-do list in kit.py are left"
    return f"{len(names)} of {len(reports[0].results)} scenarios failed: {', '.join(names)}"


def _list_scenarios(only: Sequence[str]) -> None:
    rows = [(one.number, one.name, "yes" if one.live else "no", one.title) for one in _chosen(only)]
    print_table((">Check", "Scenario", "Also without simulator", "What the contract asks"), rows, empty="None.")


@contextmanager
def _progress(total: int) -> Iterator[Tick]:
    """A progress bar on standard error, where somebody looks at it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("Checking"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=total)
        yield lambda scenario: progress.update(task, advance=1, description=scenario)
