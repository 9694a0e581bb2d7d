-- Shared by the scripts that deny every token of a foreign subject. It follows entries.lua.
--
-- args  cutoff           tokens issued up to it are denied (Unix seconds)
--       subject_entry    what to write, with cutoff null
--       subject_ttl_ms   until the last of these tokens has expired
--
-- An entry for a subject never weakens or shortens an earlier one. Of two cutoffs the later one wins, and lives as long as
-- the longer-lived of the two. An entry that was written by hand has no cutoff, and denies every token while it exists. If
-- it outlives ours, it covers ours and stays as it is. If it expires sooner, it is replaced by the cut-off that would be
-- made at the moment when it expires, which denies all that can be issued until then.

-- Returns the cutoff of the existing entry, if any, and whether it outlives one that is written now.
local function readSubject(key)
  local entry, leftMs = redis.call('GET', key), redis.call('PTTL', key)
  local cutoff = entry and (tonumber(string.match(entry, '"cutoff":(%d+)')) or math.huge)
  return cutoff, leftMs == -1 or leftMs >= tonumber(args.subject_ttl_ms), leftMs
end

-- The asking instance's cutoff. If its clock is behind Redis's, other instances may have accepted tokens that its cutoff
-- would leave out: then the cutoff counts from Redis's clock, unless that is so far ahead that it can't be right.
local function cutoffNow()
  local nowMs, theirsMs = tonumber(args.now_ms), redisNowMs()
  local behindMs = theirsMs - nowMs
  -- Up to a second may be the time that the call took.
  if behindMs <= 1000 or behindMs > MAX_SKEW_MS then
    return tonumber(args.cutoff)
  end
  return tonumber(args.cutoff) + math.floor(theirsMs / 1000) - math.floor(nowMs / 1000)
end

local function cutOff(key, entry)
  local cutoff, ttlMs = cutoffNow(), tonumber(args.subject_ttl_ms)
  local current, outlives, leftMs = readSubject(key)
  if current == math.huge and not outlives then
    -- 1000.0 and not 1000: the Lua of memory:// has 32-bit integers.
    leftMs = math.ceil(leftMs / 1000) * 1000.0
    current, cutoff, ttlMs = nil, cutoff + leftMs / 1000, ttlMs + leftMs
  end
  local isNewer = not current or current < cutoff
  local text, ttl = fill(entry, 'cutoff', string.format('%.0f', cutoff)), string.format('%.0f', ttlMs)
  if isNewer and outlives then
    redis.call('SET', key, text, 'KEEPTTL')
  elseif isNewer then
    redis.call('SET', key, text, 'PX', ttl)
  elseif not outlives then
    redis.call('PEXPIRE', key, ttl)
  end
end
