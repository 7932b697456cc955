"""What the simulated Netcare sells, and how its vouchers follow one another (providers.md 2.5, 2.7)."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.simulator.check_digits import MOD_32_ALPHABET, luhn_mod_32, next_in_alphabet


class Service(Struct, frozen=True):
    """One service at its price."""

    code: str
    description: str
    price_cents: int
    suspended: bool = False
    months: int = 12


FIXTURES: Final[tuple[Service, ...]] = (
    Service("GP-CONSULT-1", "GP consultation, one visit", 10_000),
    Service("GP-MEDS-1", "GP consultation with medicine, one visit", 45_000),
    Service("DENTAL-CHECK", "Dental check-up, one visit", 60_000),
    Service("OPTO-EXAM", "Eye examination, one visit", 52_000),
    Service("OLD-SERVICE", "A service that is no longer sold", 30_000, suspended=True),
)


class Shelf:
    """The catalogue as it stands, and the next voucher: after every reset the samples' first, then counting up."""

    def __init__(self) -> None:
        self._services = {service.code: service for service in FIXTURES}
        self._body = "7KM4QX9TB2H"
        self._reference = 1

    @property
    def services(self) -> Mapping[str, Service]:
        return self._services

    def reprice(self, code: str, price_cents: int) -> None:
        """Change a price from now on."""
        self._services[code] = msgspec.structs.replace(self._services[code], price_cents=price_cents)

    def number(self) -> str:
        body, self._body = self._body, next_in_alphabet(self._body, MOD_32_ALPHABET)
        return body + luhn_mod_32(body)

    def reference(self) -> str:
        reference, self._reference = self._reference, self._reference + 1
        return f"NV{reference:010d}"
