-- Tells that a revoked token was used, unless somebody has just told.
--
-- KEYS  1–2 as in entries.lua   3 there for as long as nobody else need tell
-- args  as in entries.lua, and: quiet_ms, event, sid, jti
-- Atomic, so that of several instances that see it used one tells.

if redis.call('SET', KEYS[3], '', 'NX', 'PX', args.quiet_ms) then
  -- Without a kind: nothing was revoked.
  tell(args.event, '', args.sid, args.jti)
end
