"""``matchbook bench``: every number of the book, measured on this machine, with its receipt.

A suite measures one question and writes one file, ``docs/results/SUITE.json``. Contestants run
interleaved within one process (A B B A, round after round), what is compared is the median of the
ratios of a round, and the same run measures how far apart two runs of the *same* code lie: the
noise floor. Every answer is verified before any number is printed.

**What a results file holds**; the dotted paths are what a page asks for, as in
``results.scenarios.cases.normal.engines.phase3.ns``. Times are nanoseconds per command.

Every file has ``suite``, ``command``, ``machine`` (one line of words), ``cpu``, ``cores``,
``pinned_core``, ``os``, ``python``, ``compiler``, ``flags``, ``commit`` (with ``+dirty`` if it
was), ``date``, ``seed``, ``rounds``, ``quick``, ``seconds``, ``cpu_seconds`` and ``noise_floor``:
the largest of its cases. A noise floor of 1.05 means that a ratio between 1/1.05 and 1.05 is
indistinguishable from 1; it is 1.0 where nothing is timed.

A **contestant** (one engine in one case) has ``ns`` (median), ``ns_fastest``, ``per_second``,
``commands`` (how many were measured), ``rounds``; where there is something to compare with, also
``times_floor`` (over the C loop that reads every command and writes one event record) and
``speedup``, ``speedup_low``, ``speedup_high`` (over the case's ``baseline``: the median ratio and
the interval that holds it).

``scenarios.json``:

- ``cases.{static,normal,swing-25,swing-40,flash-crash}``: ``commands``, ``events``, ``trades``,
  ``resting``, ``levels`` (at the end), ``digest``, ``digest_is_published``, ``baseline`` (phase1),
  ``floor_ns``, ``noise_floor``, ``engines.{phase1,phase2,phase3py,phase3}.<contestant>``
- ``summary.<engine>``: ``best_case``, ``worst_case``, ``best_ns``, ``worst_ns``,
  ``worst_to_best``, ``best_times_floor``, ``worst_times_floor``

``shapes.json``:

- ``cases.{A,B,C,A_arbitrary,B_arbitrary,C_arbitrary}`` (ids 1, 2, 3, … or arbitrary 64-bit ones):
  ``commands``, ``warmup``, ``events``, ``trades``, ``resting`` and ``levels`` (when the measured
  part starts), ``resting_after``, ``baseline``, ``floor_ns``, ``noise_floor``,
  ``engines.<engine>.<contestant>``; slow engines on the start of A, B and C alone

``batching.json``:

- ``cases.{phase2,phase3}``: ``commands``, ``baseline`` (apply), ``noise_floor``,
  ``ways.{per_node,apply,batch_1,bare_call,batch_64,batch_1024,whole}.<contestant>``, each also
  with ``times_whole``; ``per_node`` and ``bare_call`` are phase 2's alone

``levels20k.json``:

- ``cases.wide``: ``levels``, ``commands``, ``resting``, ``baseline`` (phase2), ``floor_ns``,
  ``noise_floor``, ``engines.{phase2,phase3}.<contestant>``
- ``crossover.{c,python}``: ``naive``, ``sorted`` (engine names), ``levels``, ``naive_ns``,
  ``sorted_ns``, ``ratio``, ``noise_floors`` (lists of ten; index 9 is 20,000 levels),
  ``crossing_levels`` (absent where the ratio does not cross 1), ``verdict`` (words)

``curve.json``:

- ``cases.{10,100,…,10000000}`` (resting orders): ``levels``, ``noise_floor``,
  ``engines.<engine>.{add,cancel,match,best,level}`` in ns per operation
- ``growth.<engine>.<operation>``: its largest size over 1,000 orders; ``largest.<engine>``: that
  size

``memory.json``:

- ``cases.<engine>``: ``capacity``, ``total_bytes``, ``bytes_per_order``, ``slot_bytes``,
  ``commands``, ``rss_before``, ``rss_after``, ``rss_growth``, ``page_faults`` (during the commands)

``instructions.json``:

- ``cases.{A,B,C,normal}.engines.<engine>``: ``instructions`` (per command), ``commands_short``,
  ``commands_long``; engines in Python in ``normal`` alone
- ``tool``, ``counted_flags``

``latency.json``:

- ``cases.{A,B,C}.engines.{phase2,phase3}``: ``p50``, ``p99``, ``p99_9``, ``max``, ``samples``
- ``timer_ns``

``rings.json``: nanoseconds per 64-byte record; ``pinned_cores``, ``batch``, ``missing_peers`` (a
queue of others that could not be compiled here, and why)

- ``cases.{c_singly,c_batches,c_producers,c_versions}`` and
  ``cases.{threads,processes}_{singly,batches}``: ``ours``, ``baseline``, ``noise_floor``,
  ``contestants.<name>.<contestant>``, each also with ``times_ours``; ``c_producers`` also
  ``pinned_cores`` and ``wait``; contestants of ``c_versions`` also
  ``behind_{producer,consumer}_ns``
- ``cases.{c,threads,processes}_round_trip``: ``ours``, ``noise_floor``,
  ``contestants.<name>``: ``p50``, ``p99``, ``p99_9``, ``max``, ``samples``, ``times_ours``
- names in C: ``locked``, ``boost``, ``moodycamel``, ``sequencer``, ``spsc``, in batches also
  ``{spsc,sequencer}_in_place``; of one ring in four versions ``{shared,apart}`` and with ``_copy``
- names in Python: threads ``queue``, ``deque``, ``simple_queue``, ``ring``, ``ring_in_place``,
  ``c_to_python``, ``python_to_c``; processes ``mp_queue``, ``shared_lock``, ``mp_pipe``, ``ring``,
  ``ring_spin``, ``ring_in_place``
- ``sharing``: ``steps``, ``noise_floor``, ``counters.{store,fetch_add}_{alone,apart,shared}``,
  ``shared_times_apart.{store,fetch_add}``
- ``orders``: ``tries``, ``noise_floor``,
  ``litmus.{store_buffer,message}.{relaxed,acquire_release,seq_cst}.{00,01,10,11}``: ``allowed``,
  ``seen``; ``operations.{store_relaxed,store_release,store_seq_cst,fetch_add,compare_exchange}``
- ``waits.{apart,one_core}.{spin,yield,park}``: a contestant and the percentiles of a round trip,
  ``busy_cpu``, ``idle_cpu`` (cores in use, both sides together)

``pipeline.json``: ``command_slots``, ``event_slots``, ``batch``

- ``cases.{static,normal,swing-25,swing-40,flash-crash}``: ``commands``, ``events``, ``trades``,
  ``digest``, ``digest_is_published``, ``alone_ns``, ``rings_ns``, ``rings_per_second``,
  ``share`` (throughput behind rings over throughput alone), ``share_low``, ``share_high``,
  ``noise_floor``
- ``latency.{100000,1000000,5000000}`` (commands a second that are due): ``p50``, ``p99``,
  ``p99_9`` (medians of ``runs``), ``max``, ``latest_ns`` (the largest), ``samples``,
  ``commands``; ``latency.machine``: ``seconds``,
  ``gaps``, ``longest``, ``lost_share``
- ``summary``: ``worst_case``, ``worst_share``

``codecs.json``: nanoseconds per message, encoded and decoded; ``batch`` (messages)

- ``cases.{single,batch,read,c}_{commands,events}``: ``ours``, ``baseline``, ``noise_floor``,
  ``contestants.<name>.<contestant>``, each also with ``times_ours`` and ``bytes`` (a message, on
  average); those of ``batch`` and ``read`` (all fields are read too) also ``encode_ns``,
  ``decode_ns``; those of ``c`` also ``net_ns``: above the floor, which only adds up the records
- names: ``struct``, ``cffi``, ``ctypes``, ``numpy``, ``flat`` (ours), ``sbe``, ``msgpack``,
  ``json``; in batches also ``sbe_c``; in C ``floor``, ``cast``, ``in_place``, ``flat``, ``sbe``;
  ``single`` has a ``floor`` too, two calls that do nothing
- ``sizes`` (batches of events): ``sizes``, ``ns.<name>``, ``speedup`` of ours over struct (lists),
  ``pays_from`` (the smallest batch in which ours is the faster)

``itch.json``: nanoseconds per message; ``missing`` (what is not installed here)

- ``cases.{aapl,book}`` (the mix of types of an hour of AAPL; one with all types that a book follows
  from): ``messages``, ``bytes``, ``bytes_per_message``, ``counts.<letter>``, ``ours``,
  ``baseline``, ``noise_floor``, ``contestants.<name>.<contestant>``, each also with ``times_ours``
- names: ``itchfeed``, ``struct``, ``numpy``, ``c_split``, ``c_tables`` (ours), ``c_records``;
  ``c_tables_loop`` and ``c_records_loop`` write to memory that is there already

``multicast.json``: ``pinned_cores``, ``transport`` (``unicast`` where there is no multicast)

- ``cases.packing`` (messages of 64 bytes from process to process; ``contestants.{1,2,4,8,16,22}``
  to a datagram): ``ours`` (22), ``baseline`` (1), ``noise_floor``; each contestant also with
  ``datagram_bytes``, ``datagrams_per_second``, ``ns_per_datagram``, and of all rounds together
  ``kernel_drops`` (-1: not known), ``gaps``, ``requests``
- ``cases.recovery.contestants.{direct,loss_0,loss_0_1,loss_1,loss_5}`` (no network between; none,
  0.1, 1 and 5 % of the datagrams lost), in C; also with ``gaps``, ``requests``, ``repeated``,
  ``lost_datagrams``, ``channel_ns`` (made-up time until the last message was there) and, over
  ``loss_0``, ``times_ours``
- ``cases.parts.contestants.{pack,store,receive}`` per message,
  ``cases.kernel.contestants.{stdlib,batches}`` per datagram of 1,472 bytes
- ``cases.dead.contestants.{alive,both,dead}`` (the publisher's own time in ``publish``, with one
  subscriber that reads, with two, and with one beside another that joined and never does; absent
  where there is no multicast): ``ours`` (alive), ``noise_floor``; each also with ``times_ours``,
  and ``dead`` with ``datagrams`` (of all runs together, those before the timed ones too) and, of
  them, ``kernel_drops`` (-1: not known)
- ``latency.{10000,100000,500000}`` (messages a second that are due): ``p50``, ``p99``, ``p99_9``
  (medians of ``runs``), ``max``, ``latest_ns`` (the largest: published after it was due),
  ``samples``, ``datagrams``, ``kernel_drops``, ``gaps``, ``requests``; ``latency.machine``: as in
  ``pipeline.json``

``wal.json``: ``file_system`` (its kind), ``missing`` (what is not installed here)

- ``cases.engine_{whole,1024,64}`` (commands of a call): as in ``scenarios.json``, and ``batch``,
  ``baseline`` (alone), ``ours`` (page_cache),
  ``contestants.{alone,none,page_cache,segments,group,sync}.<contestant>``, each also with ``share``
  (throughput over alone), ``share_low``, ``share_high``, ``waits`` (for a segment, in a run);
  ``segments`` makes its next one meanwhile; with one call neither ``group`` nor ``sync``
- ``cases.journal_{nothing,process,machine}_{1,64,1024}`` (what an append promises; commands of a
  batch): ``ours``, ``noise_floor``, ``contestants.<name>.<contestant>``, each also with
  ``times_ours``; names: ``log_none``, ``file_buffered``; ``log_page_cache``, ``file_written``,
  ``sqlite_normal``, ``lmdb_nosync``; ``log_sync``, ``file_{fdatasync,fsync}``, ``sqlite_full``,
  ``lmdb_sync``
- ``cases.append.contestants``: ``{copied,checked,sealed}`` in memory, ``mapped``, ``mapped_1``,
  ``written``, ``written_through``, ``written_through_1`` (of a record)
- ``cases.pages.contestants.{sparse,allocated,zeroed,touched}`` (of a 64-byte store), each also with
  ``page_ns``; ``cases.sync_{1,64,1024}.contestants.{growing,allocated,zeroed,mapped}`` (of a
  record), each also with the percentiles of a sync
- ``cases.replay.contestants.{applied,in_c,replay}``, each also with ``per_minute``
- ``latency.{10000,100000,1000000}.{none,page_cache,group,sync}``: as in ``pipeline.json``, of the
  log alone; also ``flushes`` of all runs together
- ``groups``: ``rate``, ``sizes``, ``times_s``, ``by_size`` and ``by_time`` (lists: ``p50``,
  ``p99``, ``p99_9``, ``samples``, ``flushes``, by size also ``per_second``, at most), ``own``
  (``sync``, which takes what is due)
- ``recovery``: ``lengths``, ``snapshot_every``, ``segment_bytes``, ``seconds.{log,snapshots}``,
  ``replayed.{log,snapshots}``; ``snapshots``: ``orders``,
  ``{pause_ns,longest_ns,whole_ns}.{fork,copy}`` (``whole``: until it has its name)
- ``instructions.ways`` (of a record, by the names of ``append``; absent without valgrind),
  ``instructions.counted_flags``

``phase2.json``: what ``phase2_arena.measure.measure`` returns: ``footprint``, ``scenarios``,
``scan``, ``boundary``, ``profile``; no ``cases``.
"""

from typing import Any

__all__ = ["bench"]


def __getattr__(name: str) -> Any:
    """Load the command when it is asked for: a table of results needs no engine, no array."""
    if name == "bench":
        from matchbook.bench.command import bench

        return bench
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
