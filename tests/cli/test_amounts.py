"""Rand as people type it, cents as everything else holds it."""

import pytest
import typer

from voucherswitch.cli.amounts import amount_option, cents_of, rand


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("100", 10_000),
        ("100.00", 10_000),
        ("R100", 10_000),
        ("0.05", 5),
        (" 29 ", 2_900),
        ("999999999.99", 99_999_999_999),
    ],
)
def test_an_amount_is_in_rand(text: str, cents: int) -> None:
    assert cents_of(text) == cents


@pytest.mark.parametrize("text", ["", "1.5", "1.005", "1,50", "-1", "1 000", "R", "1e3", "\u0661", "1000000000"])
def test_any_other_shape_is_refused_and_never_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount in rand"):
        cents_of(text)


def test_a_wrong_amount_is_a_wrong_use_of_the_command() -> None:
    with pytest.raises(typer.BadParameter, match="such as 100 or"):
        amount_option("1.5")


@pytest.mark.parametrize(("cents", "text"), [(10_000, "R100.00"), (5, "R0.05"), (-150, "-R1.50"), (None, "-")])
def test_cents_are_written_as_rand(cents: int | None, text: str) -> None:
    assert rand(cents) == text
