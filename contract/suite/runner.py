"""The suite without pytest's command line: hold an engine class to the contract from code."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from contract.suite.base import ContractBase


class Failure(NamedTuple):
    """A test that failed, and what it said."""

    test: str
    error: BaseException


def run_contract(
    contract: type[ContractBase],
    engine_class: Any,
    *,
    only: Callable[[str], bool] = lambda name: True,
    stop_at_first: bool = False,
) -> list[Failure]:
    """Run the tests of a contract class against an engine class; return those that failed.

    Args:
        contract: ``EngineContract``, or one of its parts.
        engine_class: the engine under test.
        only: whether to run the test of that name, such as ``test_depth[bid]``.
        stop_at_first: return after the first failure.

    Tests that ask for a fixture (the long one) are pytest's alone and are left out.
    """
    bound = type("Contract", (contract,), {"engine_class": engine_class})
    failures = []
    for name, arguments in iter_tests(contract):
        if not only(name):
            continue
        try:
            getattr(bound(), name.partition("[")[0])(**arguments)
        except (Exception, pytest.fail.Exception) as error:  # an engine may raise anything
            failures.append(Failure(name, error))
            if stop_at_first:
                break
    return failures


def iter_tests(contract: type[ContractBase]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every test of a class with its arguments, as ``pytest.mark.parametrize`` gives them."""
    for method_name in dir(contract):
        method = getattr(contract, method_name)
        marks = getattr(method, "pytestmark", [])
        if not method_name.startswith("test_") or any(mark.name == "long" for mark in marks):
            continue
        choices = [list(_choices(mark)) for mark in marks if mark.name == "parametrize"]
        for combination in itertools.product(*choices):
            words = "-".join(word for word, _ in combination)
            arguments = {k: v for _, given in combination for k, v in given.items()}
            yield (f"{method_name}[{words}]" if words else method_name), arguments


def _choices(mark: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    names, values = mark.args
    fields = [names] if isinstance(names, str) else list(names)
    name_of = mark.kwargs.get("ids")
    for value in values:
        row = [value] if isinstance(names, str) else list(value)
        words = (name_of(v) if callable(name_of) else str(v) for v in row)
        yield "-".join(words), dict(zip(fields, row, strict=True))
