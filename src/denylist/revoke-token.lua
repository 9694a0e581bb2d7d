-- Denies a token that is known by its name alone.
--
-- KEYS  1–2 as in entries.lua   3 the token's entry
-- args  as in entries.lua, and: token_entry, token_ttl_ms (not above 0 when it has expired by the asking instance's clock), reason, kind, jti
-- Returns {'done'; the event's id, or empty if the token was denied already or has expired}.
-- Atomic, so that an entry that somebody else writes at the same time is never shortened, and told of once.

readEpoch()
if deny(KEYS[3], args.token_entry, tonumber(args.token_ttl_ms)) then
  tell(args.reason, args.kind, '', args.jti)
end
return { 'done', lastEventId }
