-- Denies every token of a subject of an outside issuer that was issued up to now.
--
-- KEYS  1–2 as in entries.lua   3 the subject's entry
-- ARGV  as in entries.lua, and: subject_entry, subject_ttl_ms, cutoff (Unix seconds), reason
-- Returns {'done', the event's id}.
-- Atomic, so that a cutoff never moves back, and an entry is never shortened.

readEpoch()
local entry = redis.call('GET', KEYS[3])
-- What somebody wrote by hand has no cutoff, and denies every token of the subject.
local current = entry and (tonumber(string.match(entry, '"cutoff":(%d+)')) or math.huge)
if not current or current < tonumber(args.cutoff) then
  local ttlMs = math.max(tonumber(args.subject_ttl_ms), redis.call('PTTL', KEYS[3]))
  redis.call('SET', KEYS[3], args.subject_entry, 'PX', string.format('%.0f', ttlMs))
end
tell(args.reason, 'user', '', '')
return { 'done', lastEventId }
