"""All simulators in one process: what `voucherswitch simulators` runs."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from types import MappingProxyType
from typing import Any, Final

from voucherswitch.providers import registry
from voucherswitch.providers.contract.simulator.running import RunningSimulator

NO_PROFILES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType({})


async def serve_simulators(
    host: str,
    ports: Mapping[str, int],
    profiles: Mapping[str, Mapping[str, Any]] = NO_PROFILES,
    started: Callable[[Mapping[str, RunningSimulator]], None] | None = None,
) -> None:
    """Run the named simulators until cancelled; each has its control port 100 above its own.

    Args:
        ports: connector name -> port; 0 takes free ones.
        profiles: connector name -> what its `start` takes beyond address and ports, such as `id_reuse`.
        started: called once, when all of them listen.

    Raises:
        OSError: a port is taken; the text names the address. None of them is left running.
        ValueError: no simulator of that name, or a host that is not loopback.
    """
    if unknown := ports.keys() - set(registry.names()):
        raise ValueError(f"there is no simulator {min(unknown)!r}; there are {', '.join(registry.names())}")
    async with AsyncExitStack() as stack:
        running = {
            name: await stack.enter_async_context(registry.simulator(name)(host, port, **profiles.get(name, {})))
            for name, port in ports.items()
        }
        if started is not None:
            started(running)
        await asyncio.get_running_loop().create_future()
