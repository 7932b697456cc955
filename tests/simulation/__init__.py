"""The real switch under a virtual clock, with seeded interleavings. See README.md."""
