"""The published page of commands is what the commands say of themselves."""

from pathlib import Path

from voucherswitch.cli.reference import render

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def test_the_page_is_up_to_date() -> None:
    """Otherwise write it anew: python -m voucherswitch.cli.reference > docs/reference/cli.md"""
    assert PAGE.read_text(encoding="utf-8") == render()
