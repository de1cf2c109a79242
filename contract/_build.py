"""The contract's own extension: workloads, order streams and their texts."""

from cbuild import EXACT_FLOATS, make_ffibuilder

ffibuilder = make_ffibuilder(
    "contract._workload",
    headers=[
        "contract/c/contract.h",
        "contract/c/workload.h",
        "contract/c/benchmark_text.h",
        "contract/c/report_text.h",
        "contract/c/order_flow.h",
        "contract/c/floor.h",
        "contract/c/latency.h",
    ],
    sources=[
        "contract/c/workload.c",
        "contract/c/benchmark_text.c",
        "contract/c/report_text.c",
        "contract/c/ladder.c",
        "contract/c/order_flow.c",
        "contract/c/floor.c",
        "contract/c/latency.c",
    ],
    extra_flags=EXACT_FLOATS,
    extra_link_flags=["-lm"],
)
