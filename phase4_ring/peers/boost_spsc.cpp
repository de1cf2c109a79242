// boost::lockfree::spsc_queue, from Debian's libboost-dev: one producer, one consumer, arrays too.
#include <boost/lockfree/spsc_queue.hpp>

#include "phase4_ring/peers/harness.hpp"

namespace {

class boost_spsc {
public:
    static constexpr bool has_batches = true;

    explicit boost_spsc(std::size_t capacity) : queue_(capacity) {}

    std::size_t push(const bench_record *records, std::size_t count)
    {
        return count == 1 ? queue_.push(*records) : queue_.push(records, count);
    }
    std::size_t pop(bench_record *records, std::size_t count)
    {
        return count == 1 ? queue_.pop(*records) : queue_.pop(records, count);
    }

private:
    boost::lockfree::spsc_queue<bench_record> queue_;
};

} // namespace

PEER(boost_spsc)
