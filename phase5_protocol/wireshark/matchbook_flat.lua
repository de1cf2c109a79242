-- Matchbook's event records for Wireshark and tshark: what its event channel carries over MoldUDP64.
--
--   tshark -X lua_script:matchbook_flat.lua -d udp.port==26401,moldudp64 \
--          -d moldudp64.payload,matchbook -r events.pcap -V
--
-- with your port in the place of 26401; in Wireshark as told at the head of itch50.lua. A record is
-- 64 bytes, little endian. Filters are named after the fields: matchbook.kind == 2 finds trades, and
-- matchbook.order_id == 7 what became of an order. What is wrong with a record is an expert error:
-- matchbook.wrong_length, matchbook.unknown_kind, matchbook.not_zero.

-- Between the marks stands what contract/records.py and contract/messages.py say, written by
-- lua_tables.py: fields as { name, offset, type }, and the words of the enumerated ones.
-- table:begin
local RECORD_BYTES = 64
local FIELDS = {
  { "sequence", 0, "uint64" },
  { "timestamp_ns", 8, "uint64" },
  { "order_id", 16, "uint64" },
  { "contra_order_id", 24, "uint64" },
  { "price", 32, "int64" },
  { "quantity", 40, "uint64" },
  { "leaves", 48, "uint64" },
  { "instrument", 56, "uint32" },
  { "kind", 60, "uint8" },
  { "side", 61, "uint8" },
  { "reason", 62, "uint8" },
  { "reserved", 63, "uint8" },
}
local WORDS = {
  kind = { [1] = "accepted", [2] = "trade", [3] = "cancelled", [4] = "replaced", [5] = "rejected" },
  side = { [0] = "bid", [1] = "ask" },
  reason = { [0] = "none", [1] = "user", [2] = "ioc", [3] = "fok", [4] = "self_trade", [5] = "mass_cancel", [16] = "unknown_order", [17] = "duplicate_order_id", [18] = "invalid_quantity", [19] = "invalid_price", [20] = "invalid_command", [21] = "would_cross", [22] = "book_full", [23] = "unknown_instrument" },
}
-- table:end

local flat = Proto("matchbook", "Matchbook event record")
local expert = {
  wrong_length = ProtoExpert.new("matchbook.wrong_length", "Not one record of 64 bytes",
    expert.group.MALFORMED, expert.severity.ERROR),
  unknown_kind = ProtoExpert.new("matchbook.unknown_kind", "Unknown event kind, side or reason",
    expert.group.MALFORMED, expert.severity.ERROR),
  not_zero = ProtoExpert.new("matchbook.not_zero", "The reserved byte is not 0",
    expert.group.MALFORMED, expert.severity.ERROR),
}
flat.experts = { expert.wrong_length, expert.unknown_kind, expert.not_zero }

local SIZES = { uint64 = 8, int64 = 8, uint32 = 4, uint8 = 1 }
local fields = {}
for _, field in ipairs(FIELDS) do
  local name, kind = field[1], field[3]
  local text = name:gsub("_", " "):gsub("^%l", string.upper)
  fields[name] = ProtoField[kind]("matchbook." .. name, text, base.DEC, WORDS[name])
end
local all = {}
for _, field in pairs(fields) do
  all[#all + 1] = field
end
flat.fields = all

function flat.dissector(tvb, pinfo, tree)
  if tvb:len() == 0 then
    return 0
  end
  pinfo.cols.protocol = "Matchbook"
  local node = tree:add(flat, tvb())
  if tvb:len() ~= RECORD_BYTES then
    node:add_proto_expert_info(expert.wrong_length,
      string.format("%d bytes, not one record of %d", tvb:len(), RECORD_BYTES))
    return tvb:len()
  end
  local unknown, word_of_kind = false, nil
  for _, field in ipairs(FIELDS) do
    local name, offset, kind = field[1], field[2], field[3]
    local range = tvb(offset, SIZES[kind])
    node:add_le(fields[name], range)
    if WORDS[name] then
      local word = WORDS[name][range:le_uint()]
      if name == "kind" then
        word_of_kind = word
        node:append_text(", " .. (word or "unknown"))
      end
      -- What was rejected may have been rejected for its side: then the event repeats it.
      unknown = unknown or not (word or (name == "side" and word_of_kind == "rejected"))
    elseif name == "reserved" and range:le_uint() ~= 0 then
      node:add_proto_expert_info(expert.not_zero)
    end
  end
  if unknown then
    node:add_proto_expert_info(expert.unknown_kind)
  end
  return tvb:len()
end

DissectorTable.get("moldudp64.payload"):add_for_decode_as(flat)
