"""What a value of each FIX data type looks like."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from phase5_protocol.fix.clock import parse_date, parse_timestamp


def _pattern(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: compiled.fullmatch(value) is not None


# No number has more digits: they would only serve to make us compute.
_is_number = _pattern(r"-?(?=\.?\d)\d{0,18}(\.\d{0,18})?")
_is_integer = _pattern(r"-?\d{1,18}")
_is_count = _pattern(r"\d{1,18}")
_is_month = _pattern(r"\d{4}(0[1-9]|1[0-2])([0-3]\d|w[1-5])?")
_is_time = _pattern(r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?")
_is_day = _pattern(r"[1-9]|[12]\d|3[01]")


def _is_timestamp(value: str) -> bool:
    return parse_timestamp(value) is not None


def _is_date(value: str) -> bool:
    return parse_date(value) is not None


#: Data type to whether a value is one. See also TEXTS and MULTIPLE.
FORMATS: Final[dict[str, Callable[[str], bool]]] = {
    "CHAR": lambda value: len(value) == 1,
    "BOOLEAN": lambda value: value in ("Y", "N"),
    "INT": _is_integer,
    "LENGTH": _is_count,
    "SEQNUM": _is_count,
    "NUMINGROUP": _is_count,
    "FLOAT": _is_number,
    "PRICE": _is_number,
    "PRICEOFFSET": _is_number,
    "QTY": _is_number,
    "QUANTITY": _is_number,
    "AMT": _is_number,
    "PERCENTAGE": _is_number,
    "DAYOFMONTH": _is_day,
    "DAY-OF-MONTH": _is_day,
    "MONTHYEAR": _is_month,
    "MONTH-YEAR": _is_month,
    "UTCTIMESTAMP": _is_timestamp,
    "UTCTIMEONLY": _is_time,
    "UTCDATE": _is_date,
    "UTCDATEONLY": _is_date,
    "LOCALMKTDATE": _is_date,
}

#: Types that take any text, here.
TEXTS: Final = frozenset(
    ("STRING", "DATA", "XMLDATA", "CURRENCY", "EXCHANGE", "COUNTRY", "LANGUAGE", "TENOR", "TIME")
).union(("DATE", "PATTERN", "XID", "XIDREF", "TZTIMEONLY", "TZTIMESTAMP", "LOCALMKTTIME"))

#: Types whose value is several of the listed ones, with spaces between.
MULTIPLE: Final = frozenset(("MULTIPLEVALUESTRING", "MULTIPLESTRINGVALUE", "MULTIPLECHARVALUE"))


def count_of(value: str) -> int | None:
    """The number that a field of digits stands for, or None if it is none."""
    return int(value) if _is_count(value) else None
