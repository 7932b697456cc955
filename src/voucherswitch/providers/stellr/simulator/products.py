"""What the simulated Stellr sells, and how its PINs follow one another (providers.md 1.5, 1.7)."""

from typing import Final

from msgspec import Struct

from voucherswitch.providers.contract.simulator.check_digits import MOD_32_ALPHABET, next_in_alphabet

N12: Final = "N12"
A16: Final = "A16"
URL: Final = "URL"

_DIGITS: Final = "0123456789"


class Product(Struct, frozen=True):
    """`low` and `high` are cents and equal for a fixed value. `refused`: the code that every sale gets, if any."""

    code: str
    brand: str
    name: str
    low: int
    high: int
    pin_format: str
    available: bool = True
    refused: str | None = None
    months: int = 36

    @property
    def fixed(self) -> bool:
        return self.low == self.high


PRODUCTS: Final = {
    product.code: product
    for product in (
        Product("GAME0100", "Example Games", "Example Games R100", 10_000, 10_000, N12),
        Product("MUSC0060", "Example Music", "Example Music R60", 6_000, 6_000, A16),
        Product("STORE001", "Example Store", "Example Store credit", 1_000, 500_000, N12),
        Product("LINK0200", "Example Links", "Example Links R200", 20_000, 20_000, URL),
        Product("EMPTY001", "Example Empty", "Example Empty R50", 5_000, 5_000, N12, available=False, refused="103"),
        Product("HALT0001", "Example Halt", "Example Halt R100", 10_000, 10_000, N12, refused="104"),
    )
}

INSTRUCTION: Final = "Enter the PIN in your account."
LINK_INSTRUCTION: Final = "Open the link to use the voucher."
_LINK_START: Final = "https://vouchers.example/r/"


class Issuer:
    """Makes PINs, serials and references, the same ones after every reset: the samples' first, then counting up."""

    def __init__(self) -> None:
        self._n12 = "300400500600"
        self._a16 = "7KM4QX9TB2HV3N5P"
        self._token = "4H7K2M9Q3T6W8Y5Z"  # noqa: S105 (an invented sample)
        self._transaction = 81_234_567
        self._serial = 700_000_000_001

    def pin(self, pin_format: str) -> str:
        """What is spent: a PIN, or for a link the link."""
        if pin_format == N12:
            pin, self._n12 = self._n12, next_in_alphabet(self._n12, _DIGITS)
            return pin
        if pin_format == A16:
            pin, self._a16 = self._a16, next_in_alphabet(self._a16, MOD_32_ALPHABET)
            return "-".join(pin[start : start + 4] for start in range(0, 16, 4))
        token, self._token = self._token, next_in_alphabet(self._token, MOD_32_ALPHABET)
        return _LINK_START + token

    def serial(self) -> str:
        serial, self._serial = self._serial, self._serial + 1
        return f"{serial:012d}"

    def transaction_id(self) -> str:
        transaction, self._transaction = self._transaction, self._transaction + 1
        return f"{transaction:012d}"
