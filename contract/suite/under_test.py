"""The engine named on the command line: ``pytest --engine module:Class contract``."""

#: ``module:Class``, or None where no engine was named.
NAME: str | None = None
