"""The published page of what may be seen is what the marks beside the fields say."""

from pathlib import Path

from voucherswitch.interface.masking_reference import render

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "masking.md"


def test_the_page_is_up_to_date() -> None:
    """Otherwise write it anew: make docs"""
    assert PAGE.read_text(encoding="utf-8") == render()
