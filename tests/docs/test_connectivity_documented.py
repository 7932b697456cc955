"""docs/operations/connectivity.md: its settings are accepted together, in production, and its ports are ours."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from docs.doc_pages import ROOT
from voucherswitch.config.settings import Settings

PAGE = (ROOT / "docs/operations/connectivity.md").read_text(encoding="utf-8")
BLOCKS = [tomllib.loads(block) for block in re.findall(r"^ *```toml\n(.*?)^ *```", PAGE, re.MULTILINE | re.DOTALL)]
# What every block stands on: the page's first.
BASE: dict[str, Any] = BLOCKS[0]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: next(iter(block)))
def test_the_settings_are_accepted_in_production(block: dict[str, Any], tmp_path: Path) -> None:
    key = tmp_path / "vault.key"
    key.touch(mode=0o600)  # that there is one is looked at; what it holds is not

    settings = Settings(vault_key_file=key, **BASE | block)

    assert settings.environment == "production"


@pytest.mark.parametrize("name", ["tls_port", "interface_port", "console_port", "worker_metrics_port"])
def test_the_ports_are_those_of_the_table(name: str) -> None:
    line = next(line for line in PAGE.splitlines() if f"`{name}`" in line)

    assert line.startswith(f"| {Settings.model_fields[name].default} TCP |")
