-- What the scripts share that deny every token of a subject of an outside issuer; it comes behind what all that write to a
-- denylist share (entries.lua).
--
-- args  cutoff           tokens issued up to it are denied (Unix seconds)
--       subject_entry    what to write, its cutoff still null
--       subject_ttl_ms   until the last of these tokens has expired
--
-- Neither of two entries for a subject is ever weakened or shortened by the other. Of two cutoffs the later one stands, and
-- for as long as the longer one would have. What somebody wrote by hand has no cutoff, and denies every token while it is
-- there: one that outlives ours covers it, and stays as it is. One that ends sooner gives way to the cut-off that would be
-- made in the moment that it ends, which denies all that can be issued until then.

-- The cutoff of the entry that is there, if any, and whether it outlives one that is written now.
local function readSubject(key)
  local entry, leftMs = redis.call('GET', key), redis.call('PTTL', key)
  local cutoff = entry and (tonumber(string.match(entry, '"cutoff":(%d+)')) or math.huge)
  return cutoff, leftMs == -1 or leftMs >= tonumber(args.subject_ttl_ms), leftMs
end

-- The asking instance's cutoff. Where its clock is behind Redis's, others have accepted tokens that it would leave out: then
-- it counts from Redis's, unless that is so far ahead that it can't be right.
local function cutoffNow()
  local nowMs, theirsMs = tonumber(args.now_ms), redisNowMs()
  local behindMs = theirsMs - nowMs
  -- A second is what an answer may take.
  if behindMs <= 1000 or behindMs > MAX_SKEW_MS then
    return tonumber(args.cutoff)
  end
  return tonumber(args.cutoff) + math.floor(theirsMs / 1000) - math.floor(nowMs / 1000)
end

local function cutOff(key, entry)
  local cutoff, ttlMs = cutoffNow(), tonumber(args.subject_ttl_ms)
  local current, outlives, leftMs = readSubject(key)
  if current == math.huge and not outlives then
    -- 1000.0 and not 1000: the Lua behind memory:// has integers of 32 bits.
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
