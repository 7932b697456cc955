"""The sandbox provider as the benchmark sees it: how many vouchers it has issued (providers.md section 11)."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

    def __init__(self, url: str, control_url: str) -> None:
        self.url = url.rstrip("/")
        self._control_url = control_url.rstrip("/")

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

    def refill(self) -> None:
        """Give the switch a balance at the provider that no run can use up."""
        self._control("POST", "float", {"cents": FLOAT_CENTS})

    @contextmanager
    def delayed(self, milliseconds: int) -> Iterator[None]:
        """Have it wait before it works on a sale, whoever sends it."""
        if not milliseconds:
            yield
            return
        self._control(
            "POST", "faults", {"op": "provision", "kind": "delay", "times": 0, "params": {"ms": milliseconds}}
        )
        try:
            yield
        finally:
            self._control("DELETE", "faults")

    def _control(self, method: str, call: str, message: Mapping[str, object] | None = None) -> None:
        body = None if message is None else json.dumps(message).encode()
        url = f"{self._control_url}/__sim/{call}"
        request = Request(url, body, {"Content-Type": "application/json"}, method=method)
        try:
            urlopen(request, timeout=10).close()
        except (URLError, OSError) as error:
            raise BenchError(f"the sandbox provider's control call {url} was not taken: {error}") from None
