"""Real power cuts: a virtual machine writes a log until its plug is pulled.

::

    python -m phase6_wal.powercut                 # a minute or two; --cuts and --points for longer

``kill -9`` proves nothing about fsync, because the page cache survives it; the simulated disk of
``storage_sim.h`` loses what we think a disk may lose. Here a Linux kernel and ext4 do as they do,
and nobody asks them. Two ways of cutting:

- the machine is killed in the middle of it: its page cache is gone, its drive's cache is not;
- its drive is recorded, and the run is cut afterwards at many points, each time with another part
  of what no flush had covered lost: its drive's cache is gone as well (``recording.py``).

The control is the same machine whose syncs do nothing: it must lose what it has acknowledged.

It needs, and names what of it is missing: ``qemu-system-x86_64``; a kernel, installed or unpacked
(``MATCHBOOK_KERNEL_ROOT``); ``mkfs.ext4``, ``e2fsck`` and ``debugfs`` of e2fsprogs; a C compiler
with a static C library. No rights. On Debian::

    apt-get install qemu-system-x86 e2fsprogs gcc libc6-dev
    apt-get download linux-image-6.1.0-…-cloud-amd64     # apt-cache search linux-image-.*-cloud
    dpkg-deb -x linux-image-*.deb kernel
    MATCHBOOK_KERNEL_ROOT=kernel python -m phase6_wal.powercut
"""
