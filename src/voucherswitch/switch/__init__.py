"""Decide: one file per flow, and the life cycle they all ask."""
