-- Logs out: denies the presented access token and ends the sessions that the presented credentials name, or all.
--
-- KEYS  1–2 as in entries.lua   3 as in session.lua   4 the denylist entry of the access token, if one was presented
-- args  as in both, and:
--       access_sid, access_jti, access_epoch   from the access token, or empty
--       access_entry, access_ttl_ms            its denylist entry; the TTL is not above 0 when it has expired
--       access_is_expired                      1 or 0
--       access_sibling_exp                     no other access token of its session lives longer, if its record was lost
--       refresh_sid                            from the refresh token, or empty
--       refresh_sibling_exp                    the same of that session
--       reason                                 why, unless it is all devices
--       all_devices                            1 or 0
-- Returns {'done', or 'dead' when all devices were asked for with a credential that can no longer ask for it; what was
-- revoked; the last event's id, or empty}. What the credentials name has been ended all the same.
-- Atomic, so that whether a credential is alive and what follows from it can't be torn apart by a refresh or a second
-- logout. One that fails half-way can be tried again, and then does the rest.

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
    -- Its own record is gone, and with it the latest exp of its access tokens.
    tell(reason, 'session', sid, jti)
  end
end

-- The credentials last: while anything is left to do, they can still ask for it.
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
