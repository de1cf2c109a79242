"""The extension of phase 3's C book."""

from cbuild import make_ffibuilder

ffibuilder = make_ffibuilder(
    "phase3_sorted._sorted",
    headers=["contract/c/contract.h", "contract/c/engine.h", "phase3_sorted/c/inspect.h"],
    sources=[
        f"phase3_sorted/c/{name}.c"
        for name in (
            "memory",
            "cells",
            "id_index",
            "level_index",
            "level_tree",
            "tick_ring",
            "book",
            "book_plan",
            "book_view",
            "book_check",
            "inspect",
        )
    ],
)
