"""`voucherswitch provider new`: what it writes is clean, works, and fails the kit with what is left to do."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from voucherswitch.cli.main import app, guarded
from voucherswitch.providers.kit.scaffold import files

ROOT: Final = Path(__file__).parents[2]
# Short and long, before and after the modules that a provider imports: lines and their order depend on the name.
NAMES: Final = ("ab", "acacia", "zebra", "abcdefghijklmnopqrst")


def typed(*arguments: str) -> int:
    """Type `voucherswitch provider new …` in this process."""
    words = ["provider", "new", *arguments]
    return guarded(lambda: app(words, standalone_mode=False, prog_name="voucherswitch"), debug=False)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of our sources with a new provider of each name."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in NAMES:
        assert typed(name, "--root", str(folder)) == 0
    return folder


def run(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the project in the checkout, with the checkout's sources."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV", "VOUCHERSWITCH"))}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=checkout,
        env=kept | {"PYTHONPATH": str(checkout / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def folders() -> list[str]:
    return [f"{parent}/{name}" for name in NAMES for parent in ("src/voucherswitch/providers", "tests/providers")]


def test_every_name_gives_clean_code(checkout: Path) -> None:
    for command in (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)):
        done = run(checkout, *command, *folders())
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_kit_fails_with_the_list_of_what_is_left_and_nothing_else(checkout: Path) -> None:
    done = run(checkout, "voucherswitch", "provider", "check", "zebra")
    assert done.returncode == 1
    assert done.stderr == "voucherswitch: 11 steps of the to-do list in kit.py are left\n"
    steps = re.findall(r"to-do-(\d+) +failed +(\S+):", done.stdout)
    assert [int(number) for number, _ in steps] == list(range(1, 12))
    for _, place in steps:
        assert list(checkout.glob(f"src/voucherswitch/providers/zebra/{place}")) or (checkout / place).is_dir(), place


def test_what_it_starts_from_conforms_so_that_only_the_real_protocol_can_break_it(checkout: Path) -> None:
    kit = checkout / "src/voucherswitch/providers/zebra/kit.py"
    whole = kit.read_text(encoding="utf-8")
    kit.write_text(re.sub(r"    to_do=\(.*?\n    \),\n", "", whole, flags=re.DOTALL), encoding="utf-8")
    try:
        done = run(checkout, "voucherswitch", "provider", "check", "zebra")
    finally:
        kit.write_text(whole, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failed, " in done.stdout


def test_its_tests_pass(checkout: Path) -> None:
    done = run(checkout, "pytest", "-q", "tests/providers/zebra", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Acacia", "is not 2 to 20 small letters and digits"),
        ("a", "is not 2 to 20 small letters and digits"),
        ("../x", "is not 2 to 20 small letters and digits"),
        ("sandbox", "exists already"),
        ("kit", "exists already"),
        ("contract", "exists already"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(name, "--root", str(ROOT)) in (1, 2)
    assert line in capsys.readouterr().err


def test_outside_a_checkout_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("acacia", "--root", str(tmp_path)) == 1
    assert "is no checkout of voucherswitch" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_it_has_every_file_of_a_provider() -> None:
    ours = {path.name for path in (ROOT / "src/voucherswitch/providers/sandbox").iterdir() if path.suffix}
    written = {file.path.name for file in files("acacia", 9_112)}
    assert ours <= written
