/* udp_socket.c - sending, receiving, waiting; see udp_socket.h. */
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "phase5_protocol/c/udp_socket_state.h"

#if defined(__linux__)
#include <linux/sock_diag.h>
#endif

#if defined(MSG_NOSIGNAL)
#define SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#else
#define SEND_FLAGS MSG_DONTWAIT
#endif

/* Datagrams handed to the kernel in one call: the headers for it fit on the stack. */
#define SEND_BATCH 64u

/* --- sending -------------------------------------------------------------------------------- */

/* send_some: up to SEND_BATCH datagrams. Returns how many were taken, or -1 with errno. */
static int send_some(const udp_socket *self, struct sockaddr_in *to, const uint8_t *arena,
                     const mold_datagram *datagrams, uint32_t count)
{
    int sent;
#if BATCHED_CALLS
    struct mmsghdr headers[SEND_BATCH];
    struct iovec places[SEND_BATCH];
    memset(headers, 0, count * sizeof *headers);
    for (uint32_t i = 0; i < count; i++) {
        /* sendmmsg only reads, but its structure has no const. */
        places[i].iov_base = (void *)(uintptr_t)(arena + datagrams[i].offset);
        places[i].iov_len = datagrams[i].length;
        headers[i].msg_hdr.msg_name = to;
        headers[i].msg_hdr.msg_namelen = sizeof *to;
        headers[i].msg_hdr.msg_iov = &places[i];
        headers[i].msg_hdr.msg_iovlen = 1;
    }
    do {
        sent = sendmmsg(self->file, headers, count, SEND_FLAGS);
    } while (sent < 0 && errno == EINTR);
#else
    for (sent = 0; (uint32_t)sent < count; sent++) {
        const mold_datagram *next = &datagrams[sent];
        ssize_t taken;
        do {
            taken = sendto(self->file, arena + next->offset, next->length, SEND_FLAGS,
                           (struct sockaddr *)to, sizeof *to);
        } while (taken < 0 && errno == EINTR);
        if (taken < 0) {
            return sent > 0 ? sent : -1;
        }
    }
#endif
    return sent;
}

uint32_t udp_socket_send(udp_socket *self, uint32_t address, uint16_t port, const uint8_t *arena,
                         const mold_datagram *datagrams, uint32_t count, int *error)
{
    struct sockaddr_in to = socket_address(address, port);
    uint32_t done = 0;
    *error = 0;
    while (done < count) {
        uint32_t wanted = count - done < SEND_BATCH ? count - done : SEND_BATCH;
        int sent = send_some(self, &to, arena, datagrams + done, wanted);
        if (sent < 0) {
            *error = errno;
            break;
        }
        done += (uint32_t)sent; /* fewer than wanted: trying the next one alone tells why */
    }
    return done;
}

/* --- receiving ------------------------------------------------------------------------------ */

int udp_socket_receive(udp_socket *self)
{
    int count;
#if BATCHED_CALLS
    for (uint32_t i = 0; i < self->batch; i++) {
        self->headers[i].msg_hdr.msg_namelen = sizeof *self->addresses;
    }
    do {
        count = recvmmsg(self->file, self->headers, self->batch, MSG_DONTWAIT, NULL);
    } while (count < 0 && errno == EINTR);
    for (int i = 0; i < count; i++) {
        self->datagrams[i].length = self->headers[i].msg_len;
        self->senders[i].truncated = (self->headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    }
#else
    for (count = 0; (uint32_t)count < self->batch; count++) {
        struct msghdr header = {.msg_name = &self->addresses[count],
                                .msg_namelen = sizeof *self->addresses,
                                .msg_iov = &self->places[count],
                                .msg_iovlen = 1};
        ssize_t length;
        do {
            length = recvmsg(self->file, &header, MSG_DONTWAIT);
        } while (length < 0 && errno == EINTR);
        if (length < 0) {
            count = count > 0 ? count : -1;
            break;
        }
        self->datagrams[count].length = (uint32_t)length;
        self->senders[count].truncated = (header.msg_flags & MSG_TRUNC) != 0;
    }
#endif
    if (count < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    }
    for (int i = 0; i < count; i++) {
        self->senders[i].address = ntohl(self->addresses[i].sin_addr.s_addr);
        self->senders[i].port = ntohs(self->addresses[i].sin_port);
    }
    return count;
}

uint8_t *udp_socket_arena(const udp_socket *self)
{
    return self->arena;
}

mold_datagram *udp_socket_datagrams(const udp_socket *self)
{
    return self->datagrams;
}

udp_sender *udp_socket_senders(const udp_socket *self)
{
    return self->senders;
}

int udp_wait(udp_socket *const *sockets, uint32_t count, uint64_t timeout_ns)
{
    struct pollfd files[UDP_MAX_WAIT];
    if (count == 0 || count > UDP_MAX_WAIT) {
        return -EINVAL;
    }
    for (uint32_t i = 0; i < count; i++) {
        files[i] = (struct pollfd){.fd = sockets[i]->file, .events = POLLIN};
    }
    /* Rounded up: a wait that ends a little early would be a loop without a pause. */
    uint64_t milliseconds = timeout_ns / 1000000u + (timeout_ns % 1000000u != 0);
    int most = milliseconds < INT32_MAX ? (int)milliseconds : INT32_MAX;
    int found = poll(files, count, most);
    if (found < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    int ready = 0;
    for (uint32_t i = 0; found > 0 && i < count; i++) {
        ready |= files[i].revents != 0 ? 1 << i : 0;
    }
    return ready;
}

/* --- asking --------------------------------------------------------------------------------- */

uint16_t udp_socket_address(const udp_socket *self, uint32_t *address)
{
    struct sockaddr_in local = socket_address(0, 0);
    socklen_t size = sizeof local;
    getsockname(self->file, (struct sockaddr *)&local, &size); /* of a bound socket: cannot fail */
    *address = ntohl(local.sin_addr.s_addr);
    return ntohs(local.sin_port);
}

uint32_t udp_socket_granted(const udp_socket *self)
{
    int bytes = 0;
    socklen_t size = sizeof bytes;
    getsockopt(self->file, SOL_SOCKET, SO_RCVBUF, &bytes, &size);
    return (uint32_t)bytes;
}

int64_t udp_socket_drops(const udp_socket *self)
{
#if defined(SO_MEMINFO)
    uint32_t counts[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof counts;
    if (getsockopt(self->file, SOL_SOCKET, SO_MEMINFO, counts, &size) == 0 &&
        size > SK_MEMINFO_DROPS * sizeof *counts) {
        return counts[SK_MEMINFO_DROPS];
    }
#else
    (void)self;
#endif
    return -1;
}

int udp_socket_fileno(const udp_socket *self)
{
    return self->file;
}

uint64_t udp_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
