"""Check digits of the references that providers print (providers.md B.10). Pure."""

from typing import Final

MOD_32_ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

_DOUBLED: Final = {"0": 0, "1": 2, "2": 4, "3": 6, "4": 8, "5": 1, "6": 3, "7": 5, "8": 7, "9": 9}


def luhn(body: str) -> str:
    """The check digit of a string of digits: `7310024689135` -> `2`."""
    # Every other digit from the right counts double, and a double above 9 as the sum of its digits.
    return str(-(sum(_DOUBLED[digit] for digit in body[::-2]) + sum(map(int, body[-2::-2]))) % 10)


def luhn_mod_32(body: str) -> str:
    """The check character over 32 letters and digits without look-alikes: `7KM4QX9TB2H` -> `V`."""
    total = 0
    for place, letter in enumerate(reversed(body)):
        product = MOD_32_ALPHABET.index(letter) * (2 if place % 2 == 0 else 1)
        total += product // 32 + product % 32
    return MOD_32_ALPHABET[-total % 32]


def ean_13(body: str) -> str:
    """The check digit over twelve digits, weighted 1 and 3 from the left: `210098765432` -> `1`."""
    return str(-sum(int(digit) * (1 if place % 2 == 0 else 3) for place, digit in enumerate(body)) % 10)


def next_in_alphabet(body: str, alphabet: str) -> str:
    """The body that follows, counted in its own alphabet; after the last comes the first."""
    base = len(alphabet)
    number = 0
    for letter in body:
        number = number * base + alphabet.index(letter)
    number = (number + 1) % base ** len(body)
    letters = []
    for _ in body:
        number, index = divmod(number, base)
        letters.append(alphabet[index])
    return "".join(reversed(letters))
