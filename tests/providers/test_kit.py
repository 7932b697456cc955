"""Every provider through the conformance kit, scenario by scenario; a failure names both."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.kit_support import plain
from voucherswitch import providers
from voucherswitch.providers import registry
from voucherswitch.providers.kit.report import Verdict
from voucherswitch.providers.kit.runner import run_one
from voucherswitch.providers.kit.scenario import Scenario
from voucherswitch.providers.kit.scenarios import ALL
from voucherswitch.providers.kit.subject import Subject, subjects

LOGGING = frozenset({"logging", "structlog", "warnings"})
EXPECTED = frozenset(
    {
        *("betway", "bluvoucher", "flash", "hollywoodbets", "lottostar", "netcare", "ott", "sandbox", "stellr"),
        *("supabets", "yoyo"),
    }
)


def cases() -> Iterator[object]:
    """What applies by each provider's own record; the rest would only be reported as skipped."""
    for subject in subjects():
        for one in ALL:
            if one.skipped(subject.profile, subject.record, live=False) is None:
                tried = subject if one.name == "sale" else plain(subject)  # one with the settings as they are
                yield pytest.param(tried, one, id=f"{subject.name}-{one.name}")


@pytest.mark.parametrize(("subject", "scenario"), [*cases()])
async def test_scenario(subject: Subject, scenario: Scenario) -> None:
    result = await run_one(subject, scenario)
    assert result.verdict is not Verdict.FAILED, f"{scenario.title} {result.seen}"


def test_every_provider_can_be_tried() -> None:
    """Whoever adds a provider adds its kit.py."""
    tried = {subject.name for subject in subjects()}
    assert tried == set(registry.names())
    assert tried >= EXPECTED


@pytest.mark.parametrize("name", registry.names())
def test_no_connector_logs(name: str) -> None:
    """What is to be known of an exchange is in its leg, masked; a log line would be neither."""
    folder = Path(providers.__path__[0]) / name
    said = [
        f"{module.name} line {getattr(node, 'lineno', 0)}"
        for module in folder.glob("*.py")
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if _logs(node)
    ]
    assert said == []


def _logs(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(one.name.split(".")[0] in LOGGING for one in names)
        case ast.ImportFrom(module=str(module)):
            return module.split(".")[0] in LOGGING
        case ast.Call(func=ast.Name(id="print")):
            return True
    return False


def test_no_two_scenarios_have_the_same_name() -> None:
    names = [one.name for one in ALL]
    assert len(set(names)) == len(names)
    assert all(one.title.endswith(".") and "\n" not in one.title for one in ALL)


@pytest.mark.parametrize("name", sorted(subject.name for subject in subjects()))
def test_nothing_is_left_to_do(name: str) -> None:
    assert registry.kit_profile(name).to_do == ()


@pytest.mark.parametrize("name", sorted(subject.name for subject in subjects()))
def test_what_a_profile_calls_not_applicable_is_a_scenario_and_has_a_reason(name: str) -> None:
    """A mistyped name would hide nothing and mislead whoever reads it."""
    profile = registry.kit_profile(name)
    for pattern, reason in profile.not_applicable.items():
        stem = pattern.removesuffix("*")
        assert any(one.name == pattern or (stem != pattern and one.name.startswith(stem)) for one in ALL), pattern
        assert len(reason.split()) > 2, f"{pattern}: {reason!r} is no reason"
