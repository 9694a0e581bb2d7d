-- Denies a token or a session that is known by name alone.
--
-- KEYS  1–2 as in entries.lua   3 its entry
-- args  as in entries.lua, and: entry, reason; kind, sid and jti, for the event
--       ttl_ms   0 or less if the token has expired by the asking instance's clock
-- Returns {'done'; what was revoked; the event's id, or the last one's if it was denied already or has expired}.
-- Atomic, so that an entry which somebody else writes at the same time is never shortened, and is reported once.

readEpoch()
if deny(KEYS[3], args.entry, tonumber(args.ttl_ms)) then
  tell(args.reason, args.kind, args.sid, args.jti)
end
return { 'done', revoked, lastEventId }
