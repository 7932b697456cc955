"""Amounts as people type and read them: rand on the command line, integer cents everywhere else. Pure."""

import re
from typing import Final

import typer

AMOUNT_HELP: Final = "in rand: 100, 100.00 and R100.00 are all one hundred rand"

_RAND: Final = re.compile(r"R?(?P<rand>\d{1,9})(?:\.(?P<cents>\d{2}))?", re.ASCII)


def cents_of(text: str) -> int:
    """Read a rand amount: `100` and `100.00` are 10000 cents.

    Raises:
        ValueError: any other shape; never rounded, never guessed.
    """
    match = _RAND.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an amount in rand, such as 100 or 100.00")
    return int(match["rand"]) * 100 + int(match["cents"] or 0)


def amount_option(text: str) -> int:
    """`cents_of` for an option: a wrong amount is a wrong use of the command."""
    try:
        return cents_of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def rand(cents: int | None) -> str:
    """Write cents as people read them: R150.00; an amount that is not known is a dash."""
    if cents is None:
        return "-"
    sign = "-" if cents < 0 else ""
    return f"{sign}R{abs(cents) // 100}.{abs(cents) % 100:02d}"
