"""The journal, the catalogue and who may speak.

`pre`: runs before the code that needs it; the previous release (none) can run on it.
"""

from voucherswitch.journal.migrations.scripts import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything of the first release."""
    run_script("0001_pre_initial.sql")


def downgrade() -> None:
    """Refuse: a journal is never taken back, it is restored."""
    raise RuntimeError("migrations only go forward; restore a backup to go back")
