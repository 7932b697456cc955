"""The sandbox provider as the benchmark sees it: how many vouchers it has issued (providers.md section 11)."""

import json
from typing import Final
from urllib.error import URLError
from urllib.request import Request, urlopen
from uuid import uuid4

from bench.errors import BenchError
from bench.provision import AMOUNT_CENTS

API_KEY: Final = "example-sandbox-key"
SIMULATOR_PORT: Final = 11  # above the base of the simulators' ports
CONTROL_PORT: Final = 111
FLOAT_CENTS: Final = 10**15


class Sandbox:
    """The running simulator."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def issued(self) -> int:
        """Return how many vouchers were issued so far, by buying one more.

        Its references are numbered in the order of issue, so one purchase tells. The simulator's journal would tell
        too, but it is read as a whole, and it is long after a few rounds.
        """
        sale = {
            "requestId": str(uuid4()),
            "productId": "SBXANY",
            "amountCents": AMOUNT_CENTS,
            "currency": "ZAR",
            "store": "S001",
            "terminal": "TERM0001",
        }
        request = Request(
            f"{self.url}/vouchers",
            json.dumps(sale).encode(),
            {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"},
        )
        try:
            with urlopen(request, timeout=10) as answer:
                return int(json.load(answer)["providerRef"].removeprefix("SBXV"))
        except (URLError, OSError, ValueError, KeyError) as error:
            raise BenchError(f"the sandbox provider at {self.url} did not issue a voucher: {error}") from None

    def refill(self, control_url: str) -> None:
        """Give the switch a balance at the provider that no run can use up."""
        body = json.dumps({"cents": FLOAT_CENTS}).encode()
        request = Request(f"{control_url}/__sim/float", body, {"Content-Type": "application/json"})
        try:
            urlopen(request, timeout=10).close()
        except (URLError, OSError) as error:
            raise BenchError(f"the sandbox provider's control port {control_url} did not answer: {error}") from None
