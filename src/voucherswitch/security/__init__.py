"""Who may speak and what may be seen."""
