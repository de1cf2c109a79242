-- Nasdaq TotalView-ITCH 5.0 for Wireshark and tshark.
--
-- Wireshark knows MoldUDP64, which carries the messages, and of ITCH only older versions, in which
-- numbers were text. This shows version 5.0. To try it:
--
--   tshark -X lua_script:itch50.lua -d udp.port==26400,moldudp64 -d moldudp64.payload,itch50 \
--          -r day.pcap -V
--
-- with your port in the place of 26400. In Wireshark: put this file into the folder of personal
-- Lua plugins (Help, About, Folders), then right click a packet, Decode As: MoldUDP64 for the UDP
-- port, and ITCH 5.0 for the payload of MoldUDP64. Nothing is guessed: no port is taken without
-- being asked, since nothing in a message proves it to be ITCH.
--
-- Filters are named after the fields: itch50.type == "A" and itch50.price >= 990000. Prices are
-- whole numbers of 1/10,000 dollar (level_1 to level_3 of type V: 1/100,000,000). A wrong length and
-- an unknown type are expert errors: filter with itch50.wrong_length or itch50.unknown_type, or with
-- _ws.malformed for any.

-- Between the marks stands what phase5_protocol/itch/layouts.py says, written by lua_tables.py:
-- letter = { name, length, { field, offset, size, kind }, ... }
-- table:begin
local MESSAGES = {
  S = { name = "system_event", length = 12, fields = {
    { "event_code", 11, 1, "alpha" },
  } },
  R = { name = "stock_directory", length = 39, fields = {
    { "stock", 11, 8, "alpha" },
    { "market_category", 19, 1, "alpha" },
    { "financial_status", 20, 1, "alpha" },
    { "round_lot_size", 21, 4, "integer" },
    { "round_lots_only", 25, 1, "alpha" },
    { "issue_classification", 26, 1, "alpha" },
    { "issue_sub_type", 27, 2, "alpha" },
    { "authenticity", 29, 1, "alpha" },
    { "short_sale_threshold", 30, 1, "alpha" },
    { "ipo_flag", 31, 1, "alpha" },
    { "luld_tier", 32, 1, "alpha" },
    { "etp_flag", 33, 1, "alpha" },
    { "etp_leverage", 34, 4, "integer" },
    { "inverse", 38, 1, "alpha" },
  } },
  H = { name = "trading_action", length = 25, fields = {
    { "stock", 11, 8, "alpha" },
    { "trading_state", 19, 1, "alpha" },
    { "reserved", 20, 1, "alpha" },
    { "reason", 21, 4, "alpha" },
  } },
  Y = { name = "short_sale_restriction", length = 20, fields = {
    { "stock", 11, 8, "alpha" },
    { "action", 19, 1, "alpha" },
  } },
  L = { name = "participant_position", length = 26, fields = {
    { "mpid", 11, 4, "alpha" },
    { "stock", 15, 8, "alpha" },
    { "primary_market_maker", 23, 1, "alpha" },
    { "market_maker_mode", 24, 1, "alpha" },
    { "participant_state", 25, 1, "alpha" },
  } },
  V = { name = "market_wide_decline_levels", length = 35, fields = {
    { "level_1", 11, 8, "price8" },
    { "level_2", 19, 8, "price8" },
    { "level_3", 27, 8, "price8" },
  } },
  W = { name = "market_wide_breach", length = 12, fields = {
    { "breached_level", 11, 1, "alpha" },
  } },
  K = { name = "ipo_quoting_period", length = 28, fields = {
    { "stock", 11, 8, "alpha" },
    { "release_time_s", 19, 4, "integer" },
    { "release_qualifier", 23, 1, "alpha" },
    { "ipo_price", 24, 4, "price4" },
  } },
  J = { name = "auction_collar", length = 35, fields = {
    { "stock", 11, 8, "alpha" },
    { "reference_price", 19, 4, "price4" },
    { "upper_price", 23, 4, "price4" },
    { "lower_price", 27, 4, "price4" },
    { "extension", 31, 4, "integer" },
  } },
  h = { name = "operational_halt", length = 21, fields = {
    { "stock", 11, 8, "alpha" },
    { "market", 19, 1, "alpha" },
    { "halt_action", 20, 1, "alpha" },
  } },
  A = { name = "add_order", length = 36, fields = {
    { "reference", 11, 8, "integer" },
    { "side", 19, 1, "alpha" },
    { "shares", 20, 4, "integer" },
    { "stock", 24, 8, "alpha" },
    { "price", 32, 4, "price4" },
  } },
  F = { name = "add_order_mpid", length = 40, fields = {
    { "reference", 11, 8, "integer" },
    { "side", 19, 1, "alpha" },
    { "shares", 20, 4, "integer" },
    { "stock", 24, 8, "alpha" },
    { "price", 32, 4, "price4" },
    { "attribution", 36, 4, "alpha" },
  } },
  E = { name = "order_executed", length = 31, fields = {
    { "reference", 11, 8, "integer" },
    { "shares", 19, 4, "integer" },
    { "match_number", 23, 8, "integer" },
  } },
  C = { name = "order_executed_with_price", length = 36, fields = {
    { "reference", 11, 8, "integer" },
    { "shares", 19, 4, "integer" },
    { "match_number", 23, 8, "integer" },
    { "printable", 31, 1, "alpha" },
    { "price", 32, 4, "price4" },
  } },
  X = { name = "order_cancel", length = 23, fields = {
    { "reference", 11, 8, "integer" },
    { "shares", 19, 4, "integer" },
  } },
  D = { name = "order_delete", length = 19, fields = {
    { "reference", 11, 8, "integer" },
  } },
  U = { name = "order_replace", length = 35, fields = {
    { "reference", 11, 8, "integer" },
    { "new_reference", 19, 8, "integer" },
    { "shares", 27, 4, "integer" },
    { "price", 31, 4, "price4" },
  } },
  P = { name = "trade", length = 44, fields = {
    { "reference", 11, 8, "integer" },
    { "side", 19, 1, "alpha" },
    { "shares", 20, 4, "integer" },
    { "stock", 24, 8, "alpha" },
    { "price", 32, 4, "price4" },
    { "match_number", 36, 8, "integer" },
  } },
  Q = { name = "cross_trade", length = 40, fields = {
    { "shares", 11, 8, "integer" },
    { "stock", 19, 8, "alpha" },
    { "price", 27, 4, "price4" },
    { "match_number", 31, 8, "integer" },
    { "cross_type", 39, 1, "alpha" },
  } },
  B = { name = "broken_trade", length = 19, fields = {
    { "match_number", 11, 8, "integer" },
  } },
  I = { name = "order_imbalance", length = 50, fields = {
    { "paired_shares", 11, 8, "integer" },
    { "imbalance_shares", 19, 8, "integer" },
    { "direction", 27, 1, "alpha" },
    { "stock", 28, 8, "alpha" },
    { "far_price", 36, 4, "price4" },
    { "near_price", 40, 4, "price4" },
    { "reference_price", 44, 4, "price4" },
    { "cross_type", 48, 1, "alpha" },
    { "price_variation", 49, 1, "alpha" },
  } },
  N = { name = "retail_interest", length = 20, fields = {
    { "stock", 11, 8, "alpha" },
    { "interest", 19, 1, "alpha" },
  } },
  O = { name = "direct_listing", length = 48, fields = {
    { "stock", 11, 8, "alpha" },
    { "open_eligibility", 19, 1, "alpha" },
    { "minimum_price", 20, 4, "price4" },
    { "maximum_price", 24, 4, "price4" },
    { "near_price", 28, 4, "price4" },
    { "near_time_ns", 32, 8, "integer" },
    { "lower_collar", 40, 4, "price4" },
    { "upper_collar", 44, 4, "price4" },
  } },
}
-- table:end

-- The fields in front of those, the same for all types.
local TYPE, LOCATE, TRACKING, TIME = 0, 1, 3, 5
local SHORTEST = 11

local itch = Proto("itch50", "Nasdaq TotalView-ITCH 5.0")
local expert = {
  wrong_length = ProtoExpert.new("itch50.wrong_length", "Wrong length for this message type",
    expert.group.MALFORMED, expert.severity.ERROR),
  unknown_type = ProtoExpert.new("itch50.unknown_type", "Unknown message type",
    expert.group.MALFORMED, expert.severity.ERROR),
}
itch.experts = { expert.wrong_length, expert.unknown_type }

local function label(name)
  return (name:gsub("_", " "):gsub("^%l", string.upper))
end

-- One Wireshark field for each name and width: messages that share a field share its filter.
local fields = {}

local function field_of(name, size, kind)
  local key = name .. size .. kind
  if not fields[key] then
    local abbreviation = "itch50." .. name
    if kind == "alpha" then
      fields[key] = ProtoField.string(abbreviation, label(name))
    elseif size == 8 or kind == "time" then
      fields[key] = ProtoField.uint64(abbreviation, label(name))
    else
      fields[key] = ProtoField["uint" .. size * 8](abbreviation, label(name))
    end
  end
  return fields[key]
end

local type_field = field_of("type", 1, "alpha")
local locate_field = field_of("stock_locate", 2, "integer")
local tracking_field = field_of("tracking_number", 2, "integer")
local time_field = field_of("timestamp_ns", 6, "time")
for _, message in pairs(MESSAGES) do
  for _, field in ipairs(message.fields) do
    field_of(field[1], field[3], field[4])
  end
end
local all = {}
for _, field in pairs(fields) do
  all[#all + 1] = field
end
itch.fields = all

-- Numbers above 2^53 must not become a Lua number on the way: uint64() keeps them whole.
local function add_number(tree, field, range, size)
  if size <= 4 then
    return tree:add(field, range, range:uint())
  end
  return tree:add(field, range, range:uint64())
end

local function clock(range)
  local ns = range:uint64():tonumber()
  local seconds = math.floor(ns / 1e9)
  return string.format(" (%02d:%02d:%02d.%09d)", math.floor(seconds / 3600),
    math.floor(seconds / 60) % 60, seconds % 60, ns % 1e9)
end

local function add_field(tree, tvb, field)
  local name, offset, size, kind = field[1], field[2], field[3], field[4]
  local range = tvb(offset, size)
  if kind == "alpha" then
    tree:add(field_of(name, size, kind), range)
    return
  end
  local item = add_number(tree, field_of(name, size, kind), range, size)
  if kind == "price4" then
    item:append_text(string.format(" (%.4f dollars)", range:uint() / 1e4))
  elseif kind == "price8" then
    item:append_text(string.format(" (%.8f dollars)", range:uint64():tonumber() / 1e8))
  end
end

function itch.dissector(tvb, pinfo, tree)
  if tvb:len() == 0 then
    return 0
  end
  pinfo.cols.protocol = "ITCH 5.0"
  local letter = tvb(TYPE, 1):string()
  local message = MESSAGES[letter]
  local node = tree:add(itch, tvb())
  node:add(type_field, tvb(TYPE, 1))
  if not message then
    node:add_proto_expert_info(expert.unknown_type)
    return tvb:len()
  end
  node:append_text(", " .. label(message.name))
  if tvb:len() ~= message.length then
    node:add_proto_expert_info(expert.wrong_length, string.format(
      "%d bytes, where a message of type %s has %d", tvb:len(), letter, message.length))
    return tvb:len()
  end
  node:add(locate_field, tvb(LOCATE, 2))
  node:add(tracking_field, tvb(TRACKING, 2))
  local time = tvb(TIME, SHORTEST - TIME)
  node:add(time_field, time, time:uint64()):append_text(clock(time))
  for _, field in ipairs(message.fields) do
    add_field(node, tvb, field)
  end
  return tvb:len()
end

DissectorTable.get("moldudp64.payload"):add_for_decode_as(itch)
