// harness.hpp - a C++ queue in the place of a ring: the transfers of bench.h, for any queue that
// can push and pop.
//
// The same records, threads, line-up, warm-up, clock and verification as bench_transfer.c, so that
// what differs is the queue. A peer is a class of this shape, and a file that says PEER(class):
//
//     explicit peer(std::size_t capacity);
//     std::size_t push(const bench_record *records, std::size_t count);  // how many found room
//     std::size_t pop(bench_record *records, std::size_t count);         // how many there were
//     static constexpr bool has_batches;                                 // count may exceed 1
//
// One producer, one consumer. Whoever finds the queue full or empty spins on it with a pause, as
// WAIT_SPIN does.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <thread>

#include "phase4_ring/c/bench.h"
#include "phase4_ring/c/bench_record.h"
#include "phase4_ring/c/pin.h"

namespace harness {

constexpr std::uint64_t stuck_ns = 10'000'000'000;

inline std::uint64_t clock_ns()
{
    using namespace std::chrono;
    auto now = steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(duration_cast<nanoseconds>(now).count());
}

inline std::uint64_t thread_cpu_ns()
{
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
}

inline void pause()
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ __volatile__("yield");
#endif
}

// One wait: a pause at each step, a look at the clock now and then.
class patience {
public:
    bool step() // false when it is too late
    {
        pause();
        if (++steps_ % 4096 != 0) {
            return true;
        }
        std::uint64_t now = clock_ns();
        until_ = until_ == 0 ? now + stuck_ns : until_;
        return now < until_;
    }

private:
    std::uint64_t steps_ = 0;
    std::uint64_t until_ = 0;
};

// Two threads that go on together; see bench_run.h.
class lineup {
public:
    bool wait(unsigned place)
    {
        arrived_.fetch_add(1);
        while (arrived_.load() < 2 * place) {
            if (cancelled_.load()) {
                return false;
            }
            std::this_thread::yield();
        }
        return true;
    }
    void cancel() { cancelled_.store(true); }

private:
    std::atomic<unsigned> arrived_{0};
    std::atomic<bool> cancelled_{false};
};

struct side {
    int code = BENCH_DONE;
    int pinned = -1;
    std::uint64_t waits = 0;
    std::uint64_t started_ns = 0;
    std::uint64_t stopped_ns = 0;
    std::uint64_t cpu_ns = 0;

    bool start(lineup &together)
    {
        if (!together.wait(2)) {
            return false;
        }
        waits = 0;
        cpu_ns = thread_cpu_ns();
        started_ns = clock_ns();
        return true;
    }
    void stop()
    {
        stopped_ns = clock_ns();
        cpu_ns = thread_cpu_ns() - cpu_ns;
    }
};

template <class Queue, std::size_t Size>
int produce(Queue &queue, std::size_t size, std::uint64_t from, std::uint64_t until,
            std::uint64_t &waits)
{
    alignas(64) bench_record batch[Size];
    lanes record;
    size = size < Size ? size : Size;
    lanes_of(&record, 0, from);
    for (std::uint64_t number = from; number < until;) {
        std::size_t count = until - number < size ? until - number : size;
        if (Size == 1) {
            lanes_store(&record, batch);
        } else {
            lanes_fill(&record, batch, count);
        }
        for (std::size_t sent = 0; sent < count;) {
            std::size_t now = queue.push(batch + sent, count - sent);
            sent += now;
            if (now == 0) {
                waits++;
                patience wait;
                while ((now = queue.push(batch + sent, count - sent)) == 0) {
                    if (!wait.step()) {
                        return BENCH_STUCK;
                    }
                }
                sent += now;
            }
        }
        number += count;
    }
    return BENCH_DONE;
}

template <class Queue, std::size_t Size>
int consume(Queue &queue, std::size_t size, std::uint64_t count, tally &result,
            std::uint64_t &waits)
{
    alignas(64) bench_record batch[Size];
    tally sum = result;
    size = size < Size ? size : Size;
    for (std::uint64_t done = 0; done < count;) {
        std::size_t wanted = count - done < size ? count - done : size;
        std::size_t found = queue.pop(batch, wanted);
        if (found == 0) {
            waits++;
            patience wait;
            while ((found = queue.pop(batch, wanted)) == 0) {
                if (!wait.step()) {
                    return BENCH_STUCK;
                }
            }
        }
        tally_take(&sum, batch, found);
        done += found;
    }
    result = sum;
    return BENCH_DONE;
}

template <class Queue>
bool send_one(Queue &queue, const bench_record &record)
{
    patience wait;
    while (queue.push(&record, 1) == 0) {
        if (!wait.step()) {
            return false;
        }
    }
    return true;
}

template <class Queue>
bool receive_one(Queue &queue, bench_record &record)
{
    patience wait;
    while (queue.pop(&record, 1) == 0) {
        if (!wait.step()) {
            return false;
        }
    }
    return true;
}

inline void report(const side &producer, const side &consumer, const tally &sum,
                   bench_result *result)
{
    std::uint64_t from = producer.started_ns < consumer.started_ns ? producer.started_ns
                                                                   : consumer.started_ns;
    std::uint64_t until = producer.stopped_ns > consumer.stopped_ns ? producer.stopped_ns
                                                                    : consumer.stopped_ns;
    *result = bench_result{};
    result->ns = until - from;
    result->producer_ns = producer.stopped_ns - producer.started_ns;
    result->consumer_ns = consumer.stopped_ns - consumer.started_ns;
    result->records = sum.received;
    result->checksum = tally_checksum(&sum);
    result->producer_cpu_ns = producer.cpu_ns;
    result->consumer_cpu_ns = consumer.cpu_ns;
    result->producer_waits = producer.waits;
    result->consumer_waits = consumer.waits;
    result->producer_pinned = producer.pinned;
    result->consumer_pinned = consumer.pinned;
}

// Run a body on each of two pinned threads; the first trouble, or BENCH_DONE.
template <class First, class Second>
int run(const bench_plan *plan, side &first, side &second, First first_body, Second second_body)
{
    lineup together;
    auto guarded = [&together](side &self, int core, auto body) {
        self.pinned = thread_pin(core);
        if (together.wait(1)) {
            self.code = body(self, together);
        }
        if (self.code != BENCH_DONE) {
            together.cancel();
        }
    };
    std::thread one(guarded, std::ref(first), plan->producer_cores[0], first_body);
    std::thread two(guarded, std::ref(second), plan->consumer_core, second_body);
    one.join();
    two.join();
    return first.code != BENCH_DONE ? first.code : second.code;
}

template <class Queue>
int transfer(const bench_plan *plan, bench_result *result)
{
    if (plan->producers != 1 || plan->batch > BENCH_LARGEST_BATCH ||
        (plan->way != BENCH_SINGLY && (plan->way != BENCH_BATCHES || !Queue::has_batches))) {
        return BENCH_BAD_PLAN;
    }
    Queue queue(plan->capacity);
    std::uint64_t warm = plan->warmup;
    std::uint64_t end = warm + plan->items;
    bool singly = plan->way == BENCH_SINGLY;
    tally sum;
    side producer, consumer;

    auto send = [&](std::uint64_t from, std::uint64_t until, std::uint64_t &waits) {
        return singly ? produce<Queue, 1>(queue, 1, from, until, waits)
                      : produce<Queue, BENCH_LARGEST_BATCH>(queue, plan->batch, from, until, waits);
    };
    auto receive = [&](std::uint64_t count, std::uint64_t &waits) {
        return singly ? consume<Queue, 1>(queue, 1, count, sum, waits)
                      : consume<Queue, BENCH_LARGEST_BATCH>(queue, plan->batch, count, sum, waits);
    };
    auto produce_all = [&](side &self, lineup &together) {
        int code = send(0, warm, self.waits);
        if (code == BENCH_DONE && self.start(together)) {
            code = send(warm, end, self.waits);
            self.stop();
        }
        return code;
    };
    auto consume_all = [&](side &self, lineup &together) {
        tally_start(&sum, 0);
        int code = receive(warm, self.waits);
        code = code == BENCH_DONE ? tally_verify(&sum, 1, 0, warm, 0) : code;
        tally_start(&sum, warm);
        if (code == BENCH_DONE && self.start(together)) {
            code = receive(plan->items, self.waits);
            self.stop();
            code = code == BENCH_DONE ? tally_verify(&sum, 1, warm, end, 0) : code;
        }
        return code;
    };
    int code = run(plan, producer, consumer, produce_all, consume_all);
    if (code == BENCH_DONE) {
        report(producer, consumer, sum, result);
    }
    return code;
}

template <class Queue>
int round_trip(const bench_plan *plan, std::uint32_t *times_ns, bench_result *result)
{
    Queue there(plan->capacity);
    Queue back(plan->capacity);
    tally sum;
    side timer, echo;
    lanes record;

    auto make_trips = [&](std::uint64_t count, std::uint32_t *times) {
        std::uint64_t last = clock_ns();
        for (std::uint64_t trip = 0; trip < count; trip++) {
            bench_record question, answer;
            lanes_store(&record, &question);
            if (!send_one(there, question) || !receive_one(back, answer)) {
                return static_cast<int>(BENCH_STUCK);
            }
            if (times != nullptr) {
                std::uint64_t now = clock_ns();
                times[trip] = now - last < UINT32_MAX ? static_cast<std::uint32_t>(now - last)
                                                      : UINT32_MAX;
                last = now;
            }
            tally_take(&sum, &answer, 1);
        }
        return static_cast<int>(BENCH_DONE);
    };
    auto time_trips = [&](side &self, lineup &together) {
        lanes_of(&record, 0, 0);
        tally_start(&sum, 0);
        int code = make_trips(plan->warmup, nullptr);
        if (code == BENCH_DONE && self.start(together)) {
            code = make_trips(plan->items, times_ns);
            self.stop();
            code = code == BENCH_DONE ? tally_verify(&sum, 1, 0, plan->warmup + plan->items, 0)
                                      : code;
        }
        return code;
    };
    auto send_back = [&](std::uint64_t count) {
        bench_record passing;
        for (std::uint64_t done = 0; done < count; done++) {
            if (!receive_one(there, passing) || !send_one(back, passing)) {
                return static_cast<int>(BENCH_STUCK);
            }
        }
        return static_cast<int>(BENCH_DONE);
    };
    auto echo_all = [&](side &self, lineup &together) {
        int code = send_back(plan->warmup);
        if (code == BENCH_DONE && self.start(together)) {
            code = send_back(plan->items);
            self.stop();
        }
        return code;
    };
    int code = run(plan, timer, echo, time_trips, echo_all);
    if (code == BENCH_DONE) {
        report(timer, echo, sum, result);
    }
    return code;
}

} // namespace harness

#define PEER(queue)                                                                            \
    extern "C" int peer_transfer(const bench_plan *plan, bench_result *result)                 \
    {                                                                                          \
        return harness::transfer<queue>(plan, result);                                         \
    }                                                                                          \
    extern "C" int peer_round_trip(const bench_plan *plan, std::uint32_t *times_ns,            \
                                   bench_result *result)                                       \
    {                                                                                          \
        return harness::round_trip<queue>(plan, times_ns, result);                             \
    }
