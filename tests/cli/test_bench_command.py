"""`voucherswitch bench` hands over to the source tree's benchmark, and says so where there is none."""

import subprocess
from pathlib import Path

import pytest

from cli.cli_support import COMMAND_S_MAX, command, environment
from voucherswitch.cli import bench
from voucherswitch.cli.errors import CommandError


def test_the_options_are_those_of_the_benchmark(tmp_path: Path) -> None:
    done = subprocess.run(
        command("bench", "--only", "e"),
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.strip() == "bench: --only 'e' is not made of a, b, c and d, like --only a,c"


def test_an_installed_switch_says_where_the_benchmark_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "TREE", tmp_path)

    with pytest.raises(CommandError, match="run make bench in a source tree"):
        bench.bench()
