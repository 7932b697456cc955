"""Our own issuer of tokens: `/oauth2/…` (RFC 6749, 7009, 7517, 8414; decision 0026)."""
