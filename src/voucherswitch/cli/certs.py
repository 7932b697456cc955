"""`voucherswitch certs`: certificates for development."""

from pathlib import Path
from typing import Annotated

import typer

from voucherswitch.cli.context import load_settings

app = typer.Typer(help="Certificates for development.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def certs() -> None:
    """Certificates for development."""


@app.command()
def dev(
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Where they are.  [default: certs in the data directory]"),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="NAME", help="Further name or address of the server; may be repeated."),
    ] = None,
    clients: Annotated[
        list[str] | None, typer.Option("--client", metavar="ID", help="Issue a client's certificate; may be repeated.")
    ] = None,
    revoked: Annotated[
        list[str] | None,
        typer.Option("--revoke", metavar="ID", help="Put a client's certificate on the revocation list."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is asked for if it exists: server and clients.")
    ] = False,
) -> None:
    """Make a development CA, a server certificate, client certificates and a revocation list.

    What exists stays, so that the command can be repeated with more clients. The server certificate is for localhost,
    127.0.0.1, ::1, this machine's name and each --name. Refused in production: the CA's key lies beside what it issued.

    \b
    Examples:
      voucherswitch certs dev
      voucherswitch certs dev --client 33334444
      voucherswitch certs dev --name switch.test --overwrite
      voucherswitch certs dev --revoke 33334444
    """
    from voucherswitch.security.dev_certificates import DevCertificates

    settings = load_settings()
    settings.require_sandbox("development certificates")
    made = DevCertificates((folder or settings.data_dir / "certs").absolute())
    made.ensure_authority()
    if overwrite and not clients and not revoked:
        made.make_server(names or (), replace=True)
    elif names:
        made.make_server(names, replace=overwrite)
    else:
        made.ensure_server()
    for client_id in clients or ():
        made.make_client(client_id, replace=overwrite)
    for client_id in revoked or ():
        made.revoke(client_id)
    certificate, key = made.server
    print(f"tls_certificate_file          {certificate}")
    print(f"tls_key_file                  {key}")
    print(f"tls_client_ca_file            {made.authority}")
    print(f"tls_client_revocations_file   {made.revocations}")
    for client_id in clients or ():
        print(f"client {client_id}: {' '.join(str(path) for path in made.client(client_id))}")
