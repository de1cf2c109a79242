// moodycamel::ReaderWriterQueue, from Debian's libreaderwriterqueue-dev: one producer, one
// consumer, one item at a time. It can grow; try_enqueue does not, and so stays bounded.
#include <readerwriterqueue/readerwriterqueue.h>

#include "phase4_ring/peers/harness.hpp"

namespace {

class moodycamel_spsc {
public:
    static constexpr bool has_batches = false;

    explicit moodycamel_spsc(std::size_t capacity) : queue_(capacity) {}

    std::size_t push(const bench_record *records, std::size_t)
    {
        return queue_.try_enqueue(*records);
    }
    std::size_t pop(bench_record *records, std::size_t) { return queue_.try_dequeue(*records); }

private:
    moodycamel::ReaderWriterQueue<bench_record> queue_;
};

} // namespace

PEER(moodycamel_spsc)
