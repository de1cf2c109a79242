"""Phase 5: orders arrive as bytes, and results leave as bytes."""
