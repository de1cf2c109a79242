/* itch_fields.h - every ITCH 5.0 message and field. Written by itch/c_table.py: do not edit.
 *
 * ITCH_EACH_TYPE(TYPE) is TYPE(name, letter, length) for each type, in the order in which types
 * are counted. ITCH_FIELDS_name(FIELD) is FIELD(wire, name, offset, size, kind) for each field
 * behind the type byte, the common ones first; `wire` says how to load it: u16, u32, u48, u64 (big
 * endian), or text.
 */
#ifndef PHASE5_ITCH_FIELDS_H
#define PHASE5_ITCH_FIELDS_H

#define ITCH_EACH_TYPE(TYPE) \
    TYPE(system_event, 'S', 12) \
    TYPE(stock_directory, 'R', 39) \
    TYPE(trading_action, 'H', 25) \
    TYPE(short_sale_restriction, 'Y', 20) \
    TYPE(participant_position, 'L', 26) \
    TYPE(market_wide_decline_levels, 'V', 35) \
    TYPE(market_wide_breach, 'W', 12) \
    TYPE(ipo_quoting_period, 'K', 28) \
    TYPE(auction_collar, 'J', 35) \
    TYPE(operational_halt, 'h', 21) \
    TYPE(add_order, 'A', 36) \
    TYPE(add_order_mpid, 'F', 40) \
    TYPE(order_executed, 'E', 31) \
    TYPE(order_executed_with_price, 'C', 36) \
    TYPE(order_cancel, 'X', 23) \
    TYPE(order_delete, 'D', 19) \
    TYPE(order_replace, 'U', 35) \
    TYPE(trade, 'P', 44) \
    TYPE(cross_trade, 'Q', 40) \
    TYPE(broken_trade, 'B', 19) \
    TYPE(order_imbalance, 'I', 50) \
    TYPE(retail_interest, 'N', 20) \
    TYPE(direct_listing, 'O', 48)

#define ITCH_COMMON(FIELD) \
    FIELD(u16, stock_locate, 1, 2, integer) \
    FIELD(u16, tracking_number, 3, 2, integer) \
    FIELD(u48, timestamp_ns, 5, 6, time)

#define ITCH_FIELDS_system_event(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(text, event_code, 11, 1, alpha)

#define ITCH_FIELDS_stock_directory(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(text, stock, 11, 8, alpha) \
    FIELD(text, market_category, 19, 1, alpha) \
    FIELD(text, financial_status, 20, 1, alpha) \
    FIELD(u32, round_lot_size, 21, 4, integer) \
    FIELD(text, round_lots_only, 25, 1, alpha) \
    FIELD(text, issue_classification, 26, 1, alpha) \
    FIELD(text, issue_sub_type, 27, 2, alpha) \
    FIELD(text, authenticity, 29, 1, alpha) \
    FIELD(text, short_sale_threshold, 30, 1, alpha) \
    FIELD(text, ipo_flag, 31, 1, alpha) \
    FIELD(text, luld_tier, 32, 1, alpha) \
    FIELD(text, etp_flag, 33, 1, alpha) \
    FIELD(u32, etp_leverage, 34, 4, integer) \
    FIELD(text, inverse, 38, 1, alpha)

#define ITCH_FIELDS_trading_action(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(text, stock, 11, 8, alpha) \
    FIELD(text, trading_state, 19, 1, alpha) \
    FIELD(text, reserved, 20, 1, alpha) \
    FIELD(text, reason, 21, 4, alpha)

#define ITCH_FIELDS_short_sale_restriction(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(text, stock, 11, 8, alpha) \
    FIELD(text, action, 19, 1, alpha)

#define ITCH_FIELDS_participant_position(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(text, mpid, 11, 4, alpha) \
    FIELD(text, stock, 15, 8, alpha) \
    FIELD(text, primary_market_maker, 23, 1, alpha) \
    FIELD(text, market_maker_mode, 24, 1, alpha) \
    FIELD(text, participant_state, 25, 1, alpha)

#define ITCH_FIELDS_market_wide_decline_levels(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(u64, level_1, 11, 8, price8) \
    FIELD(u64, level_2, 19, 8, price8) \
    FIELD(u64, level_3, 27, 8, price8)

#define ITCH_FIELDS_market_wide_breach(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(text, breached_level, 11, 1, alpha)

#define ITCH_FIELDS_ipo_quoting_period(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(text, stock, 11, 8, alpha) \
    FIELD(u32, release_time_s, 19, 4, integer) \
    FIELD(text, release_qualifier, 23, 1, alpha) \
    FIELD(u32, ipo_price, 24, 4, price4)

#define ITCH_FIELDS_auction_collar(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(text, stock, 11, 8, alpha) \
    FIELD(u32, reference_price, 19, 4, price4) \
    FIELD(u32, upper_price, 23, 4, price4) \
    FIELD(u32, lower_price, 27, 4, price4) \
    FIELD(u32, extension, 31, 4, integer)

#define ITCH_FIELDS_operational_halt(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(text, stock, 11, 8, alpha) \
    FIELD(text, market, 19, 1, alpha) \
    FIELD(text, halt_action, 20, 1, alpha)

#define ITCH_FIELDS_add_order(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(u64, reference, 11, 8, integer) \
    FIELD(text, side, 19, 1, alpha) \
    FIELD(u32, shares, 20, 4, integer) \
    FIELD(text, stock, 24, 8, alpha) \
    FIELD(u32, price, 32, 4, price4)

#define ITCH_FIELDS_add_order_mpid(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(u64, reference, 11, 8, integer) \
    FIELD(text, side, 19, 1, alpha) \
    FIELD(u32, shares, 20, 4, integer) \
    FIELD(text, stock, 24, 8, alpha) \
    FIELD(u32, price, 32, 4, price4) \
    FIELD(text, attribution, 36, 4, alpha)

#define ITCH_FIELDS_order_executed(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(u64, reference, 11, 8, integer) \
    FIELD(u32, shares, 19, 4, integer) \
    FIELD(u64, match_number, 23, 8, integer)

#define ITCH_FIELDS_order_executed_with_price(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(u64, reference, 11, 8, integer) \
    FIELD(u32, shares, 19, 4, integer) \
    FIELD(u64, match_number, 23, 8, integer) \
    FIELD(text, printable, 31, 1, alpha) \
    FIELD(u32, price, 32, 4, price4)

#define ITCH_FIELDS_order_cancel(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(u64, reference, 11, 8, integer) \
    FIELD(u32, shares, 19, 4, integer)

#define ITCH_FIELDS_order_delete(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(u64, reference, 11, 8, integer)

#define ITCH_FIELDS_order_replace(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(u64, reference, 11, 8, integer) \
    FIELD(u64, new_reference, 19, 8, integer) \
    FIELD(u32, shares, 27, 4, integer) \
    FIELD(u32, price, 31, 4, price4)

#define ITCH_FIELDS_trade(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(u64, reference, 11, 8, integer) \
    FIELD(text, side, 19, 1, alpha) \
    FIELD(u32, shares, 20, 4, integer) \
    FIELD(text, stock, 24, 8, alpha) \
    FIELD(u32, price, 32, 4, price4) \
    FIELD(u64, match_number, 36, 8, integer)

#define ITCH_FIELDS_cross_trade(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(u64, shares, 11, 8, integer) \
    FIELD(text, stock, 19, 8, alpha) \
    FIELD(u32, price, 27, 4, price4) \
    FIELD(u64, match_number, 31, 8, integer) \
    FIELD(text, cross_type, 39, 1, alpha)

#define ITCH_FIELDS_broken_trade(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(u64, match_number, 11, 8, integer)

#define ITCH_FIELDS_order_imbalance(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(u64, paired_shares, 11, 8, integer) \
    FIELD(u64, imbalance_shares, 19, 8, integer) \
    FIELD(text, direction, 27, 1, alpha) \
    FIELD(text, stock, 28, 8, alpha) \
    FIELD(u32, far_price, 36, 4, price4) \
    FIELD(u32, near_price, 40, 4, price4) \
    FIELD(u32, reference_price, 44, 4, price4) \
    FIELD(text, cross_type, 48, 1, alpha) \
    FIELD(text, price_variation, 49, 1, alpha)

#define ITCH_FIELDS_retail_interest(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(text, stock, 11, 8, alpha) \
    FIELD(text, interest, 19, 1, alpha)

#define ITCH_FIELDS_direct_listing(FIELD) \
    ITCH_COMMON(FIELD) \
    FIELD(text, stock, 11, 8, alpha) \
    FIELD(text, open_eligibility, 19, 1, alpha) \
    FIELD(u32, minimum_price, 20, 4, price4) \
    FIELD(u32, maximum_price, 24, 4, price4) \
    FIELD(u32, near_price, 28, 4, price4) \
    FIELD(u64, near_time_ns, 32, 8, integer) \
    FIELD(u32, lower_collar, 40, 4, price4) \
    FIELD(u32, upper_collar, 44, 4, price4)

#endif
