/* floor.c - see floor.h. */
#include "floor.h"

void floor_run(const command_record *commands, size_t count, event_record *events)
{
    for (size_t i = 0; i < count; i++) {
        const command_record *command = &commands[i];
        events[i] = (event_record){
            .sequence = i + 1,
            .timestamp_ns = command->timestamp_ns,
            .order_id = command->order_id,
            .price = command->price,
            .quantity = command->quantity,
            .leaves = command->quantity,
            .instrument = command->instrument,
            .kind = EVENT_ACCEPTED,
            .side = command->side,
        };
    }
}
