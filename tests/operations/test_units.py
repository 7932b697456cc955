"""The units for systemd: systemd itself accepts them, and finds little that they leave open."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from deploy.sbom import ROOT

from voucherswitch.config.settings import Settings

UNITS: Final = ROOT / "deploy" / "systemd"
TEMPLATE: Final = UNITS / "voucherswitch@.service"
PROCESSES: Final = ("switch", "worker", "console")
# systemd's own figure, 0 to 10: below 2 it says OK. What is left is that it may use the network, which is its work.
EXPOSURE_MAX: Final = "20"

analyzed = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as they would be installed, for a program that exists on this machine."""
    shutil.copytree(UNITS, tmp_path, dirs_exist_ok=True)
    template = tmp_path / TEMPLATE.name
    template.write_text(template.read_text().replace("/opt/voucherswitch/bin/voucherswitch", sys.executable))
    return tmp_path


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask systemd-analyze about units of this folder only."""
    return subprocess.run(
        ["systemd-analyze", *arguments],
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{folder}:"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@analyzed
@pytest.mark.parametrize("process", PROCESSES)
def test_systemd_accepts_every_line(installed: Path, process: str) -> None:
    unit = installed / f"voucherswitch@{process}.service"
    shutil.copy(installed / TEMPLATE.name, unit)

    told = analyze(installed, "verify", str(unit))

    ours = [line for line in told.stderr.splitlines() if "voucherswitch" in line]
    assert (told.returncode, ours) == (0, [])


@analyzed
def test_systemd_finds_little_left_open(installed: Path) -> None:
    unit = installed / "voucherswitch@switch.service"
    shutil.copy(installed / TEMPLATE.name, unit)

    told = analyze(installed, "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(unit))

    assert told.returncode == 0, told.stdout


def test_a_stop_leaves_the_drain_its_time() -> None:
    """drain_s, then 10 s for what is written after it (docs/operations/runbook.md)."""
    seconds = re.search(r"^TimeoutStopSec=(\d+)$", TEMPLATE.read_text(), re.MULTILINE)
    assert seconds is not None
    assert int(seconds[1]) >= Settings.model_fields["drain_s"].default + 10


def test_every_environment_variable_is_one_that_we_know() -> None:
    known = {f"VOUCHERSWITCH_{name.upper()}" for name in Settings.model_fields} | {"VOUCHERSWITCH_CONFIG"}
    text = "\n".join(path.read_text() for path in UNITS.rglob("*") if path.is_file())

    assert set(re.findall(r"^Environment=(\w+)=", text, re.MULTILINE)) <= known


def test_one_path_is_writable_and_no_key_is_in_a_variable() -> None:
    text = TEMPLATE.read_text()

    assert "ProtectSystem=strict" in text
    assert re.findall(r"^(?:ReadWritePaths|StateDirectory)=(.*)$", text, re.MULTILINE) == ["voucherswitch"]
    assert re.findall(r"^Environment=VOUCHERSWITCH_VAULT_KEY_FILE=(.*)$", text, re.MULTILINE) == [
        "/etc/voucherswitch/vault.key"
    ]
    assert "VAULT_KEYS" not in text
