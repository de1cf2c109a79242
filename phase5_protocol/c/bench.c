/* bench.c - see bench.h. */
#include "phase5_protocol/c/bench.h"

#include <string.h>

enum { STREAM = 0, ANSWERS = 1, REQUESTS = 2, RECORD_BYTES = 64, MOST_REQUESTS = 64 };

typedef struct {
    mold_receiver *receiver;
    lossy_network *network;
    mold_store *store;
    uint8_t *out;
    size_t wanted;
    uint64_t now;
    recovery *result;
    uint8_t datagram[MOLD_MAX_DATAGRAM];
    uint8_t answer[MOLD_DEFAULT_DATAGRAM];
} session;

static void send(session *run, const void *datagram, size_t size, uint32_t link)
{
    if (run->network == NULL)
        mold_receiver_put(run->receiver, datagram, size, run->now, link);
    else
        lossy_network_put(run->network, datagram, size, run->now, link);
}

static void answer(session *run, const uint8_t *datagram, size_t size)
{
    mold_request request;
    size_t length = 0;
    if (mold_parse_request(datagram, size, &request) != MOLD_OK ||
        mold_store_answer(run->store, &request, run->answer, sizeof run->answer, &length) !=
            STORE_ANSWERED)
        run->result->unanswered++;
    else
        send(run, run->answer, length, ANSWERS);
}

static void receive_due(session *run)
{
    uint32_t link = 0;
    int64_t size;
    while ((size = lossy_network_take(run->network, run->now, run->datagram, &link)) >= 0) {
        if (link == REQUESTS)
            answer(run, run->datagram, (size_t)size);
        else
            mold_receiver_put(run->receiver, run->datagram, (size_t)size, run->now, link);
    }
}

static void ask(session *run)
{
    uint8_t requests[MOST_REQUESTS * MOLD_REQUEST_BYTES];
    const size_t count = mold_receiver_poll(run->receiver, run->now, requests, MOST_REQUESTS);
    run->result->requests += count;
    for (size_t i = 0; i < count; i++)
        send(run, requests + i * MOLD_REQUEST_BYTES, MOLD_REQUEST_BYTES, REQUESTS);
}

static void take(session *run)
{
    recovery *result = run->result;
    while (result->messages < run->wanted) {
        const mold_delivery made =
            mold_receiver_take_records(run->receiver, run->out + result->messages * RECORD_BYTES,
                                       run->wanted - result->messages);
        if (made.kind == DELIVERY_MESSAGES)
            result->messages += made.count;
        else if (made.kind == DELIVERY_LOST)
            result->lost += made.count;
        else
            return;
    }
}

/* One step of the made-up time, with something to send in it. */
static void step(session *run, const void *datagram, size_t size, uint64_t step_ns)
{
    run->now += step_ns;
    run->result->steps++;
    send(run, datagram, size, STREAM);
    if (run->network != NULL) {
        receive_due(run);
        if (mold_receiver_deadline(run->receiver) <= run->now)
            ask(run);
    }
    take(run);
}

int bench_recover(mold_receiver *receiver, lossy_network *network, mold_store *store,
                  const uint8_t *arena, const mold_datagram *datagrams, size_t count,
                  uint64_t step_ns, uint64_t patience, void *out, size_t wanted, recovery *result)
{
    session run;
    uint8_t heartbeat[MOLD_HEADER_BYTES];
    memset(result, 0, sizeof *result);
    if (count == 0 || datagrams[0].length < MOLD_HEADER_BYTES)
        return 0;
    run.receiver = receiver;
    run.network = network;
    run.store = store;
    run.out = out;
    run.wanted = wanted;
    run.now = 0;
    run.result = result;
    for (size_t i = 0; i < count; i++)
        step(&run, arena + datagrams[i].offset, datagrams[i].length, step_ns);
    /* A heartbeat says what number comes next: it shows a loss at the very end. */
    mold_write_header(heartbeat, arena + datagrams[0].offset, mold_store_next(store), 0);
    for (uint64_t i = 0; i < patience && result->messages + result->lost < wanted; i++)
        step(&run, heartbeat, sizeof heartbeat, step_ns);
    return result->messages == wanted && result->lost == 0;
}
