"""Remember: PostgreSQL, group commit, guarded changes, migrations."""
