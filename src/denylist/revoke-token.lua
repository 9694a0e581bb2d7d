-- Denies a token that is known by its id alone.
--
-- KEYS  1–2 as in entries.lua   3 the token's entry
-- args  as in entries.lua, and: token_entry, reason, kind, jti
--       token_ttl_ms   0 or less if the token has expired by the asking instance's clock
-- Returns {'done'; what was revoked; the event's id, or empty if the token was denied already or has expired}.
-- Atomic, so that an entry which somebody else writes at the same time is never shortened, and is reported once.

readEpoch()
if deny(KEYS[3], args.token_entry, tonumber(args.token_ttl_ms)) then
  tell(args.reason, args.kind, '', args.jti)
end
return { 'done', revoked, lastEventId }
