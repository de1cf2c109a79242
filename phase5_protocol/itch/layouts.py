"""Every message of Nasdaq TotalView-ITCH 5.0, stated once.

A message is a fixed number of bytes, told by its first one, the type. Integers are unsigned and
big endian, text is ASCII. All types begin alike::

    offset  size
         0     1  type                   a letter
         1     2  stock_locate           number of the stock, for this day; 0: none
         3     2  tracking_number        Nasdaq's own
         5     6  timestamp_ns           nanoseconds since midnight, New York

and go on as :data:`LAYOUTS` says. Nothing else in this repository states an offset: ``struct``
formats, numpy types, message classes and the C table (``c/itch_fields.h``, which ``c_table.py``
writes and a test compares) follow from here.
"""

from __future__ import annotations

from typing import Final

from phase5_protocol.itch.fields import Field, Kind, Layout

#: Cross orders say this instead of a price: at the market.
NO_PRICE4: Final = 0x7FFFFFFF


def _integer(name: str, offset: int, size: int) -> Field:
    return Field(name, offset, size, Kind.INTEGER)


def _alpha(name: str, offset: int, size: int = 1) -> Field:
    return Field(name, offset, size, Kind.ALPHA)


def _price4(name: str, offset: int) -> Field:
    return Field(name, offset, 4, Kind.PRICE4)


def _price8(name: str, offset: int) -> Field:
    return Field(name, offset, 8, Kind.PRICE8)


# --8<-- [start:table]
_TABLE: Final = (
    Layout(
        "S",
        "system_event",
        12,
        _alpha("event_code", 11),  # O S Q: start of messages, system, market; M E C: their end
    ),
    Layout(
        "R",
        "stock_directory",
        39,
        _alpha("stock", 11, 8),
        _alpha("market_category", 19),
        _alpha("financial_status", 20),
        _integer("round_lot_size", 21, 4),
        _alpha("round_lots_only", 25),
        _alpha("issue_classification", 26),
        _alpha("issue_sub_type", 27, 2),
        _alpha("authenticity", 29),  # P live, T test
        _alpha("short_sale_threshold", 30),
        _alpha("ipo_flag", 31),
        _alpha("luld_tier", 32),
        _alpha("etp_flag", 33),
        _integer("etp_leverage", 34, 4),
        _alpha("inverse", 38),
    ),
    Layout(
        "H",
        "trading_action",
        25,
        _alpha("stock", 11, 8),
        _alpha("trading_state", 19),  # H halted, P paused, Q quotes only, T trading
        _alpha("reserved", 20),
        _alpha("reason", 21, 4),
    ),
    Layout(
        "Y",
        "short_sale_restriction",
        20,
        _alpha("stock", 11, 8),
        _alpha("action", 19),
    ),
    Layout(
        "L",
        "participant_position",
        26,
        _alpha("mpid", 11, 4),
        _alpha("stock", 15, 8),
        _alpha("primary_market_maker", 23),
        _alpha("market_maker_mode", 24),
        _alpha("participant_state", 25),
    ),
    Layout(
        "V",
        "market_wide_decline_levels",
        35,
        _price8("level_1", 11),
        _price8("level_2", 19),
        _price8("level_3", 27),
    ),
    Layout("W", "market_wide_breach", 12, _alpha("breached_level", 11)),
    Layout(
        "K",
        "ipo_quoting_period",
        28,
        _alpha("stock", 11, 8),
        _integer("release_time_s", 19, 4),
        _alpha("release_qualifier", 23),
        _price4("ipo_price", 24),
    ),
    Layout(
        "J",
        "auction_collar",
        35,
        _alpha("stock", 11, 8),
        _price4("reference_price", 19),
        _price4("upper_price", 23),
        _price4("lower_price", 27),
        _integer("extension", 31, 4),
    ),
    Layout(
        "h",
        "operational_halt",
        21,
        _alpha("stock", 11, 8),
        _alpha("market", 19),
        _alpha("halt_action", 20),
    ),
    Layout(
        "A",
        "add_order",
        36,
        _integer("reference", 11, 8),
        _alpha("side", 19),
        _integer("shares", 20, 4),
        _alpha("stock", 24, 8),
        _price4("price", 32),
    ),
    Layout(
        "F",
        "add_order_mpid",
        40,
        _integer("reference", 11, 8),
        _alpha("side", 19),
        _integer("shares", 20, 4),
        _alpha("stock", 24, 8),
        _price4("price", 32),
        _alpha("attribution", 36, 4),
    ),
    Layout(
        "E",
        "order_executed",
        31,
        _integer("reference", 11, 8),
        _integer("shares", 19, 4),
        _integer("match_number", 23, 8),
    ),
    Layout(
        "C",
        "order_executed_with_price",
        36,
        _integer("reference", 11, 8),
        _integer("shares", 19, 4),
        _integer("match_number", 23, 8),
        _alpha("printable", 31),
        _price4("price", 32),
    ),
    Layout(
        "X",
        "order_cancel",
        23,
        _integer("reference", 11, 8),
        _integer("shares", 19, 4),
    ),
    Layout("D", "order_delete", 19, _integer("reference", 11, 8)),
    Layout(
        "U",
        "order_replace",
        35,
        _integer("reference", 11, 8),  # of the order that leaves
        _integer("new_reference", 19, 8),
        _integer("shares", 27, 4),
        _price4("price", 31),
    ),
    Layout(
        "P",
        "trade",
        44,
        _integer("reference", 11, 8),
        _alpha("side", 19),
        _integer("shares", 20, 4),
        _alpha("stock", 24, 8),
        _price4("price", 32),
        _integer("match_number", 36, 8),
    ),
    Layout(
        "Q",
        "cross_trade",
        40,
        _integer("shares", 11, 8),
        _alpha("stock", 19, 8),
        _price4("price", 27),
        _integer("match_number", 31, 8),
        _alpha("cross_type", 39),
    ),
    Layout("B", "broken_trade", 19, _integer("match_number", 11, 8)),
    Layout(
        "I",
        "order_imbalance",
        50,
        _integer("paired_shares", 11, 8),
        _integer("imbalance_shares", 19, 8),
        _alpha("direction", 27),
        _alpha("stock", 28, 8),
        _price4("far_price", 36),
        _price4("near_price", 40),
        _price4("reference_price", 44),
        _alpha("cross_type", 48),
        _alpha("price_variation", 49),
    ),
    Layout(
        "N",
        "retail_interest",
        20,
        _alpha("stock", 11, 8),
        _alpha("interest", 19),
    ),
    Layout(
        "O",
        "direct_listing",
        48,
        _alpha("stock", 11, 8),
        _alpha("open_eligibility", 19),
        _price4("minimum_price", 20),
        _price4("maximum_price", 24),
        _price4("near_price", 28),
        _integer("near_time_ns", 32, 8),
        _price4("lower_collar", 40),
        _price4("upper_collar", 44),
    ),
)
# --8<-- [end:table]

#: All message types by their letter, in the order in which C counts them.
LAYOUTS: Final[dict[str, Layout]] = {layout.letter: layout for layout in _TABLE}
#: Place of a type in that order.
SLOTS: Final = {letter: slot for slot, letter in enumerate(LAYOUTS)}
#: The types that make or change a displayed order, or trade with a hidden one.
BOOK_LETTERS: Final = "AFECXDUP"
MAX_LENGTH: Final = max(layout.length for layout in _TABLE)
