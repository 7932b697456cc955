"""Every numbered rule of interface.md has a test that bears its number: `test_v4_…`, `test_r9_f9_…`."""

import ast
import re
from pathlib import Path
from typing import Final

# Letter -> how many rules of that letter there are, or which of them this folder owes.
RULES: Final[dict[str, range | tuple[int, ...]]] = {
    "v": range(1, 15),  # §4.3 provisions
    "r": range(1, 14),  # §4.4 redemptions
    "f": range(1, 14),  # §4.5 refunds
    "x": range(1, 11),  # §4.6 situations certification does not have
    "i": range(1, 11),  # §4.7 identity
    "t": range(1, 10),  # §4.8 retries
    "l": range(1, 5),  # §4.8 voucher lookup
    "k": range(1, 7),  # §4.8 redemption lookup
    "p": range(1, 3),  # §4.8 products
    "a": range(1, 12),  # §5.3 advices
    "m": range(1, 27),  # §6 flows
    "w": range(1, 10),  # §7 tenders
    "o": (9,),  # §10, the decision that is a branch of its own
    "n": (3, 4, 5, 6, 7, 8, 9, 10),  # §9; N1, N2 and N11 are about TLS, addresses and certificates: tests/threats
    "sequence_": range(1, 10),  # §4.10
}
SECTIONS: Final = ("1", "2_8", "3_1", "3_2", "3_3", "3_4", "3_5", "5_1", "5_2", "5_4")
NUMBER: Final = re.compile(r"(sequence_|[a-z])(\d+)_")


def names_of_tests() -> set[str]:
    """The names of all tests of this folder, as written, whatever was selected to run."""
    return {
        node.name
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def numbers_in(name: str) -> set[str]:
    """The rules that a test's name begins with."""
    rest, found = name.removeprefix("test_"), set()
    while match := NUMBER.match(rest):
        found.add(match[1] + match[2])
        rest = rest[match.end() :]
    return found


def test_every_rule_has_a_test() -> None:
    tested = {number for name in names_of_tests() for number in numbers_in(name)}
    owed = {f"{letter}{number}" for letter, numbers in RULES.items() for number in numbers}

    assert sorted(owed - tested) == []


def test_every_section_has_a_test() -> None:
    names = names_of_tests()

    assert [section for section in SECTIONS if not any(name.startswith(f"test_{section}_") for name in names)] == []


def test_no_test_claims_a_rule_that_is_none() -> None:
    claimed = {number for name in names_of_tests() for number in numbers_in(name)}
    known = {f"{letter}{number}" for letter, numbers in RULES.items() for number in numbers}

    # O: options of an originator. B7: how the providers' document resolves an unknown outcome.
    assert {number for number in claimed - known if number[0] != "o" and number != "b7"} == set()
