"""`python -m bench.authentication_worker product|nobody`: one switch worker, timed, or asking nobody who he is.

`nobody` is what authentication is measured against, and exists here only: the gatekeeper is replaced by one that takes
every request for the benchmark's originator. Everything else is the product. `product` is the product, and writes to
the file that BENCH_STAGES names what the gatekeeper took of the processor for each request. Settings come from the
environment.
"""

import json
import os
import sys
import time
from collections import defaultdict, deque
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.provision import ORIGINATOR
from voucherswitch.config.settings import Settings
from voucherswitch.interface.gatekeeper import Gatekeeper
from voucherswitch.interface.server import serve
from voucherswitch.monitoring.logs import configure

SAMPLES_MAX: Final = 100_000
STAGES: Final = "BENCH_STAGES"


async def anybody(_self: Gatekeeper, _request: object, catalogue: Any, *_: object) -> object:
    """The originator, whoever asks."""
    return catalogue.originators[ORIGINATOR]


class Timed:
    """The gatekeeper's own work, with a clock around it that counts this thread's processor time only."""

    def __init__(self) -> None:
        self._identify = Gatekeeper.identify
        self._taken: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=SAMPLES_MAX))

    async def identify(self, gatekeeper: Gatekeeper, request: Any, *known: Any) -> Any:
        """Ask, and note what it took. A password that is remembered is judged without a pause in which others work."""
        before = time.thread_time()
        found = await self._identify(gatekeeper, request, *known)
        taken_us = (time.thread_time() - before) * 1e6
        scheme = request.headers.get("authorization", "").partition(" ")[0]
        self._taken[f"{scheme} {request.url.scheme}"].append(taken_us)
        return found

    def write(self, path: Path) -> None:
        """Write the median by scheme, in microseconds."""
        path.write_text(json.dumps({scheme: median(taken) for scheme, taken in self._taken.items()}))


def main(mode: str) -> None:
    """Serve until SIGTERM."""
    timed = Timed()
    if mode == "nobody":
        Gatekeeper.identify = anybody  # type: ignore[method-assign,assignment]  # the point of this module
    else:

        async def identify(gatekeeper: Gatekeeper, request: Any, *known: Any) -> Any:
            return await timed.identify(gatekeeper, request, *known)

        Gatekeeper.identify = identify  # type: ignore[method-assign,assignment]  # as above
    settings = Settings()
    configure(settings.log_level, settings.log_format)
    assert settings.database_url is not None
    try:
        with suppress(KeyboardInterrupt):  # the benchmark stops its children by SIGINT, and uvicorn raises it once more
            serve(settings, settings.database_url)
    finally:
        if STAGES in os.environ:
            timed.write(Path(os.environ[STAGES]))


if __name__ == "__main__":
    main(sys.argv[1])
