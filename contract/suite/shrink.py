"""From thousands of commands that end badly to the few that matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace as with_fields
from typing import TypeAlias

from contract.messages import Command
from contract.suite.compare import Difference

#: Where and how an engine and the oracle part.
Finder: TypeAlias = Callable[[Sequence[Command]], Difference | None]

# Shrinking ends when it has applied so many commands, whatever it has reached by then.
_BUDGET = 200_000


def shrink(commands: Sequence[Command], find: Finder) -> tuple[list[Command], Difference]:
    """Fewer and simpler commands on which ``find`` still finds a difference.

    Cuts off the end, leaves out runs of commands, ever shorter ones, and then tries smaller
    numbers in those that remain. O(n log n) runs where it goes well; never beyond a budget.

    Raises:
        ValueError: there is no difference on ``commands`` to begin with.
    """
    found = find(commands)
    if found is None:
        raise ValueError("the engines agree on these commands")
    best, spent = list(commands[: found.at + 1]), 0

    def attempt(candidate: list[Command]) -> bool:
        nonlocal best, found, spent
        if not candidate or candidate == best or spent > _BUDGET:
            return False
        spent += len(candidate)
        difference = find(candidate)
        if difference is None:
            return False
        best, found = candidate[: difference.at + 1], difference
        return True

    _leave_out(lambda: best, attempt)
    attempt(_renumber(best))
    for field in ("timestamp_ns", "account", "self_trade", "flags", "reserved", "reserved2"):
        attempt([with_fields(command, **{field: 0}) for command in best])
        _simplify(lambda: best, attempt, field, 0)
    for quantity in (1, 2, 5):
        _simplify(lambda: best, attempt, "quantity", quantity)
    _leave_out(lambda: best, attempt)
    return best, found


def _leave_out(best: Callable[[], list[Command]], attempt: Callable[[list[Command]], bool]) -> None:
    size = max(1, len(best()) // 2)
    while True:
        shorter = False
        start = 0
        while start < len(best()):
            now = best()
            if attempt(now[:start] + now[start + size :]):
                shorter = True
            else:
                start += size
        if size == 1 and not shorter:
            return
        size = max(1, size // 2)


def _simplify(
    best: Callable[[], list[Command]],
    attempt: Callable[[list[Command]], bool],
    field: str,
    value: int,
) -> None:
    for index in range(len(best())):
        now = best()
        if index < len(now) and getattr(now[index], field) > value:
            attempt([*now[:index], with_fields(now[index], **{field: value}), *now[index + 1 :]])


def _renumber(commands: list[Command]) -> list[Command]:
    """The same commands with order ids 1, 2, 3, … in order of appearance."""
    numbers: dict[int, int] = {0: 0}
    for command in commands:
        numbers.setdefault(command.order_id, len(numbers))
    return [with_fields(command, order_id=numbers[command.order_id]) for command in commands]
