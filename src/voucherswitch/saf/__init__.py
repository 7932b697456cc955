"""Tell later: confirmations and reversals are acknowledged at once and delivered until the provider has answered."""
