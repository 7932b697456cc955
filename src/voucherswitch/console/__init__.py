"""Operate: web pages that show what the path wrote. Nothing here writes, and nothing sealed is opened."""
