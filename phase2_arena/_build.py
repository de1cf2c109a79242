"""The extension ``phase2_arena._arena``: this phase's book, and its nodes one by one."""

from cbuild import make_ffibuilder

ffibuilder = make_ffibuilder(
    "phase2_arena._arena",
    headers=[
        "contract/c/contract.h",
        "contract/c/engine.h",
        "phase2_arena/c/arena.h",
        "phase2_arena/c/level.h",
        "phase2_arena/c/node.h",
    ],
    sources=[
        "phase2_arena/c/arena.c",
        "phase2_arena/c/table.c",
        "phase2_arena/c/level.c",
        "phase2_arena/c/rejection.c",
        "phase2_arena/c/book.c",
        "phase2_arena/c/book_memory.c",
        "phase2_arena/c/book_view.c",
        "phase2_arena/c/book_check.c",
        "phase2_arena/c/node.c",
    ],
)
