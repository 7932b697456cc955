"""`voucherswitch provider check`: what is printed, written and returned; the scenarios have tests of their own."""

import json
from pathlib import Path

import pytest

from voucherswitch.cli.main import app, guarded


def typed(*arguments: str) -> int:
    """Type `voucherswitch provider check …` in this process."""
    words = ["provider", "check", *arguments]
    return guarded(lambda: app(words, standalone_mode=False, prog_name="voucherswitch"), debug=False)


def test_a_run_shows_each_scenario_and_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "sandbox.md"
    assert typed("sandbox", "--only", "sale", "--only", "no-tender", "--report", str(page)) == 0
    shown = capsys.readouterr()
    assert "Provider: sandbox" in shown.out
    assert "Approved, 10000 cents" in shown.out
    assert "Skipped, the record says tenderFirst=no: no-tender" in shown.out
    assert shown.out.splitlines()[-1].startswith("sandbox: 1 passed, 0 failed, 1 skipped in ")
    assert page.read_text(encoding="utf-8").startswith("# Conformance of sandbox\n")
    assert shown.err == ""


def test_json_is_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("sandbox", "--only", "sale", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["provider"], found["passed"], found["failed"]) == ("sandbox", 1, 0)


def test_nothing_tried_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("sandbox", "--only", "no-tender") == 1
    assert "nothing was tried" in capsys.readouterr().err


def test_a_sandbox_that_is_not_there_fails_and_names_the_scenario(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text('{"api_key": "x", "default_outlet": "S001"}')
    arguments = ("--against", "http://127.0.0.1:9", "--settings", str(settings), "--amount", "10")
    assert typed("sandbox", "--only", "sale", *arguments) == 1
    shown = capsys.readouterr()
    assert "against http://127.0.0.1:9" in shown.out
    assert "NotSent UPSTREAM_UNAVAILABLE" in shown.out
    assert shown.err == "voucherswitch: 1 of 1 scenarios failed: sale\n"


def test_the_scenarios_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("--scenarios", "--only", "cut-hang") == 0
    shown = capsys.readouterr().out
    assert "cut-hang_before" in shown
    assert "cut-hang_after" in shown
    assert "cut-drop_before" not in shown


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        ((), 2, "name one provider, or --all"),
        (("sandbox", "--all"), 2, "name one provider, or --all"),
        (("sandbox", "--amount", "10"), 2, "go with --against"),
        (("--all", "--against", "http://127.0.0.1:1"), 2, "exclude each other"),
        (("sandbox", "--against", "127.0.0.1"), 2, "is not http://"),
        (("sandbox", "--against", "https://me:secret@example.com"), 2, "credentials belong into the file"),
        (("sandbox", "--against", "http://127.0.0.1:1", "--amount", "1.5"), 2, "is not an amount in rand"),
        (("sandbox", "--only", "nothing"), 2, "there is no scenario 'nothing'"),
        (("nobody",), 1, "there is no provider 'nobody'; there are "),
        (("sandbox", "--against", "http://example.com"), 1, "providers.sandbox.api_key is missing"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: tuple[str, ...], code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(*arguments) == code
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert line in shown
