"""The extension of phase 4: rings, sequencer, pipeline, and what measures them."""

from cbuild import make_ffibuilder

ffibuilder = make_ffibuilder(
    "phase4_ring._ring",
    headers=[
        "contract/c/contract.h",
        "phase4_ring/c/region.h",
        "phase4_ring/c/wait.h",
        "phase4_ring/c/spsc_ring.h",
        "phase4_ring/c/sequencer.h",
        "phase4_ring/c/pipeline.h",
        "phase4_ring/c/traffic.h",
        "phase4_ring/c/memory_journal.h",
        "phase4_ring/c/bench.h",
    ],
    sources=[
        f"phase4_ring/c/{name}.c"
        for name in (
            "region",
            "process",
            "wait",
            "pin",
            "spsc_ring",
            "sequencer",
            "claims",
            "pipeline",
            "match_stage",
            "traffic",
            "memory_journal",
            "bench_transfer",
            "bench_sharing",
            "bench_orders",
            "bench_waits",
        )
    ],
)
