"""Phase 1: the domain. A matching engine in plain Python, and the oracle of all the others."""

from phase1_domain.book import Engine

__all__ = ["Engine"]
