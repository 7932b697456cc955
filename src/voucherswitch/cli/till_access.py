"""How a till in a terminal reaches the switch: address, user and password, from options, environment or `till.json`.

`voucherswitch up` writes that file into its data directory, readable by its owner only, so that the till's commands
work from a second terminal without arguments. It is a sandbox's comfort: the database holds only a hash.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from voucherswitch.cli.context import load_settings
from voucherswitch.cli.errors import CommandError

TILL_FILE: Final = "till.json"

UserOption = Annotated[
    str | None, typer.Option("--user", envvar="VOUCHERSWITCH_TILL_USER", help="User name, which is the client id.")
]
PasswordOption = Annotated[
    str | None, typer.Option("--password", envvar="VOUCHERSWITCH_TILL_PASSWORD", help="Its password.")
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", envvar="VOUCHERSWITCH_TILL_URL", help="Where the switch is: http://127.0.0.1:8080"),
]
CaOption = Annotated[
    Path | None,
    typer.Option("--ca", envvar="VOUCHERSWITCH_TILL_CA", metavar="PEM", help="CA of the switch, for an https --url."),
]
CertOption = Annotated[
    Path | None,
    typer.Option("--cert", envvar="VOUCHERSWITCH_TILL_CERT", metavar="PEM", help="The till's own certificate."),
]
KeyOption = Annotated[
    Path | None, typer.Option("--key", envvar="VOUCHERSWITCH_TILL_KEY", metavar="PEM", help="Its key.")
]


@dataclass(frozen=True)
class TillTls:
    """Whom a till trusts over TLS, and what it shows of itself. Without a CA: the system's."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class TillAccess:
    """What a till must know to speak to the switch."""

    url: str
    user: str
    password: str
    tls: TillTls = TillTls()


def till_tls(ca: Path | None, cert: Path | None, key: Path | None) -> TillTls:
    """Files for a connection over TLS.

    Raises:
        CommandError: a certificate without its key, or the other way round.
    """
    if (cert is None) != (key is None):
        raise CommandError("--cert and --key belong together: give both, or none")
    return TillTls(ca, cert, key)


def till_access(user: str | None, password: str | None, url: str | None, tls: TillTls) -> TillAccess:
    """Complete what was given with what `up` has written down.

    Raises:
        CommandError: something is missing.
    """
    known = None if user and password and url else read_till(load_settings().data_dir)
    if known is not None and user and user != known.user:
        known = TillAccess(url=known.url, user=user, password="")  # the file's password is another user's
    address = url or (known.url if known else None)
    name = user or (known.user if known else None)
    secret = password or (known.password if known else None)
    missing = [option for option, value in (("--url", address), ("--user", name), ("--password", secret)) if not value]
    if not address or not name or not secret:
        where = load_settings().data_dir / TILL_FILE
        raise CommandError(
            f"which till? {', '.join(missing)} not given, and not in {where}: run voucherswitch up in another "
            "terminal, or give them as options"
        )
    return TillAccess(address.rstrip("/"), name, secret, tls)


def read_till(data_dir: Path) -> TillAccess | None:
    """What `up` has written down, None when it has not, or not here."""
    path = data_dir / TILL_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return TillAccess(url=str(values["url"]), user=str(values["user"]), password=str(values["password"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CommandError(
            f"{path} cannot be read ({error}): remove it, and voucherswitch up --password sets a new one"
        ) from None


def write_till(data_dir: Path, access: TillAccess) -> Path:
    """Write it down, readable by its owner only; a reader never sees half of it."""
    path = data_dir / TILL_FILE
    draft = path.with_name(f".{TILL_FILE}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps({"url": access.url, "user": access.user, "password": access.password}, indent=2) + "\n")
    draft.replace(path)
    return path
