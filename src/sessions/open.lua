-- Opens a session, and ends the user's oldest ones when there are too many.
--
-- KEYS  1–2 as in entries.lua   3 as in session.lua
-- args  as in both, and: sid, access_exp (Unix seconds), expires_at, ends_at (RFC 3339), ttl_ms, limit,
--       opened_as (JSON) or empty
-- Returns {the epoch the session was opened in, what was revoked}.
-- Atomic, so that every session is in its user's list, where a logout of all devices looks for it.

refuseLate()
local epoch = readEpoch()
local key = args.session_key .. args.sid

redis.call('HSET', key, 'user', args.sub, 'epoch', epoch, 'generation', '0', 'generation_since_ms', string.format('%.0f', redisNowMs()),
  'created_at', args.now, 'last_used_at', args.now,
  'expires_at', args.expires_at, 'ends_at', args.ends_at,
  'latest_exp', args.access_exp, 'ip', args.ip, 'user_agent', args.user_agent)
if args.opened_as ~= '' then
  redis.call('HSET', key, 'opened_as', args.opened_as)
end
keep(key, tonumber(args.ttl_ms))
redis.call('ZADD', userSessions, args.now_ms, args.sid)
keep(userSessions, tonumber(args.ttl_ms))

local sids = redis.call('ZRANGE', userSessions, 0, -1)
local excess = #sids - tonumber(args.limit)
if excess > 0 then
  local live = {}
  for _, sid in ipairs(sids) do
    if isLive(readSession(sid), epoch) then
      table.insert(live, sid)
    else
      redis.call('ZREM', userSessions, sid)
    end
  end
  for i = 1, #live - tonumber(args.limit) do
    endSession(live[i], readSession(live[i]), 'session_ended', '')
  end
end

return { epoch, revoked }
