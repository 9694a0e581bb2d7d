-- Logs out: denies the presented access token, and ends the sessions that the presented credentials name, or all.
--
-- KEYS  1–2 as in entries.lua   3 as in session.lua   4 the denylist entry of the access token, if one was presented
-- args  as in both, and:
--       access_sid, access_jti, access_epoch   from the access token, or empty
--       access_entry, access_ttl_ms            its denylist entry; the TTL is 0 or less if the token has expired
--       access_is_expired                      1 or 0
--       access_sibling_exp                     if its session's record was lost: the latest exp of the session's tokens
--       refresh_sid                            from the refresh token, or empty
--       refresh_sibling_exp                    the same for the refresh token's session
--       reason                                 the reason to record, unless all devices are logged out
--       all_devices                            1 or 0
-- Returns {verdict, what was revoked, the last event's id or empty}. The verdict is 'done', or 'dead' if all devices were asked for with
-- a credential that is no longer alive; the sessions that the credentials name have been ended all the same.
-- Atomic, so that no refresh or second logout comes between checking a credential and acting on it.
-- A logout that fails half-way can be tried again, and then does the rest.

local epoch = readEpoch()
local named = {}
if args.refresh_sid ~= '' then
  table.insert(named, args.refresh_sid)
end
if args.access_sid ~= '' and args.access_sid ~= args.refresh_sid then
  table.insert(named, args.access_sid)
end

local function isAccessAlive()
  return args.access_sid ~= '' and args.access_is_expired == '0' and args.access_epoch == epoch
    and redis.call('EXISTS', KEYS[4], args.sid_key .. args.access_sid) == 0
end

local function isRefreshAlive()
  return args.refresh_sid ~= '' and isLive(readSession(args.refresh_sid), epoch)
end

local function wereEndedBy(reason)
  for _, sid in ipairs(named) do
    local session = readSession(sid)
    if session.user == args.sub and session.ended_reason == reason then
      return true
    end
  end
  return false
end

local verdict, reason, others = 'done', args.reason, {}
if args.all_devices == '1' then
  if isAccessAlive() or isRefreshAlive() then
    reason, others = 'logout_all_devices', redis.call('ZRANGE', userSessions, 0, -1)
  elseif wereEndedBy('logout_all_devices') then
    reason = 'logout_all_devices'
  else
    verdict = 'dead'
  end
end

local function endNamed(sid)
  local session = readSession(sid)
  local jti = sid == args.access_sid and args.access_jti or ''
  local siblingExp = sid == args.refresh_sid and args.refresh_sibling_exp or args.access_sibling_exp
  if session.user then
    endSession(sid, session, reason, jti)
  elseif denySession(sid, tonumber(siblingExp), reason) then
    -- The session's record is gone, and with it the latest exp of its access tokens.
    tell(reason, 'session', sid, jti)
  end
end

-- The sessions of the credentials come last: if the script fails before, the credentials are still alive for a retry.
for _, sid in ipairs(others) do
  if sid ~= args.access_sid and sid ~= args.refresh_sid then
    endNamed(sid)
  end
end
for _, sid in ipairs(named) do
  endNamed(sid)
end
if args.access_sid ~= '' then
  deny(KEYS[4], fill(args.access_entry, 'reason', '"' .. reason .. '"'), tonumber(args.access_ttl_ms))
end

return { verdict, revoked, lastEventId }
