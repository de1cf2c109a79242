"""Trade by hand over FIX: ``python -m phase5_protocol.fix.by_hand PORT NAME``.

Reads orders from the keyboard, one a line, and prints what becomes of them::

    buy 10 100.00          a limit order; without a price, a market order; ``ioc`` behind it
    sell 5 99.99 ioc       makes it immediate or cancel
    replace o1 20 100.01   total quantity and price of a live order
    cancel o1
    quit

Orders are named here: o1, o2, ... A replace or cancel gives an order a new name, as FIX wants it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Final

from phase5_protocol.fix.application import SessionConfig
from phase5_protocol.fix.clock import format_timestamp
from phase5_protocol.fix.initiator import Initiator
from phase5_protocol.fix.message import Message
from phase5_protocol.fix.session import Session

_SIDES: Final = {"buy": "1", "sell": "2"}
_WORDS: Final = {
    "0": "new",
    "1": "partial fill",
    "2": "fill",
    "4": "canceled",
    "5": "replaced",
    "8": "rejected",
    "C": "expired",
    "F": "trade",
    "I": "status",
}


class Trader:
    """The client's side: words to messages, messages to words."""

    def __init__(self, symbol: str) -> None:
        """Trade that symbol."""
        self._symbol = symbol
        self._count = 0
        self._sides: dict[str, str] = {}

    def on_logon(self, session: Session) -> None:
        """Say that we are on."""
        print(f"logged on as {session.config.sender_comp_id}", flush=True)

    def on_logout(self, session: Session) -> None:
        """Say that we are not, and why."""
        print(f"logged out: {session.last_end}", flush=True)

    def on_message(self, session: Session, message: Message) -> None:
        """Print a report."""
        print(describe(message), flush=True)

    def message(self, line: str) -> Message:
        """The message that a line asks for.

        Raises:
            ValueError: it cannot be understood; the message says how it should be.
        """
        words = line.split()
        verb, rest = words[0], words[1:]
        if verb in _SIDES and len(rest) in (1, 2, 3):
            return self._order(_SIDES[verb], rest)
        if verb == "cancel" and len(rest) == 1 and rest[0] in self._sides:
            return Message("F", [*self._names(rest[0]), (38, "1")])
        if verb == "replace" and len(rest) == 3 and rest[0] in self._sides:
            return Message("G", [*self._names(rest[0]), (38, rest[1]), (44, rest[2]), *_LIMIT])
        raise ValueError("buy|sell QUANTITY [PRICE] [ioc], replace NAME TOTAL PRICE, cancel NAME")

    def _order(self, side: str, words: list[str]) -> Message:
        time_in_force = "0"
        if words[-1] == "ioc":
            words, time_in_force = words[:-1], "3"
        name = self._new_name(side)
        kind = _LIMIT if len(words) == 2 else [(40, "1"), (21, "1")]
        fields = [(11, name), (55, self._symbol), (54, side), (60, _now()), (38, words[0])]
        return Message(
            "D", [*fields, *[(44, each) for each in words[1:]], *kind, (59, time_in_force)]
        )

    def _names(self, of: str) -> list[tuple[int, str]]:
        side = self._sides[of]
        return [
            (11, self._new_name(side)),
            (41, of),
            (55, self._symbol),
            (54, side),
            (60, _now()),
        ]

    def _new_name(self, side: str) -> str:
        self._count += 1
        name = f"o{self._count}"
        self._sides[name] = side
        return name


_LIMIT: Final = [(40, "2"), (21, "1")]


def describe(message: Message) -> str:
    """A report as one readable line."""
    name, text = message.get(11) or "", message.get(58) or ""
    if message.msg_type != "8":
        what = {"9": "change refused", "j": "not served", "3": "not understood"}
        return f"{name} {what.get(message.msg_type, message.msg_type)}: {text}".strip()
    line = f"{name} {_WORDS.get(message.get(150) or '', '?')}"
    if 32 in message:
        line += f" {message.get(32)} @ {message.get(31)}"
    line += f", open {message.get(151)}, done {message.get(14)} @ {message.get(6)}"
    return f"{line} ({text})" if text else line


async def trade(port: int, name: str, venue: str, version: str, symbol: str) -> None:
    """Log on, and trade until the input ends."""
    trader = Trader(symbol)
    # Each time is a new day for the numbers: nothing is kept here.
    config = SessionConfig(version, name, venue, is_initiator=True, reset_on_logon=True)
    initiator = Initiator(config, trader, "127.0.0.1", port)
    await initiator.start()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.split() == ["quit"]:
            break
        if not line.strip():
            continue
        try:
            initiator.session.send(trader.message(line))
        except ValueError as error:
            print(error, flush=True)
    await initiator.stop()


def _now() -> str:
    return format_timestamp(time.time_ns())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="python -m phase5_protocol.fix.by_hand")
    parser.add_argument("port", type=int, help="of the venue, on this machine")
    parser.add_argument("name", help="our CompID, such as ALICE")
    parser.add_argument("--venue", default="MATCHBOOK", help="their CompID")
    parser.add_argument("--version", default="FIX.4.4", choices=("FIX.4.2", "FIX.4.4"))
    parser.add_argument("--symbol", default="MBK")
    given = parser.parse_args(arguments)
    asyncio.run(trade(given.port, given.name, given.venue, given.version, given.symbol))


if __name__ == "__main__":
    main()
