/* udp_socket_state.h - what is inside a socket, for the files that make and use it.
 *
 *      headers[i] ─┬▶ places[i] ──▶ arena + i × datagram_bytes
 *                  └▶ addresses[i]                               read by the kernel's batched call
 *
 *      datagrams[i], senders[i]                                  what the caller sees of it
 *
 * The headers for receiving are built once; the kernel changes only lengths, which are put back
 * before each call. Sending builds them anew on the stack, so that a batch that was received stays
 * as it is.
 */
#ifndef PHASE5_UDP_SOCKET_STATE_H
#define PHASE5_UDP_SOCKET_STATE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "phase5_protocol/c/udp_socket.h"

#if defined(__linux__) && !defined(UDP_SOCKET_PORTABLE)
#define BATCHED_CALLS 1
#else
#define BATCHED_CALLS 0
#endif

struct udp_socket {
    int file;
    uint32_t batch;
    uint8_t *arena;
    mold_datagram *datagrams;
    udp_sender *senders;
    struct sockaddr_in *addresses;
    struct iovec *places;
#if BATCHED_CALLS
    struct mmsghdr *headers;
#endif
};

static inline struct sockaddr_in socket_address(uint32_t address, uint16_t port)
{
    struct sockaddr_in made;
    memset(&made, 0, sizeof made); /* BSD has a length in it, which the kernel fills in */
    made.sin_family = AF_INET;
    made.sin_port = htons(port);
    made.sin_addr.s_addr = htonl(address);
    return made;
}

#endif
