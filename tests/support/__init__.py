"""What the tiers that run the real switch share: its processes, an originator's client, and messages to send."""
