"""Phase 3: sorted levels. The data structure alone in Python, and the fastest book in C."""
