"""One switch worker: uvicorn on a port that all workers of a machine share.

Each worker binds with SO_REUSEPORT, so that the kernel spreads connections over them evenly; whoever starts the workers
has made sure that the port is free (`reserve_port`).
"""

import socket

import uvicorn

from voucherswitch.config.settings import Settings
from voucherswitch.interface.app import build_app

BACKLOG = 2048


class PortInUseError(OSError):
    """Somebody else listens on the port. The text says which, and which setting names another."""


def reserve_port(host: str, port: int, setting: str) -> socket.socket:
    """Make sure that nobody uses the port, then hold it for workers that bind with SO_REUSEPORT.

    Raises:
        PortInUseError: it is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
        return shared_socket(host, port)
    except OSError as error:
        raise PortInUseError(f"cannot listen on {host}:{port}: {error.strerror}; set {setting} to another") from error


def shared_socket(host: str, port: int) -> socket.socket:
    """Bind a socket that shares its port with the other workers'."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((host, port))
    return sock


def serve(settings: Settings, url: str) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in work and return."""
    config = uvicorn.Config(
        build_app(settings, url),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nobody in front of us is trusted to say who speaks
        backlog=BACKLOG,
        timeout_graceful_shutdown=settings.drain_s,
    )
    sock = shared_socket(settings.interface_host, settings.interface_port)
    uvicorn.Server(config).run(sockets=[sock])
