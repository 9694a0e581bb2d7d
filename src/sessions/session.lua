-- What the scripts beside this file share; it comes behind what all that write to a denylist share (entries.lua).
--
-- KEYS  3 the user's sessions (sorted set)
-- args  session_key, sid_key   what a session's key and its denylist entry's key begin with
--       grace_ms               how long a generation is young
--       margin_ms              how long a session's entry outlives the last of its access tokens
--       entry                  the denylist entry (JSON) of a session that ends, its sid, exp and reason still null
--
-- All keys of one user are in one slot of a cluster; the sessions' keys are made from session_key, because which sessions
-- there are must be read and changed in one step.

local userSessions = KEYS[3]

-- A call that Redis meets only after a long sleep was given up long ago: a session that it opened would be nobody's, and a
-- refresh token that it exchanged would look stolen when its owner comes with it again.
local function refuseLate()
  if args.deadline_ms ~= '' and redisNowMs() >= tonumber(args.deadline_ms) then
    error('TOOLATE')
  end
end

local function readSession(sid)
  local flat = redis.call('HGETALL', args.session_key .. sid)
  local session = {}
  for i = 1, #flat, 2 do
    session[flat[i]] = flat[i + 1]
  end
  return session
end

local function isLive(session, epoch)
  return session.user == args.sub and not session.ended_at and session.epoch == epoch
end

-- While a generation is young, the one before it is taken once more: from a retry, from another tab.
local function isYoung(session, nowMs)
  return nowMs - tonumber(session.generation_since_ms) < tonumber(args.grace_ms)
end

-- Lets a session's key live for at least so long.
local function keep(key, ttlMs)
  if redis.call('PTTL', key) < ttlMs then
    redis.call('PEXPIRE', key, string.format('%.0f', ttlMs))
  end
end

local function entryTtlMs(latestExp)
  -- 1000.0 and not 1000: the Lua behind memory:// has integers of 32 bits.
  return latestExp * 1000.0 + tonumber(args.margin_ms) - tonumber(args.now_ms)
end

local function denySession(sid, latestExp, reason)
  local entry = fill(args.entry, 'sid', '"' .. sid .. '"')
  entry = fill(entry, 'exp', string.format('%.0f', latestExp))
  entry = fill(entry, 'reason', '"' .. reason .. '"')
  return deny(args.sid_key .. sid, entry, entryTtlMs(latestExp))
end

-- Leaves of a session whose it was, when it ended and why, for as long as it would have lived: a logout that comes again
-- finds it. It is made anew, because a hash that was large once is never packed again.
local function bury(sid, latestExp, reason)
  local key = args.session_key .. sid
  local ttlMs = math.max(redis.call('PTTL', key), entryTtlMs(latestExp))
  redis.call('DEL', key)
  redis.call('HSET', key, 'user', args.sub, 'ended_at', args.now, 'ended_reason', reason)
  redis.call('PEXPIRE', key, string.format('%.0f', ttlMs))
end

-- Ends a session: its refresh token is dead, every access token it ever had is denied, and a tombstone says why. The
-- order matters: Redis doesn't undo what a script did before it failed, and whoever tries again must find the session,
-- and must not take it for ended, while anything is missing.
local function endSession(sid, session, reason, jti)
  if session.user ~= args.sub or session.ended_at then
    return
  end
  local latestExp = tonumber(session.latest_exp)
  denySession(sid, latestExp, reason)
  tell(reason, 'session', sid, jti)
  bury(sid, latestExp, reason)
  redis.call('ZREM', userSessions, sid)
end
