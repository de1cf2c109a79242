"""The extension of phase 5: codecs, MoldUDP64, sockets, and what measures them."""

from cbuild import make_ffibuilder

ffibuilder = make_ffibuilder(
    "phase5_protocol._protocol",
    headers=[
        "contract/c/contract.h",
        "phase5_protocol/c/flat_codec.h",
        "phase5_protocol/c/sbe_codec.h",
        "phase5_protocol/c/codec_loops.h",
        "phase5_protocol/c/moldudp64.h",
        "phase5_protocol/c/mold_store.h",
        "phase5_protocol/c/mold_limiter.h",
        "phase5_protocol/c/mold_receiver.h",
        "phase5_protocol/c/lossy_network.h",
        "phase5_protocol/c/udp_socket.h",
        "phase5_protocol/c/itch.h",
        "phase5_protocol/c/bench.h",
    ],
    sources=[
        f"phase5_protocol/c/{name}.c"
        for name in (
            "bench",
            "codec_loops",
            "flat_codec",
            "itch",
            "lossy_network",
            "mold_limiter",
            "mold_packer",
            "mold_receiver",
            "mold_receiver_check",
            "mold_receiver_gaps",
            "mold_receiver_take",
            "mold_store",
            "moldudp64",
            "sbe_codec",
            "udp_socket",
            "udp_socket_open",
        )
    ],
)
