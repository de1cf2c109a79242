/* udp_socket_open.c - sockets made, bound, joined, and given back; see udp_socket.h. */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <unistd.h>

#include "phase5_protocol/c/udp_socket_state.h"

static int options_are_valid(const udp_options *options)
{
    int is_group = options->group >> 28 == 14; /* 224.0.0.0/4 */
    return (options->group == 0 || is_group) && options->batch >= 1 &&
           options->batch <= UDP_MAX_BATCH && options->datagram_bytes >= 1 &&
           options->datagram_bytes <= UDP_MAX_BYTES && options->receive_bytes <= INT32_MAX &&
           options->loopback <= 1;
}

static udp_socket *socket_memory(const udp_options *options)
{
    size_t count = options->batch;
    udp_socket *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->file = -1;
    self->batch = options->batch;
    self->arena = calloc(count, options->datagram_bytes);
    self->datagrams = calloc(count, sizeof *self->datagrams);
    self->senders = calloc(count, sizeof *self->senders);
    self->addresses = calloc(count, sizeof *self->addresses);
    self->places = calloc(count, sizeof *self->places);
    int has_all = self->arena != NULL && self->datagrams != NULL && self->senders != NULL &&
                  self->addresses != NULL && self->places != NULL;
#if BATCHED_CALLS
    self->headers = calloc(count, sizeof *self->headers);
    has_all = has_all && self->headers != NULL;
#endif
    if (!has_all) {
        udp_socket_free(self);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        self->datagrams[i].offset = i * options->datagram_bytes;
        self->places[i].iov_base = self->arena + self->datagrams[i].offset;
        self->places[i].iov_len = options->datagram_bytes;
#if BATCHED_CALLS
        self->headers[i].msg_hdr.msg_iov = &self->places[i];
        self->headers[i].msg_hdr.msg_iovlen = 1;
        self->headers[i].msg_hdr.msg_name = &self->addresses[i];
#endif
    }
    return self;
}

static int set_option(const udp_socket *self, int level, int name, int value)
{
    return setsockopt(self->file, level, name, &value, sizeof value);
}

static int set_byte(const udp_socket *self, int name, uint8_t value)
{
    return setsockopt(self->file, IPPROTO_IP, name, &value, sizeof value); /* BSD wants a byte */
}

/* prepare: descriptor, flags, buffers. Returns 0 or the step that failed, errno set. */
static int prepare(udp_socket *self, const udp_options *options)
{
    self->file = socket(AF_INET, SOCK_DGRAM, 0);
    if (self->file < 0 || fcntl(self->file, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(self->file, F_SETFL, O_NONBLOCK) != 0) {
        return UDP_AT_SOCKET;
    }
#if defined(SO_NOSIGPIPE)
    if (set_option(self, SOL_SOCKET, SO_NOSIGPIPE, 1) != 0) {
        return UDP_AT_SOCKET;
    }
#endif
    /* A queue of this size may be more than the system allows, and BSD then refuses: halve it. */
    for (uint32_t bytes = options->receive_bytes; bytes != 0; bytes /= 2) {
        if (set_option(self, SOL_SOCKET, SO_RCVBUF, (int)bytes) == 0) {
            break;
        }
        if (errno != ENOBUFS || bytes < 4096) {
            return UDP_AT_BUFFERS;
        }
    }
    return 0;
}

/* attach: bind, and join. Bound to the group itself, not to any address, it hears nothing that is
 * sent to other groups at this port: Linux would deliver those that anybody here has joined. */
static int attach(udp_socket *self, const udp_options *options)
{
    if (options->group != 0) {
        int shared = set_option(self, SOL_SOCKET, SO_REUSEADDR, 1);
#if !defined(__linux__) && defined(SO_REUSEPORT)
        shared |= set_option(self, SOL_SOCKET, SO_REUSEPORT, 1); /* what BSD shares a group by */
#endif
        if (shared != 0) {
            return UDP_AT_SOCKET;
        }
    }
    struct in_addr interface = {.s_addr = htonl(options->interface)};
    if (options->interface != INADDR_ANY &&
        setsockopt(self->file, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface) != 0) {
        return UDP_AT_INTERFACE;
    }
    if (set_byte(self, IP_MULTICAST_TTL, options->ttl) != 0 ||
        set_byte(self, IP_MULTICAST_LOOP, options->loopback) != 0) {
        return UDP_AT_INTERFACE;
    }
    struct sockaddr_in local =
        socket_address(options->group != 0 ? options->group : options->interface, options->port);
    if (bind(self->file, (struct sockaddr *)&local, sizeof local) != 0) {
        return UDP_AT_BIND;
    }
    if (options->group != 0) {
        struct ip_mreq group = {.imr_multiaddr.s_addr = htonl(options->group),
                                .imr_interface = interface};
        if (setsockopt(self->file, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
            return UDP_AT_JOIN;
        }
    }
    return 0;
}

int udp_socket_open(const udp_options *options, udp_socket **made, int *step)
{
    *made = NULL;
    if (!options_are_valid(options)) {
        *step = UDP_AT_OPTIONS;
        return -EINVAL;
    }
    udp_socket *self = socket_memory(options);
    if (self == NULL) {
        *step = UDP_AT_MEMORY;
        return -ENOMEM;
    }
    *step = prepare(self, options);
    if (*step == 0) {
        *step = attach(self, options);
    }
    if (*step != 0) {
        int error = errno;
        udp_socket_free(self);
        return -error;
    }
    *made = self;
    return 0;
}

void udp_socket_leave(udp_socket *self)
{
    if (self->file >= 0) {
        close(self->file); /* not again on EINTR: the descriptor is gone, or somebody else's */
        self->file = -1;
    }
}

void udp_socket_free(udp_socket *self)
{
    if (self == NULL) {
        return;
    }
    udp_socket_leave(self);
#if BATCHED_CALLS
    free(self->headers);
#endif
    free(self->places);
    free(self->addresses);
    free(self->senders);
    free(self->datagrams);
    free(self->arena);
    free(self);
}

int udp_interface(const char *name, uint32_t *address)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0) {
        return -errno;
    }
    int code = -ENODEV;
    for (struct ifaddrs *each = all; each != NULL && code != 0; each = each->ifa_next) {
        if (each->ifa_addr != NULL && each->ifa_addr->sa_family == AF_INET &&
            strcmp(each->ifa_name, name) == 0) {
            struct sockaddr_in found;
            memcpy(&found, each->ifa_addr, sizeof found);
            *address = ntohl(found.sin_addr.s_addr);
            code = 0;
        }
    }
    freeifaddrs(all);
    return code;
}
