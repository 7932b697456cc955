"""`voucherswitch originator certificate`: which client certificates an originator may come with (N11).

Who has any registered must present one of them, whatever his password. By fingerprint it is one certificate; by
subject it is every certificate of that name which an authority of `tls_client_ca_file` has issued, so that a renewed
one needs no visit here.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voucherswitch.cli.actor import Why, changing
from voucherswitch.cli.context import with_database
from voucherswitch.cli.errors import NOT_FOUND, CommandError, usage_error
from voucherswitch.cli.output import JsonFlag, print_json, print_table

if TYPE_CHECKING:
    import asyncpg

app = typer.Typer(
    help="Client certificates of an originator: who has any must present one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Id = Annotated[str, typer.Argument(metavar="ID", help="The originator.")]
File = Annotated[
    Path | None, typer.Option("--file", metavar="PEM", help="The certificate itself; its fingerprint is taken.")
]
Fingerprint = Annotated[
    str | None, typer.Option(metavar="HEX", help="SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256`.")
]
Subject = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Every certificate of this subject, RFC 4514: CN=33334444,O=Baobab Stores."),
]


@app.command()
def add(
    originator_id: Id, file: File = None, fingerprint: Fingerprint = None, subject: Subject = None, why: Why = None
) -> None:
    """Register a certificate. In force within two seconds; from then on the originator needs one.

    In production somebody else must agree: asked for with --why, done by the same command once it is agreed to.

    \b
    Examples:
      voucherswitch originator certificate add 33334444 --file client.pem
      voucherswitch originator certificate add 33334444 --subject "CN=33334444,O=Baobab Stores"
    """
    by, value = _named(file, fingerprint, subject)
    with_database(lambda connection, _: _add(connection, originator_id, by, value, why))
    print(f"Originator {originator_id} may come with {by} {value}.")


@app.command()
def remove(
    originator_id: Id,
    file: File = None,
    fingerprint: Fingerprint = None,
    subject: Subject = None,
    password_alone: Annotated[
        bool, typer.Option("--password-alone", help="Take the last one too: then its password alone is enough.")
    ] = False,
    why: Why = None,
) -> None:
    """Take a certificate away. In force within two seconds, also on connections that are open.

    In production nobody needs to agree, but to --password-alone.

    \b
    Example:
      voucherswitch originator certificate remove 33334444 --file stolen.pem
    """
    by, value = _named(file, fingerprint, subject)
    with_database(
        lambda connection, _: _remove(connection, originator_id, by, value, password_alone=password_alone, why=why)
    )
    print(f"Originator {originator_id} may no longer come with {by} {value}.")


@app.command(name="list")
def show(originator_id: Id, as_json: JsonFlag = False) -> None:
    """List the certificates of an originator.

    \b
    Example:
      voucherswitch originator certificate list 33334444
    """
    found = with_database(lambda connection, _: _load(connection, originator_id))
    if as_json:
        print_json([dict(row) for row in found])
        return
    rows = [(row["fingerprint"] or "", row["subject"] or "", f"{row['added_at']:%Y-%m-%d %H:%M}") for row in found]
    print_table(("Fingerprint", "Subject", "Added (UTC)"), rows, empty="None: its password alone is enough.")


def _named(file: Path | None, fingerprint: str | None, subject: str | None) -> tuple[str, str]:
    """By what the certificate is named, and how."""
    given = [
        name for name, value in (("--file", file), ("--fingerprint", fingerprint), ("--subject", subject)) if value
    ]
    if len(given) != 1:
        usage_error("name the certificate by one of --file, --fingerprint and --subject")
    if file is not None:
        return "fingerprint", _fingerprint_of(file)
    if fingerprint is not None:
        return "fingerprint", _fingerprint(fingerprint)
    return "subject", _subject(subject or "")


def _fingerprint_of(file: Path) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except ValueError:
        raise CommandError(f"{file} holds no certificate: name a PEM file") from None
    return found[0].fingerprint(SHA256()).hex()


def _fingerprint(text: str) -> str:
    digits = text.rpartition("=")[2].replace(":", "").strip().lower()  # as openssl prints it, too
    if len(digits) != 64 or any(digit not in "0123456789abcdef" for digit in digits):
        raise CommandError(f"{text!r} is not a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")
    return digits


def _subject(text: str) -> str:
    from cryptography.x509 import Name

    try:
        return Name.from_rfc4514_string(text).rfc4514_string()  # written as we write those that come
    except ValueError:
        raise CommandError(f"{text!r} is not a name as RFC 4514 writes it: CN=33334444,O=Baobab Stores") from None


async def _add(connection: "asyncpg.Connection", originator_id: str, by: str, value: str, why: str | None) -> None:
    from voucherswitch.catalogue.certificates import add_certificate

    async with changing(connection, "credential.issue", "originator", originator_id, why=why) as change:
        change.asked_id = f"{originator_id} {by} {value}"
        change.after = {f"certificate {by}": value}
        await add_certificate(connection, originator_id, by, value)


async def _remove(
    connection: "asyncpg.Connection", originator_id: str, by: str, value: str, *, password_alone: bool, why: str | None
) -> None:
    from voucherswitch.catalogue.certificates import remove_certificate

    async with changing(connection, "credential.revoke", "originator", originator_id, why=why) as change:
        change.before, change.after = {f"certificate {by}": value}, {}
        left = await remove_certificate(connection, originator_id, by, value)
        if not left and not password_alone:
            raise CommandError(
                f"this is the last certificate of originator {originator_id}, and without one its password alone is "
                "enough: add another first, disable the originator, or say --password-alone"
            )
        if not left:
            # Not a revocation any more: from now on less is asked of whoever comes.
            change.needs, change.after = "credential.issue", {"certificates": "none: the password alone is enough"}


async def _load(connection: "asyncpg.Connection", originator_id: str) -> "list[asyncpg.Record]":
    from voucherswitch.catalogue.certificates import certificates_of

    if not await connection.fetchval("SELECT EXISTS (SELECT FROM originator WHERE originator_id = $1)", originator_id):
        raise CommandError(f"originator {originator_id} is not known; see: voucherswitch originator list", NOT_FOUND)
    return await certificates_of(connection, originator_id)
