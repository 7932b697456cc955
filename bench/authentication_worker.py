"""`python -m bench.authentication_worker product|nobody`: one switch worker, as it is or asking nobody who he is.

`nobody` is what authentication is measured against, and exists here only: the gatekeeper is replaced by one that takes
every request for the benchmark's originator. Everything else is the product. Settings come from the environment.
"""

import sys
from collections.abc import Mapping
from typing import Any

from bench.provision import ORIGINATOR
from voucherswitch.config.settings import Settings
from voucherswitch.interface.gatekeeper import Gatekeeper
from voucherswitch.interface.server import serve
from voucherswitch.monitoring.logs import configure


async def anybody(_self: Gatekeeper, _request: object, catalogue: Any, *_: object) -> object:
    """The originator, whoever asks."""
    originators: Mapping[str, object] = catalogue.originators
    return originators[ORIGINATOR]


def main(mode: str) -> None:
    """Serve until SIGTERM."""
    if mode == "nobody":
        Gatekeeper.identify = anybody  # type: ignore[method-assign,assignment]  # the point of this module
    settings = Settings()
    configure(settings.log_level, settings.log_format)
    assert settings.database_url is not None
    serve(settings, settings.database_url)


if __name__ == "__main__":
    main(sys.argv[1])
