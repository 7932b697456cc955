"""OAuth2: what a token says, how ours are signed, and how each is judged (0026)."""
