-- What the scripts in this folder share. It comes after entries.lua, which all scripts that write to a denylist share.
--
-- KEYS  3 the user's sessions (sorted set)
-- args  session_key, sid_key   what a session's key and its denylist entry's key begin with
--       grace_ms               how long a generation is young
--       margin_ms              how long a session's entry outlives the last of its access tokens
--       entry                  the denylist entry (JSON) of a session that ends; its sid, exp and reason are still null
--
-- All keys of one user are in one slot of a cluster. The scripts build the sessions' keys from session_key, because the
-- list of sessions must be read and changed in one step.

local userSessions = KEYS[3]

-- If Redis runs a call late, after hanging for a while, the caller has given up. A session that it opened would belong
-- to nobody, and a refresh token that it exchanged would look stolen when its owner sends it again.
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

-- While a generation is young, the one before it is still accepted: from a retry or from another tab.
local function isYoung(session, nowMs)
  return nowMs - tonumber(session.generation_since_ms) < tonumber(args.grace_ms)
end

-- Makes a key live for at least ttlMs.
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

-- Keeps only whose session it was, when it ended and why, for as long as it would have lived, so that a repeated logout
-- finds it. The hash is deleted and made anew, because Redis never packs a hash again that was once large.
local function bury(sid, latestExp, reason)
  local key = args.session_key .. sid
  local ttlMs = math.max(redis.call('PTTL', key), entryTtlMs(latestExp))
  redis.call('DEL', key)
  redis.call('HSET', key, 'user', args.sub, 'ended_at', args.now, 'ended_reason', reason)
  redis.call('PEXPIRE', key, string.format('%.0f', ttlMs))
end

-- Ends a session: its refresh token is dead, all its access tokens are denied, and a tombstone says why. The order
-- matters, because Redis doesn't undo what a script did before it failed: until all is done, a retry must find the
-- session and must not take it for ended.
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
