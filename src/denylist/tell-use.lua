-- Writes the event that a revoked token was used, unless another instance has just done so.
--
-- KEYS  1–2 as in entries.lua   3 exists for as long as nobody else need report it
-- args  as in entries.lua, and: quiet_ms, event, sid, jti
-- Atomic, so that only one of several instances reports it.

if redis.call('SET', KEYS[3], '', 'NX', 'PX', args.quiet_ms) then
  -- The kind is empty, because nothing was revoked.
  tell(args.event, '', args.sid, args.jti)
end
