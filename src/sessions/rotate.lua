-- Exchanges one generation of a session's refresh token for the next.
--
-- KEYS  1–2 as in entries.lua   3 as in session.lua
-- args  as in both, and: sid, generation, access_exp (Unix seconds), expires_at (RFC 3339), ttl_ms
--       keep_young   1: the current generation isn't exchanged while it is younger than the grace
-- Returns {'rotated', what was revoked, epoch, generation}, {'over'}, or {'reused', what was revoked}, after which the
-- session is ended.
-- Atomic, so that two refreshes can't both win, and a logout comes wholly before or wholly after. If it comes before,
-- there is no session to refresh; if after, it finds the exp of the access token that this refresh leads to.

refuseLate()
local epoch = readEpoch()
local session = readSession(args.sid)
if not isLive(session, epoch) then
  return { 'over' }
end

local nowMs = redisNowMs()
local presented, current = tonumber(args.generation), tonumber(session.generation)
local isYoungNow = isYoung(session, nowMs)
local isRetry = isYoungNow and presented == current - 1
local isKept = isYoungNow and presented == current and args.keep_young == '1'

if presented < current and not isRetry then
  endSession(args.sid, session, 'refresh_reused', '')
  return { 'reused', revoked }
end
if presented > current then
  -- A genuine token can't be ahead, unless Redis went back in time.
  tell('refresh_ahead', '', args.sid, '')
end

local key = args.session_key .. args.sid
if not isRetry and not isKept then
  current = presented + 1
  redis.call('HSET', key, 'generation', string.format('%.0f', current),
    'generation_since_ms', string.format('%.0f', nowMs))
end
redis.call('HSET', key, 'last_used_at', args.now, 'expires_at', args.expires_at,
  'latest_exp', string.format('%.0f', math.max(tonumber(session.latest_exp), tonumber(args.access_exp))),
  'ip', args.ip, 'user_agent', args.user_agent)
keep(key, tonumber(args.ttl_ms))
redis.call('ZADD', userSessions, 'NX', args.now_ms, args.sid)
keep(userSessions, tonumber(args.ttl_ms))
return { 'rotated', revoked, epoch, current }
