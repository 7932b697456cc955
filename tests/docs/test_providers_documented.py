"""The published page of providers is what their capability records and settings say."""

from pathlib import Path

import pytest

from voucherswitch.providers import registry
from voucherswitch.providers.reference import render

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "providers.md"


def test_the_page_is_up_to_date() -> None:
    """Otherwise write it anew: make docs"""
    assert PAGE.read_text(encoding="utf-8") == render()


@pytest.mark.parametrize("name", registry.names())
def test_a_proposed_protocol_is_never_shown_as_the_providers_own(name: str) -> None:
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {name}\n")[1].split("\n## ")[0]

    assert f"**{registry.kit_profile(name).labelled}.**" in section
    assert "Documented" in section or "Proposed" in section


@pytest.mark.parametrize("name", registry.names())
def test_the_folders_own_page_says_what_is_documented_and_what_proposed(name: str) -> None:
    readme = Path(__file__).parents[2] / "src" / "voucherswitch" / "providers" / name / "README.md"
    text = readme.read_text(encoding="utf-8")

    assert "Proposed" in text or "Documented" in text
