"""The sub-command ``matchbook log``: a group of four."""

from __future__ import annotations

import click

from matchbook.log.dump import dump
from matchbook.log.inspect_log import inspect
from matchbook.log.replay_log import replay
from matchbook.log.verify import verify


@click.group()
def log() -> None:
    """Look into a write-ahead log: what is in it, whether it is whole, what it says.

    None of these changes anything in the log's directory.
    """


for command in (dump, inspect, replay, verify):
    log.add_command(command)
