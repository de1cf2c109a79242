"""Checks and generators that keep the repository true to itself; not part of the package."""
