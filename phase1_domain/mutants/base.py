"""What a deliberately wrong engine is: phase 1 with one bug."""

from __future__ import annotations

from typing import ClassVar

from contract.messages import Command, Event
from phase1_domain.book import Engine


class Mutant(Engine):
    """Base of the wrong engines."""

    caught_by: ClassVar[str] = ""
    in_streams: ClassVar[bool] = True

    def edit(self, event: Event, command: Command) -> Event:
        """What becomes of an event on its way out; here nothing."""
        return event

    def _decide(self, command: Command) -> list[Event]:
        return [self.edit(event, command) for event in super()._decide(command)]
