-- Writes down that a revoked token was used: beside each entry that refuses it, and as an event, unless another instance
-- has just written that.
--
-- KEYS  1–2 as in entries.lua   3 exists for as long as nobody else need report it
--       then, for each entry that refuses the token: the entry, and the record of its uses
-- args  as in entries.lua, and: quiet_ms, event, sid, jti
--       uses   how many uses the caller has refused since it last said so
-- Atomic, so that only one of several instances reports it, and a record never outlives its entry.

local WITHOUT_TTL_MS = 86400000

for at = 4, #KEYS, 2 do
  local leftMs = redis.call('PTTL', KEYS[at])
  local record = KEYS[at + 1]
  -- Somebody may have written it by hand, as something else. It stays as it is, and the event is told all the same.
  local before = redis.pcall('HGET', record, 'uses')
  local isRecord = before == false or type(before) == 'string'
  if leftMs ~= -2 and isRecord then
    local uses = (tonumber(before) or 0) + tonumber(args.uses)
    redis.call('HSET', record, 'uses', string.format('%.0f', uses), 'last_used_at', args.now,
      'by', args.by, 'ip', args.ip, 'user_agent', args.user_agent)
    redis.call('PEXPIRE', record, string.format('%.0f', leftMs == -1 and WITHOUT_TTL_MS or leftMs))
  end
end

if redis.call('SET', KEYS[3], '', 'NX', 'PX', args.quiet_ms) then
  -- The kind is empty, because nothing was revoked.
  tell(args.event, '', args.sid, args.jti)
end
