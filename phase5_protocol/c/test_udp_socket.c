/* test_udp_socket.c - datagrams on this machine's loopback interface.
 *
 *      sender ──▶ port            in order, whole, with the sender's address
 *      sender ──▶ group ──▶ two   each gets each; the neighbour group's socket gets nothing
 *      sender ──▶ (a full queue)  the sender never notices; the kernel counts
 *
 * Where the machine has no multicast on its loopback interface, the tests of it say so and are left
 * out; those of unicast run everywhere.
 */
#include "phase5_protocol/c/udp_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "contract/c/check.h"

#define LOOPBACK 0x7F000001u
#define GROUP 0xEFFF4D01u /* 239.255.77.1 */
#define SECOND UINT64_C(1000000000)

static udp_options options_for(uint32_t group, uint16_t port)
{
    return (udp_options){.group = group,
                         .interface = LOOPBACK,
                         .port = port,
                         .loopback = 1,
                         .batch = 16,
                         .datagram_bytes = 1500};
}

/* A batch of one: the bytes of the datagram before are then surely gone. */
static udp_socket *open_single(uint32_t group, uint16_t port)
{
    udp_options options = options_for(group, port);
    options.batch = 1;
    udp_socket *made;
    int step;
    CHECK(udp_socket_open(&options, &made, &step) == 0);
    return made;
}

static udp_socket *open_socket(uint32_t group, uint16_t port)
{
    udp_options options = options_for(group, port);
    udp_socket *made;
    int step;
    CHECK(udp_socket_open(&options, &made, &step) == 0);
    return made;
}

static uint16_t port_of(const udp_socket *socket)
{
    uint32_t address;
    return udp_socket_address(socket, &address);
}

static const uint8_t *bytes_of(const udp_socket *socket, int datagram)
{
    return udp_socket_arena(socket) + udp_socket_datagrams(socket)[datagram].offset;
}

/* take: wait for datagrams and receive one batch; at least one. */
static int take(udp_socket *socket)
{
    CHECK(udp_wait(&socket, 1, 10 * SECOND) == 1);
    int count = udp_socket_receive(socket);
    CHECK(count > 0);
    return count;
}

/* Guards: a batch that is cut, mixed up, or said to come from elsewhere; an empty datagram lost. */
static void test_batches(void)
{
    static uint8_t bytes[200 * 100];
    mold_datagram sent[200];
    for (uint32_t i = 0; i < 200; i++) {
        sent[i] = (mold_datagram){.offset = 100 * (199 - i), .length = i % 100};
        memset(bytes + sent[i].offset, (int)i, sent[i].length);
    }
    udp_socket *from = open_socket(0, 0);
    udp_socket *to = open_socket(0, 0);
    CHECK(udp_socket_receive(to) == 0);
    CHECK(udp_wait(&to, 1, 0) == 0);
    int error;
    CHECK(udp_socket_send(from, LOOPBACK, port_of(to), bytes, sent, 200, &error) == 200);
    CHECK(error == 0);
    uint32_t seen = 0;
    while (seen < 200) {
        int count = take(to);
        CHECK(count <= 16);
        for (int i = 0; i < count; i++, seen++) {
            const udp_sender *sender = &udp_socket_senders(to)[i];
            CHECK(udp_socket_datagrams(to)[i].length == sent[seen].length && !sender->truncated);
            CHECK(memcmp(bytes_of(to, i), bytes + sent[seen].offset, sent[seen].length) == 0);
            CHECK(sender->address == LOOPBACK && sender->port == port_of(from));
        }
    }
    CHECK(udp_socket_receive(to) == 0);
    udp_socket_free(from);
    udp_socket_free(to);
}

/* Guards: the tail of a long datagram taken for the whole, or one that is too long for UDP holding
 * up those before it. */
static void test_long_datagrams(void)
{
    static uint8_t bytes[70000];
    const mold_datagram sent[] = {
        {.length = 1500}, {.length = 1501}, {.length = UDP_MAX_BYTES + 1}, {.length = 5}};
    udp_socket *from = open_socket(0, 0);
    udp_socket *to = open_single(0, 0);
    int error;
    CHECK(udp_socket_send(from, LOOPBACK, port_of(to), bytes, sent, 4, &error) == 2);
    CHECK(error == EMSGSIZE);
    for (int truncated = 0; truncated < 2; truncated++) {
        CHECK(take(to) == 1);
        CHECK(udp_socket_datagrams(to)->length == 1500);
        CHECK(udp_socket_senders(to)->truncated == truncated);
    }
    udp_socket_free(from);
    udp_socket_free(to);
}

/* Guards: a port with two owners, of which one starves; a failure that does not say what failed. */
static void test_refusals(void)
{
    udp_socket *owner = open_socket(0, 0);
    udp_socket *made;
    int step;
    udp_options options = options_for(0, port_of(owner));
    CHECK(udp_socket_open(&options, &made, &step) == -EADDRINUSE);
    CHECK(made == NULL && step == UDP_AT_BIND);
    udp_socket_leave(owner);
    CHECK(udp_socket_open(&options, &made, &step) == 0);
    udp_socket_free(made);
    udp_socket_free(owner);
    options = options_for(0, 0);
    options.interface = 0xC0000263; /* 192.0.2.99, kept for examples */
    CHECK(udp_socket_open(&options, &made, &step) < 0 && step == UDP_AT_INTERFACE);
    for (int wrong = 0; wrong < 7; wrong++) {
        options = options_for(0, 0);
        options.group = wrong == 0 ? LOOPBACK : 0;
        options.batch = wrong == 1 ? 0 : wrong == 2 ? UDP_MAX_BATCH + 1 : 1;
        options.datagram_bytes = wrong == 3 ? 0 : wrong == 4 ? UDP_MAX_BYTES + 1 : 1;
        options.receive_bytes = wrong == 5 ? UINT32_MAX : 0;
        options.loopback = wrong == 6 ? 2 : 1;
        CHECK(udp_socket_open(&options, &made, &step) == -EINVAL && step == UDP_AT_OPTIONS);
    }
    udp_socket_free(NULL);
}

/* Guards: a wait that names the wrong socket, or sleeps although one is ready. */
static void test_waiting(void)
{
    udp_socket *from = open_socket(0, 0);
    udp_socket *sockets[UDP_MAX_WAIT];
    const mold_datagram sent = {.length = 1};
    int error;
    for (int i = 0; i < UDP_MAX_WAIT; i++) {
        sockets[i] = open_socket(0, 0);
    }
    CHECK(udp_wait(sockets, 0, 0) == -EINVAL);
    CHECK(udp_wait(sockets, UDP_MAX_WAIT + 1, 0) == -EINVAL);
    for (int i = 0; i < UDP_MAX_WAIT; i++) {
        CHECK(udp_socket_send(from, LOOPBACK, port_of(sockets[i]), (const uint8_t *)"x", &sent, 1,
                              &error) == 1);
        CHECK(udp_wait(sockets, UDP_MAX_WAIT, 10 * SECOND) == 1 << i);
        CHECK(udp_socket_receive(sockets[i]) == 1);
    }
    for (int i = 0; i < UDP_MAX_WAIT; i++) {
        udp_socket_free(sockets[i]);
    }
    udp_socket_free(from);
}

/* Guards: a sender whom a reader that never reads slows down, and losses that nobody counts. */
static void test_a_stalled_reader(void)
{
    enum { SENT = 5000 };
    static uint8_t bytes[1000];
    static mold_datagram datagrams[SENT];
    for (int i = 0; i < SENT; i++) {
        datagrams[i].length = sizeof bytes;
    }
    udp_options options = options_for(0, 0);
    options.receive_bytes = 65536;
    udp_socket *stalled;
    int step;
    int error;
    CHECK(udp_socket_open(&options, &stalled, &step) == 0);
    CHECK(udp_socket_granted(stalled) >= 4096);
    int64_t before = udp_socket_drops(stalled);
    udp_socket *from = open_socket(0, 0);
    CHECK(udp_socket_send(from, LOOPBACK, port_of(stalled), bytes, datagrams, SENT, &error) ==
          SENT);
    int received = udp_socket_receive(stalled);
    CHECK(received > 0);
    while (received < SENT && (before < 0 || udp_socket_drops(stalled) + received < SENT)) {
        if (before < 0 && udp_wait(&stalled, 1, SECOND / 10) == 0) {
            break; /* a system that does not count: what is not there by now is lost */
        }
        CHECK(udp_wait(&stalled, 1, 10 * SECOND) == 1);
        received += udp_socket_receive(stalled);
    }
    CHECK(received < SENT);
    CHECK(before <= 0 && (before < 0 || udp_socket_drops(stalled) + received == SENT));
    udp_socket_free(stalled);
    udp_socket_free(from);
}

/* Guards: an interface that is guessed. */
static void test_interfaces(void)
{
    uint32_t address = 0;
    CHECK(udp_interface("no such one", &address) == -ENODEV && address == 0);
#if defined(__linux__)
    CHECK(udp_interface("lo", &address) == 0 && address == LOOPBACK);
#endif
}

/* Guards: a group heard by only one of two, or by who has joined the group beside it. */
static void test_groups(void)
{
    udp_options options = options_for(GROUP, 0);
    options.batch = 1;
    udp_socket *first;
    int step;
    if (udp_socket_open(&options, &first, &step) != 0) {
        printf("no multicast on the loopback interface here: left out\n");
        return;
    }
    uint16_t port = port_of(first);
    udp_socket *second = open_single(GROUP, port);
    udp_socket *neighbour = open_socket(GROUP + 1, port);
    udp_socket *from = open_socket(0, 0);
    const uint8_t bytes[] = "onetwo2";
    const mold_datagram datagrams[] = {{.offset = 0, .length = 3}, {.offset = 3, .length = 4}};
    int error;
    uint32_t sent = udp_socket_send(from, GROUP, port, bytes, datagrams, 2, &error);
    if (sent == 0) {
        printf("no multicast route here (errno %d): left out\n", error);
    } else {
        CHECK(sent == 2);
        udp_socket *heard[] = {first, second};
        for (int i = 0; i < 2; i++) {
            CHECK(take(heard[i]) == 1);
            CHECK(udp_socket_datagrams(heard[i])->length == 3);
            CHECK(memcmp(bytes_of(heard[i], 0), "one", 3) == 0);
            CHECK(take(heard[i]) == 1);
            CHECK(udp_socket_datagrams(heard[i])->length == 4);
            CHECK(memcmp(bytes_of(heard[i], 0), "two2", 4) == 0);
        }
        CHECK(udp_socket_receive(neighbour) == 0);
    }
    udp_socket_free(first);
    udp_socket_free(second);
    udp_socket_free(neighbour);
    udp_socket_free(from);
}

int main(void)
{
    test_batches();
    test_long_datagrams();
    test_refusals();
    test_waiting();
    test_a_stalled_reader();
    test_interfaces();
    test_groups();
    return 0;
}
