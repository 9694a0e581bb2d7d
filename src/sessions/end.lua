-- Ends one of a user's sessions, or all of them, or all but one.
--
-- KEYS  1–2 as in entries.lua   3 as in session.lua
-- args  as in both, and: reason; sid (only this one) or keep (all but this one), either may be empty
-- Returns {'done' or, when `sid` names no session of this user, 'unknown'; what was revoked; the last event's id, or empty}.
-- Atomic, so that a refresh in between can't carry a session on.

if args.sid ~= '' then
  local session = readSession(args.sid)
  endSession(args.sid, session, args.reason, '')
  return { session.user == args.sub and 'done' or 'unknown', revoked, lastEventId }
end

for _, sid in ipairs(redis.call('ZRANGE', userSessions, 0, -1)) do
  if sid ~= args.keep then
    endSession(sid, readSession(sid), args.reason, '')
  end
end
return { 'done', revoked, lastEventId }
