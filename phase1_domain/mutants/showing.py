"""Wrong batches, wrong images, wrong views."""

from __future__ import annotations

import hashlib
from typing import Any

from contract import canonical
from contract.engine import BatchResult, LevelView, RestingOrder
from contract.messages import (
    RECORD_BYTES,
    Command,
    Side,
)
from phase1_domain.mutants.base import Mutant
from phase1_domain.order import Order

# Batches.


class LosesEventsForWantOfRoom(Mutant):
    """Consumes a command whose events do not fit."""

    caught_by = "test_stops_between_commands"

    def apply_batch(self, commands: Any, events: Any) -> BatchResult:
        """Write as many events as fit, and go on."""
        wide = bytearray(len(commands) * 1_000)
        consumed, written = super().apply_batch(commands, wide)
        room = min(written, len(events) // RECORD_BYTES)
        memoryview(events).cast("B")[: room * RECORD_BYTES] = wide[: room * RECORD_BYTES]
        return BatchResult(consumed, room)


class ChangesTheBookWithoutRoom(Mutant):
    """Commits, and then sees that the events do not fit."""

    caught_by = "test_without_room_nothing_changes"

    def apply_batch(self, commands: Any, events: Any) -> BatchResult:
        """Apply the command that does not fit, and say that it was not."""
        consumed, written = super().apply_batch(commands, events)
        if consumed * RECORD_BYTES < len(memoryview(commands).cast("B")):
            self.apply(Command.unpack_from(commands, consumed * RECORD_BYTES))
        return BatchResult(consumed, written)


class IgnoresStrides(Mutant):
    """Reads every buffer as if it lay in one piece."""

    caught_by = "test_buffers_that_are_not_records_in_a_row"
    in_streams = False

    def apply_batch(self, commands: Any, events: Any) -> BatchResult:
        """Copy whatever it is."""
        return super().apply_batch(bytes(memoryview(commands)), events)


# Images.


class ImageForgetsFlags(Mutant):
    """A post-only order that comes back as another."""

    caught_by = "test_image_bytes"

    def snapshot(self) -> bytes:
        """All but the flags."""
        orders = [o._replace(flags=0) for side in Side for o in self.orders(side)]
        return canonical.pack_image(self.instrument, self._event_sequence, orders)


class ImageAsksFirst(Mutant):
    """The sides the other way round."""

    caught_by = "test_image_bytes"

    def snapshot(self) -> bytes:
        """Asks, then bids."""
        orders = self.orders(Side.ASK) + self.orders(Side.BID)
        return canonical.pack_image(self.instrument, self._event_sequence, orders)


class HashRemembersTheRoad(Mutant):
    """A hash of the events sent as well."""

    caught_by = "test_state_hash_depends_on_the_state_alone"

    def state_hash(self) -> str:
        """A digest of the image as it is."""
        return hashlib.blake2b(self.snapshot(), digest_size=16).hexdigest()


class RestoreBelievesEverything(Mutant):
    """No look at the image before it becomes the book."""

    caught_by = "test_a_damaged_image_is_refused_and_changes_nothing"
    in_streams = False  # streams restore nothing

    def restore(self, image: bytes) -> None:
        """Take what is there."""
        self._clear()
        for o in canonical.iter_orders(image[canonical.HEADER.size :]):
            self._rest(Order(o.order_id, Side(o.side), *o[2:]))
        self._event_sequence = canonical.HEADER.unpack_from(image)[-1]


class RestoreClearsFirst(Mutant):
    """Looks at the image when the old book is gone already."""

    caught_by = "test_a_damaged_image_is_refused_and_changes_nothing"
    in_streams = False

    def restore(self, image: bytes) -> None:
        """Clear, then check."""
        self._clear()
        super().restore(image)


class RestoreNumbersFromZero(Mutant):
    """Event numbers that start again."""

    caught_by = "test_event_numbers_go_on"
    in_streams = False

    def restore(self, image: bytes) -> None:
        """Forget the last event's number."""
        super().restore(image)
        self._event_sequence = 0


# Views.


class DepthBestLast(Mutant):
    """Both sides sorted the same way."""

    caught_by = "test_depth_gives_the_best_levels_first"
    in_streams = False  # streams compare events and images

    def depth(self, levels: int) -> tuple[list[LevelView], list[LevelView]]:
        """Bids from the lowest price up."""
        bids, asks = super().depth(levels)
        return bids[::-1], asks


class OrdersWithoutLimit(Mutant):
    """All of them, whatever was asked for."""

    caught_by = "test_orders_come_in_priority_order_and_no_more_than_asked_for"
    in_streams = False

    def orders(self, side: int, limit: int | None = None) -> list[RestingOrder]:
        """Every order."""
        return super().orders(side)


class AnswersWhenClosed(Mutant):
    """A closed engine that goes on with an empty book."""

    caught_by = "test_a_closed_engine_raises"
    in_streams = False

    def _check_open(self) -> None:
        pass


class OneBookForAll(Mutant):
    """State in the class: every engine has the same orders."""

    caught_by = "test_engines_do_not_share_anything"
    in_streams = False  # they have one engine at a time

    _shared: dict[int, Order] = {}  # noqa: RUF012 - the bug itself

    def _clear(self) -> None:
        super()._clear()
        self._shared.clear()
        self._orders = self._shared
