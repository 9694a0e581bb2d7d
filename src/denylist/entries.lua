-- Shared by all scripts that write to a denylist: writer.ts puts it before each of them.
--
-- KEYS  1 events (stream)   2 the epoch   …
-- args  now_ms, now              the asking instance's clock, in milliseconds and as RFC 3339
--       sub, by, ip, user_agent  whose tokens, who asks, and from where
--       note                     the words of whoever asks; may be empty
--       deadline_ms              from when on nobody waits for the answer, on Redis's clock; empty if unknown
--       events_kept              about how many events the stream keeps
--       witnessed                the last event that the caller knows; empty if it knows none

local events, epochKey = KEYS[1], KEYS[2]

-- If that event is gone, nothing is written: a new event would take its place, and its loss would never be noticed.
if args.witnessed ~= '' and #redis.call('XRANGE', events, args.witnessed, args.witnessed) == 0 then
  error('FORGOTTEN')
end

-- The id of the last event, which scripts return. Empty if there is none, and under memory://, whose Lua has no nested
-- tables, and which no other Redis can take the place of.
local newest = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)[1]
local lastEventId = type(newest) == 'table' and newest[1] or ''

-- What the script has revoked, which it returns second, for whoever counts: '<reason> <how often>', or empty.
local revoked, revocations = '', 0

local function readEpoch()
  local epoch = redis.call('GET', epochKey)
  if not epoch then
    error('NOEPOCH')
  end
  if not string.match(epoch, '^%d+%-%w+$') then
    error('the epoch is malformed')
  end
  return epoch
end

-- Redis's clock, because it is the same for every instance.
local function redisNowMs()
  local time = redis.call('TIME')
  -- 1000.0 and not 1000: the Lua of memory:// has 32-bit integers.
  return tonumber(time[1]) * 1000.0 + math.floor(tonumber(time[2]) / 1000)
end

-- A TTL counts from the asking instance's clock. If that is ahead of Redis's, other instances may accept the token for
-- longer: then the TTL counts from Redis's clock, unless that is so far behind that it can't be right.
local MAX_SKEW_MS = 30000

-- Writes a denylist entry, and returns whether it is new. An existing one keeps its text and is never shortened; one that
-- was written by hand may have no TTL at all.
local function deny(key, entry, ttlMs)
  ttlMs = ttlMs + math.min(math.max(tonumber(args.now_ms) - redisNowMs(), 0), MAX_SKEW_MS)
  if ttlMs <= 0 then
    return false
  end
  local current = redis.call('PTTL', key)
  if current == -2 then
    redis.call('SET', key, entry, 'PX', string.format('%.0f', ttlMs))
    return true
  end
  if current >= 0 and current < ttlMs then
    redis.call('PEXPIRE', key, string.format('%.0f', ttlMs))
  end
  return false
end

-- Sets a member of a JSON text that is null. It can't match inside a string, where quotes are escaped.
local function fill(json, name, value)
  return (string.gsub(json, '"' .. name .. '":null', '"' .. name .. '":' .. value, 1))
end

local function tell(event, kind, sid, jti)
  lastEventId = redis.call('XADD', events, 'MAXLEN', '~', args.events_kept, '*', 'event', event, 'timestamp', args.now,
    'kind', kind, 'sub', args.sub, 'sid', sid, 'jti', jti, 'by', args.by, 'ip', args.ip,
    'user_agent', args.user_agent, 'note', args.note)
  if kind ~= '' then
    revocations = revocations + 1
    revoked = event .. ' ' .. string.format('%.0f', revocations)
  end
end
