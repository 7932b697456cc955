"""What may be set (settings.py), what is fixed (limits.py) and their reference: read once at start, passed down."""
