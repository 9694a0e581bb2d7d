-- Logs out with a foreign token: denies it, its session if it names one, and, if asked, every token of its subject that
-- was issued up to now.
--
-- KEYS  1–2 as in entries.lua   3 the token's entry   4 its subject's   5 its session's, if it names one
-- args  as in entries.lua and subject.lua, and:
--       sid, jti                          as the issuer wrote them; sid may be empty
--       iat, is_expired, since_epoch      of the token; whether its issuer's tokens from before the epoch are refused
--       reason                            why, unless it is all devices
--       all_devices                       1 or 0
--       token_entry                       the entry of the token and its session; in it and in subject_entry, reason is null
--       token_ttl_ms, session_ttl_ms
-- Returns {'done', or 'dead' if all devices were asked for with a token that is no longer alive; what was
-- revoked; the last event's id, or empty}. The token and its session are denied in any case.
-- Atomic, so that nothing changes between the check whether the token is alive and what follows from it, and a cutoff
-- never moves back.

-- Some issuers write fractions. A cutoff covers its whole second.
local iat = math.floor(tonumber(args.iat))
local began = tonumber(string.match(readEpoch(), '^%d+'))
local isBeforeEpoch = args.since_epoch == '1' and iat < began

local cutoff, outlives = readSubject(KEYS[4])
-- A hand-written entry that expires before a cut-off would doesn't count as one: "all devices" must outlast it.
local isCutOff = cutoff and iat <= cutoff and (cutoff < math.huge or outlives)
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

local deniesAnew = false
if reason == 'logout_all_devices' then
  cutOff(KEYS[4], because(args.subject_entry))
  deniesAnew = true
end
if KEYS[5] then
  deniesAnew = deny(KEYS[5], because(args.token_entry), tonumber(args.session_ttl_ms)) or deniesAnew
end
deniesAnew = deny(KEYS[3], because(args.token_entry), tonumber(args.token_ttl_ms)) or deniesAnew
if deniesAnew then
  local kind = reason == 'logout_all_devices' and 'user' or KEYS[5] and 'session' or 'token'
  tell(reason, kind, args.sid, args.jti)
end
return { verdict, revoked, lastEventId }
