"""The extension of phase 6: the log, what reads it, snapshots, and books behind a log."""

from cbuild import make_ffibuilder

ffibuilder = make_ffibuilder(
    "phase6_wal._wal",
    headers=[
        "contract/c/contract.h",
        "phase6_wal/c/crc32c.h",
        "phase6_wal/c/storage.h",
        "phase6_wal/c/storage_sim.h",
        "phase6_wal/c/log_format.h",
        "phase6_wal/c/log_writer.h",
        "phase6_wal/c/durable_book.h",
        "phase6_wal/c/bench.h",
        "phase6_wal/c/log_journal.h",
        "phase6_wal/c/log_lookup.h",
        "phase6_wal/c/log_scan.h",
        "phase6_wal/c/blake2b.h",
        "phase6_wal/c/snapshot.h",
        "phase6_wal/c/snapshotter.h",
    ],
    sources=[
        f"phase6_wal/c/{name}.c"
        for name in (
            "bench",
            "bench_load",
            "crc32c",
            "durable_book",
            "log_mend",
            "log_open",
            "log_prepare",
            "log_records",
            "log_segments",
            "log_turn",
            "log_writer",
            "log_scan",
            "storage_names",
            "storage_posix",
            "storage_sim",
            "sim_control",
            "sim_disk",
            "log_journal",
            "log_lookup",
            "blake2b",
            "snapshot",
            "snapshot_child",
            "snapshot_write",
            "snapshotter",
            "snapshotter_work",
        )
    ],
)
