-- What all scripts that write to a denylist share; writer.ts puts it before each of them.
--
-- KEYS  1 events (stream)   2 the epoch   …
-- args  now_ms, now              the asking instance's clock, in milliseconds and as RFC 3339
--       sub, by, ip, user_agent  whose tokens, who asks, from where
--       note                     in whose own words; may be empty
--       deadline_ms              when nobody waits for the answer any more, on Redis's clock; empty if that isn't known
--       events_kept              about how many events the stream keeps
--       witnessed                the last event that the caller knows of; empty if there is none

local events, epochKey = KEYS[1], KEYS[2]

-- Nothing is written where that is gone: what is written would take its place, and nobody would ever miss it.
if args.witnessed ~= '' and #redis.call('XRANGE', events, args.witnessed, args.witnessed) == 0 then
  error('FORGOTTEN')
end

-- What the events end with: none is newer that the caller can be told of. Empty if there are none, and under memory://,
-- which has no tables in tables, and can't be mistaken for another.
local newest = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)[1]
local lastEventId = type(newest) == 'table' and newest[1] or ''

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

-- One and the same clock for every instance.
local function redisNowMs()
  local time = redis.call('TIME')
  -- 1000.0 and not 1000: the Lua behind memory:// has integers of 32 bits.
  return tonumber(time[1]) * 1000.0 + math.floor(tonumber(time[2]) / 1000)
end

-- A TTL counts from the asking instance's clock. Where that is ahead of Redis's, others may accept the token for longer:
-- then it counts from Redis's, unless that is so far behind that it can't be right.
local MAX_SKEW_MS = 30000

-- Writes a denylist entry. One that is there stays as it is, and is never shortened; by hand it may have no TTL at all.
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

-- Gives a member of a JSON text that is still null its value. Inside a string the quotes would be escaped.
local function fill(json, name, value)
  return (string.gsub(json, '"' .. name .. '":null', '"' .. name .. '":' .. value, 1))
end

local function tell(event, kind, sid, jti)
  lastEventId = redis.call('XADD', events, 'MAXLEN', '~', args.events_kept, '*', 'event', event, 'timestamp', args.now,
    'kind', kind, 'sub', args.sub, 'sid', sid, 'jti', jti, 'by', args.by, 'ip', args.ip,
    'user_agent', args.user_agent, 'note', args.note)
end
