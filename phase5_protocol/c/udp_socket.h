/* udp_socket.h - datagrams in batches: multicast and unicast, IPv4.
 *
 *                      one group, 239.255.0.1:4000
 *      publisher ──▶ ┌──────────────────────────────┐ ──▶ subscriber   its own queue in the kernel
 *      sends once    │ the kernel copies it for each │ ──▶ subscriber   a full one drops, and counts
 *      never waits   └──────────────────────────────┘ ──▶ (dead)       nobody notices
 *
 * A socket is one owner's. Nothing here blocks but udp_wait: what the kernel cannot take or has not
 * got is an answer. Sending does not care who listens; that is the point of multicast, and why the
 * receiver must notice gaps and have them mended (mold_receiver.h).
 *
 * Batches are one system call where there are sendmmsg and recvmmsg (Linux), else a loop of one
 * datagram a call: the same functions, the same results. UDP_SOCKET_PORTABLE chooses the loop at
 * compile time, so that it is tested on Linux too.
 *
 * Addresses and ports are numbers in the machine's order: 127.0.0.1 is 0x7F000001.
 */
#ifndef PHASE5_UDP_SOCKET_H
#define PHASE5_UDP_SOCKET_H

#include <stddef.h>
#include <stdint.h>

#include "phase5_protocol/c/moldudp64.h"

/* cdef:begin */
enum {
    UDP_MAX_BATCH = 256,
    UDP_MAX_BYTES = 65507, /* the most that fits into an IPv4 datagram */
    UDP_MAX_WAIT = 8       /* sockets in one udp_wait */
};
/* What udp_socket_open was at when it failed. */
enum {
    UDP_AT_OPTIONS = 1, /* a number out of range (EINVAL) */
    UDP_AT_MEMORY,
    UDP_AT_SOCKET,
    UDP_AT_BUFFERS,
    UDP_AT_BIND,        /* the port is taken, or the address is not this machine's */
    UDP_AT_INTERFACE,   /* no interface has that address */
    UDP_AT_JOIN         /* the same, or too many groups */
};
typedef struct udp_socket udp_socket;

typedef struct {
    uint32_t group;          /* to join; 0: none. One in 224.0.0.0/4 */
    uint32_t interface;      /* address of the interface for groups, in and out; without a group to
                              * join it is also what the socket is bound to */
    uint16_t port;           /* 0: any that is free */
    uint8_t ttl;             /* routers a datagram to a group may cross; 0: stays on this machine */
    uint8_t loopback;        /* 1: groups are heard on this machine too */
    uint32_t receive_bytes;  /* kernel queue asked for; 0: the system's default */
    uint32_t batch;          /* datagrams in one call, 1 to UDP_MAX_BATCH */
    uint32_t datagram_bytes; /* room for a received one, 1 to UDP_MAX_BYTES */
} udp_options;

/* Where a received datagram came from. */
typedef struct {
    uint32_t address;
    uint16_t port;
    uint16_t truncated; /* 1: it was longer than datagram_bytes, and the rest is lost */
} udp_sender;

/* udp_socket_open: a socket, bound, and joined to its group. 0, or -errno with *step (UDP_AT_...).
 * Several sockets may have the same group and port, and each gets every datagram; without a group a
 * port has one owner, and the second gets EADDRINUSE. Allocates all that it will ever need. */
int udp_socket_open(const udp_options *options, udp_socket **made, int *step);
/* udp_socket_leave: leave the group and give the port back; what was received stays readable, and
 * only udp_socket_free may follow. */
void udp_socket_leave(udp_socket *self);
/* udp_socket_free: the same, and its memory. NULL is allowed. */
void udp_socket_free(udp_socket *self);

/* udp_socket_send: `count` datagrams of an arena to one address, in order. Returns how many the
 * kernel took: all of them, or fewer with the errno that the next one met, such as EAGAIN or
 * ENOBUFS (no room now) or EMSGSIZE. It never waits and raises no signal. What was taken may still
 * be lost on the way. O(count). */
uint32_t udp_socket_send(udp_socket *self, uint32_t address, uint16_t port, const uint8_t *arena,
                         const mold_datagram *datagrams, uint32_t count, int *error);

/* udp_socket_receive: what has arrived, at most the batch. Returns how many, 0 if there is nothing,
 * or -errno. O(count). Until the next receive, datagram i lies in udp_socket_arena where
 * udp_socket_datagrams[i] says; all three arrays stay where they are as long as the socket. */
int udp_socket_receive(udp_socket *self);
uint8_t *udp_socket_arena(const udp_socket *self); /* batch * datagram_bytes */
mold_datagram *udp_socket_datagrams(const udp_socket *self);
udp_sender *udp_socket_senders(const udp_socket *self);

/* udp_wait: wait until one of `count` sockets has something. Returns 1 << i for each that has, or 0
 * after `timeout_ns` or a signal (the caller looks around and waits again), or -errno. */
int udp_wait(udp_socket *const *sockets, uint32_t count, uint64_t timeout_ns);

/* udp_socket_address: where it is bound: *address, and the port. */
uint16_t udp_socket_address(const udp_socket *self, uint32_t *address);
/* udp_socket_granted: bytes of the kernel's queue, as the system counts them (Linux doubles what
 * was asked for, for its bookkeeping, and limits it: sysctl net.core.rmem_max). */
uint32_t udp_socket_granted(const udp_socket *self);
/* udp_socket_drops: datagrams that the kernel threw away because its queue was full, modulo 2**32;
 * -1 where the system does not tell. It is asked of the socket (SO_MEMINFO): SO_RXQ_OVFL has the
 * same count, but only beside a datagram that did arrive; who stalls would never learn it. */
int64_t udp_socket_drops(const udp_socket *self);
int udp_socket_fileno(const udp_socket *self);

/* udp_interface: the IPv4 address of an interface's name ("lo"). 0, or -ENODEV, or -errno. */
int udp_interface(const char *name, uint32_t *address);
/* udp_clock_ns: CLOCK_MONOTONIC, the same for all processes of this machine. */
uint64_t udp_clock_ns(void);
/* cdef:end */

#endif
