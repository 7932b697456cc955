"""Runs the hand-written SQL of a revision: one file beside it, sent as it stands."""

from importlib.resources import files

from alembic import op


def run_script(name: str) -> None:
    """Execute the script `name` of the versions folder in the revision's own transaction."""
    script = (files(__package__) / "versions" / name).read_text(encoding="utf-8")
    connection = op.get_bind().connection.dbapi_connection
    if connection is None:
        raise RuntimeError(f"{name}: the migration has no connection")
    # The driver's own simple-query call: it takes many statements at once and no parameters.
    connection.run_async(lambda driver: driver.execute(script))
