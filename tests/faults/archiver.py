"""An archiver in a process of its own, in small batches, for a test to kill: DATABASE_URL, and a directory."""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg

from voucherswitch.journal.archive.run import Archiver, Policy


async def main() -> None:
    """Archive until nothing is left."""
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    policy = Policy(closed_days=180, voucher_days=1_100)
    await Archiver(connection, Path(sys.argv[1]), policy, batch_rows=250).run()
    await connection.close()


asyncio.run(main())
