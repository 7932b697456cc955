"""What a run found, for people, for scripts, and as a page that can be filed."""

import platform
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct

from voucherswitch import __version__
from voucherswitch.providers.contract.capabilities import Capabilities
from voucherswitch.providers.contract.kit import KitProfile


class Verdict(StrEnum):
    """How one scenario ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Result(Struct, frozen=True):
    """One scenario: `seen` is what happened, or why it did not run. `number` is its check in Part D."""

    scenario: str
    number: int
    title: str
    verdict: Verdict
    seen: str
    duration_ms: int


class Report(Struct, frozen=True):
    """One run of the kit. `at` is UTC; `record` is the capability record, by the names it is written with."""

    provider: str
    labelled: str
    evidence: str
    record: dict[str, str]
    target: str
    at: datetime
    versions: dict[str, str]
    results: tuple[Result, ...]

    @staticmethod
    def of(
        provider: str,
        profile: KitProfile,
        record: Capabilities,
        target: str,
        at: datetime,
        results: tuple[Result, ...],
    ) -> "Report":
        """Put a report together."""
        versions = {"voucherswitch": __version__, "Python": platform.python_version(), "system": platform.system()}
        words = {_camel(name): _word(getattr(record, name)) for name in record.__struct_fields__}
        return Report(provider, profile.labelled, profile.evidence, words, target, at, versions, results)

    def count(self, verdict: Verdict) -> int:
        """How many scenarios ended like this."""
        return sum(result.verdict is verdict for result in self.results)

    @property
    def passed(self) -> bool:
        """Nothing failed, and something was tried."""
        return self.count(Verdict.FAILED) == 0 and self.count(Verdict.PASSED) > 0

    @property
    def duration_ms(self) -> int:
        """All scenarios together."""
        return sum(result.duration_ms for result in self.results)

    @property
    def summary(self) -> str:
        """The whole in one line."""
        counts = ", ".join(f"{self.count(verdict)} {verdict}" for verdict in Verdict)
        return f"{self.provider}: {counts} in {self.duration_ms / 1000:.1f} s"

    @property
    def head(self) -> list[tuple[str, str]]:
        """What was tried, with which record: the lines above the table."""
        return [
            ("Provider", self.provider),
            ("Protocol", self.labelled),
            ("Evidence", self.evidence),
            ("Record", " ".join(f"{name}={value}" for name, value in self.record.items() if value != "no")),
            ("Tried", f"{self.at:%Y-%m-%d %H:%M} UTC, against {self.target}"),
            ("Versions", ", ".join(f"{name} {version}" for name, version in self.versions.items())),
        ]

    def as_json(self) -> dict[str, Any]:
        """For scripts; the keys stay."""
        return {
            "provider": self.provider,
            "labelled": self.labelled,
            "evidence": self.evidence,
            "capabilities": self.record,
            "target": self.target,
            "at": self.at.isoformat(timespec="seconds"),
            "versions": self.versions,
            "passed": self.count(Verdict.PASSED),
            "failed": self.count(Verdict.FAILED),
            "skipped": self.count(Verdict.SKIPPED),
            "duration_ms": self.duration_ms,
            "results": [
                {
                    "scenario": result.scenario,
                    "check": result.number,
                    "title": result.title,
                    "result": result.verdict.value,
                    "seen": result.seen,
                    "duration_ms": result.duration_ms,
                }
                for result in self.results
            ],
        }

    def as_markdown(self) -> str:
        """A page to file."""
        lines = [f"# Conformance of {self.provider}", "", self.summary, "", "| | |", "|---|---|"]
        lines += [f"| {name} | {_cell(value)} |" for name, value in self.head]
        lines += ["", "| Check | Scenario | Result | What was seen | Time |", "|---|---|---|---|---:|"]
        lines += [
            f"| {one.number} | `{one.scenario}`: {_cell(one.title)} | {_marked(one.verdict)} | {_cell(one.seen)} "
            f"| {one.duration_ms} ms |"
            for one in self.results
        ]
        return "\n".join([*lines, ""])


def _marked(verdict: Verdict) -> str:
    return f"**{verdict}**" if verdict is Verdict.FAILED else verdict.value


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
