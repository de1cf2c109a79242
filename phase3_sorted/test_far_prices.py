"""The C book where its ring runs out: clusters of prices that share its places, event by event."""

from random import Random

import numpy as np
import pytest

from contract import Command, OrderType, Side, TimeInForce, cancel, mass_cancel, new, replace
from contract.batching import apply_all
from contract.records import RecordArray, to_command_array
from phase3_sorted import PyEngine
from phase3_sorted.inside import PAGE_TICKS, RING_PAGES, OpenEngine

RING_TICKS = PAGE_TICKS * RING_PAGES
LIMITS = {"min_price": -(2**62), "max_price": 2**62, "capacity": 3_000}


def clustered_commands(seed: int, count: int, clusters: int) -> RecordArray:
    """Orders in clusters some pages wide, whole laps of the ring apart; few of them cross."""
    random = Random(seed)
    laps = [random.randint(-(2**40), 2**40) for _ in range(clusters)]
    commands: list[Command] = []
    live: list[int] = []
    for order_id in range(1, count + 1):
        # Bids in the lower half of the clusters and asks in the upper one, or they would all trade.
        side = Side(random.randrange(2))
        half = sorted(laps)[: clusters // 2] if side == Side.BID else sorted(laps)[clusters // 2 :]
        price = random.choice(half) * RING_TICKS + random.randrange(3 * PAGE_TICKS)
        dice = random.random()
        if dice < 0.5 or not live:
            commands.append(new(order_id, side, price, quantity=random.randint(1, 9)))
            live.append(order_id)
        elif dice < 0.75:
            commands.append(cancel(live.pop(random.randrange(len(live)))))
        elif dice < 0.9:
            commands.append(replace(random.choice(live), price, quantity=random.randint(1, 9)))
        elif dice < 0.998:
            sweep = Command(
                kind=commands[0].kind,
                order_id=order_id,
                side=side,
                quantity=random.randint(1, 40),
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.IOC,
            )
            commands.append(sweep)
        else:
            commands.append(mass_cancel())
            live.clear()
    return to_command_array(commands)


@pytest.mark.parametrize("clusters", [2, 3, 8, 200])
def test_clusters_of_prices(clusters: int) -> None:
    """Guards: an order that trades out of turn because its level was in the other structure."""
    commands = clustered_commands(clusters, 12_000, clusters)
    most_in_tree = most_in_ring = 0
    with OpenEngine(**LIMITS) as engine, PyEngine(**LIMITS) as oracle:
        for batch in np.array_split(commands, 40):
            assert apply_all(engine, batch).tobytes() == apply_all(oracle, batch).tobytes()
            engine.check()
            assert engine.state_hash() == oracle.state_hash()
            for side in Side:
                leaves = [node for node in engine.tree_nodes(side) if not node.height]
                most_in_tree = max(most_in_tree, sum(len(leaf.prices) for leaf in leaves))
                pages = engine.ring_pages(side)
                most_in_ring = max(most_in_ring, sum(page.levels for page in pages))
    assert most_in_ring > 2
    assert most_in_tree > 20 or clusters <= 3


def test_an_image_puts_far_levels_back() -> None:
    """Guards: a restore that loses, or trades, what was in the tree."""
    commands = clustered_commands(1, 3_000, 8)
    with OpenEngine(**LIMITS) as engine, OpenEngine(**LIMITS) as copy:
        apply_all(engine, commands[:2_000])
        copy.restore(engine.snapshot())
        copy.check()
        rest = commands[2_000:]
        assert apply_all(engine, rest).tobytes() == apply_all(copy, rest).tobytes()
        assert engine.state_hash() == copy.state_hash()
