"""Watch an ITCH channel: ``python -m phase5_protocol.itch.watch GROUP:PORT``.

Prints each message as a line, and at the end (Ctrl-C, the end of the session, or ``--count``
messages) the best levels of the book that they have made. With ``--requests HOST:PORT``, the
retransmission server of the channel, it begins at the first message of the day; without, at the
first that it sees, and then orders of before are unknown to it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from contract.engine import LevelView
from contract.errors import MatchbookError
from phase5_protocol.itch.book import ItchBook
from phase5_protocol.itch.messages import parse, to_text
from phase5_protocol.multicast.mold import DeliveryKind
from phase5_protocol.multicast.native_receiver import FIRST_SEEN, Delivery, ReceiverConfig
from phase5_protocol.multicast.native_udp import Endpoint, address_number
from phase5_protocol.multicast.subscriber import Subscriber

LEVELS: Final = 5
_UNIT: Final = 10_000
_HIGHEST_PORT: Final = 65_535


def read_endpoint(text: str) -> Endpoint:
    """ADDRESS:PORT, as an argument.

    Raises:
        argparse.ArgumentTypeError: it is none; the message says what one looks like.
    """
    address, _, port = text.rpartition(":")
    is_port = port.isascii() and port.isdigit() and 1 <= int(port) <= _HIGHEST_PORT
    with suppress(MatchbookError):
        address_number(address)
        if is_port:
            return Endpoint(address, int(port))
    raise argparse.ArgumentTypeError(
        f"{text!r} is not ADDRESS:PORT, such as 239.255.5.1:5204, with a port of 1 to 65535"
    )


class Watch:
    """What has come of a channel: lines for people, and a book.

    Attributes:
        taken: how many messages.
        book: made of them.
    """

    def __init__(self, say: Callable[[str], None], count: int | None = None) -> None:
        """Begin.

        Args:
            say: is given each line.
            count: messages after which it is enough; None: never.
        """
        self.taken = 0
        self.book = ItchBook()
        self._say = say
        self._count = count

    @property
    def is_enough(self) -> bool:
        """Whether all messages that were wanted have come."""
        return self.taken == self._count

    def take(self, delivery: Delivery) -> None:
        """What the subscriber has brought."""
        if delivery.kind is DeliveryKind.LOST:
            self._say(f"{delivery.count} messages from number {delivery.first} on are lost")
        for message in delivery.messages():
            if self.is_enough:
                return
            self.taken += 1
            self.book.take(message)
            try:
                self._say(to_text(parse(message)))
            except ValueError as error:
                self._say(f"not ITCH: {error}")

    def summary(self) -> Iterator[str]:
        """The best levels of each stock, and what could not be applied."""
        yield f"{self.taken} messages"
        for locate, symbol in sorted(self.book.symbols.items()):
            bids, asks = self.book.depth(locate, LEVELS)
            yield f"{symbol}: {self.book.volume(locate)} shares traded"
            yield from (_level("ask", each) for each in reversed(asks))
            yield from (_level("bid", each) for each in bids)
            if not (bids or asks):
                yield "  the book is empty"
        for trouble, count in self.book.troubles.items():
            yield f"not applied: {trouble}, {count} times"


def _level(side: str, level: LevelView) -> str:
    price = f"{level.price // _UNIT}.{level.price % _UNIT:04}"
    return f"  {side} {price:>12} {level.quantity:>8} in {level.order_count}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it from the command line; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m phase5_protocol.itch.watch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("channel", type=read_endpoint, metavar="GROUP:PORT", help="of the channel")
    parser.add_argument(
        "--requests",
        type=read_endpoint,
        metavar="HOST:PORT",
        help="its retransmission server: begin at the first message, ask for what is lost",
    )
    parser.add_argument("--count", type=int, help="end after so many messages (default: never)")
    given = parser.parse_args(arguments)
    if given.count is not None and given.count < 1:
        parser.error(f"--count {given.count} is not at least 1")
    servers = [] if given.requests is None else [given.requests]
    config = ReceiverConfig(record_bytes=0, start=1 if servers else FIRST_SEEN)

    def say(line: str) -> None:
        print(line, flush=True)

    watch = Watch(say, given.count)
    try:
        with Subscriber([given.channel], requests_to=servers, config=config) as line:
            say(f"listening to {given.channel}, Ctrl-C ends it")
            with suppress(KeyboardInterrupt):
                line.run(lambda delivery: _take(watch, line, delivery))
    except MatchbookError as error:
        print(f"cannot watch: {error}", file=sys.stderr)
        return 1
    for each in watch.summary():
        say(each)
    return 0


def _take(watch: Watch, line: Subscriber, delivery: Delivery) -> None:
    watch.take(delivery)
    if watch.is_enough:
        line.stop()


if __name__ == "__main__":
    sys.exit(main())
