-- Logs out with a token of an outside issuer: denies it, its session if it names one, and, if asked, every token of its
-- subject that was issued up to now.
--
-- KEYS  1–2 as in entries.lua   3 the token's entry   4 its subject's   5 its session's, if it names one
-- ARGV  as in entries.lua, and:
--       sid, jti                          as the issuer wrote them; sid may be empty
--       iat, is_expired, since_epoch      of the token; whether its issuer's tokens from before the epoch are refused
--       reason                            why, unless it is all devices
--       all_devices                       1 or 0
--       cutoff                            tokens issued up to it are denied (Unix seconds)
--       token_entry, subject_entry        their reason still null
--       token_ttl_ms, session_ttl_ms, subject_ttl_ms
-- Returns {'done', or 'dead' when all devices were asked for with a token that can no longer ask for it; the last event's
-- id, or empty}. The token and its session are denied all the same.
-- Atomic, so that whether a token is alive and what follows from it can't be torn apart, and a cutoff never moves back.

-- Some issuers write fractions. A cutoff is a second, and covers all of it.
local iat = math.floor(tonumber(args.iat))
local isBeforeEpoch = args.since_epoch == '1' and iat < tonumber(string.match(readEpoch(), '^%d+'))

-- What somebody wrote by hand has no cutoff, and denies every token of the subject.
local function readCutoff()
  local entry = redis.call('GET', KEYS[4])
  return entry and (tonumber(string.match(entry, '"cutoff":(%d+)')) or math.huge)
end

local cutoff = readCutoff()
local isCutOff = cutoff and iat <= cutoff
local isDenied = isCutOff or redis.call('EXISTS', KEYS[3]) == 1 or (KEYS[5] and redis.call('EXISTS', KEYS[5]) == 1)
local isAlive = args.is_expired == '0' and not isBeforeEpoch and not isDenied

local verdict, reason = 'done', args.reason
if args.all_devices == '1' and isAlive then
  reason = 'logout_all_devices'
elseif args.all_devices == '1' and not isCutOff then
  verdict = 'dead'
end

local function because(entry)
  return fill(entry, 'reason', '"' .. reason .. '"')
end

local isNews = false
if reason == 'logout_all_devices' then
  local ttlMs = math.max(tonumber(args.subject_ttl_ms), redis.call('PTTL', KEYS[4]))
  if not cutoff or cutoff < tonumber(args.cutoff) then
    redis.call('SET', KEYS[4], because(args.subject_entry), 'PX', string.format('%.0f', ttlMs))
  end
  isNews = true
end
if KEYS[5] then
  isNews = deny(KEYS[5], because(args.token_entry), tonumber(args.session_ttl_ms)) or isNews
end
isNews = deny(KEYS[3], because(args.token_entry), tonumber(args.token_ttl_ms)) or isNews
if isNews then
  local kind = reason == 'logout_all_devices' and 'user' or KEYS[5] and 'session' or 'token'
  tell(reason, kind, args.sid, args.jti)
end
return { verdict, lastEventId }
