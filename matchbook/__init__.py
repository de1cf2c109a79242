"""The ``matchbook`` command: run any engine of the book on a real order stream."""
