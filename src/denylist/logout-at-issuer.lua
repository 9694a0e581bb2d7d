-- Denies what an issuer's logout token names: a session, or every token of a subject that was issued up to now.
--
-- KEYS  1–2 as in entries.lua   3 the entry   4 what is known of the logout token
-- args  as in entries.lua and subject.lua, and:
--       sid, session_entry, session_ttl_ms   the session; sid is empty if it is the subject that is denied
--       reason, kind
--       token_ttl_ms                         for how long the logout token could be sent again
-- Returns {'taken' if the logout token has been taken before, else 'done'; what was revoked; the last event's id, or
-- empty}.
-- Atomic, so that the logout token is remembered if and only if what it names is denied. 'denied' means that nobody has
-- been told so yet: if the answer is lost, or replicas don't confirm it, the issuer sends the same token again, and what
-- was denied stays as it is, with its cutoff. 'acknowledged' means that the issuer was told, and the token is used up.

readEpoch()
local known = redis.call('GET', KEYS[4])
if known then
  return { known == 'acknowledged' and 'taken' or 'done', '', lastEventId }
end
if args.sid == '' then
  cutOff(KEYS[3], args.subject_entry)
  tell(args.reason, args.kind, '', '')
elseif deny(KEYS[3], args.session_entry, tonumber(args.session_ttl_ms)) then
  tell(args.reason, args.kind, args.sid, '')
end
redis.call('SET', KEYS[4], 'denied', 'PX', args.token_ttl_ms)
return { 'done', revoked, lastEventId }
