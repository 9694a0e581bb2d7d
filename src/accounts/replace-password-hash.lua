-- Replaces an account's password hash, if it is still the one that was seen.
--
-- KEYS  1 the account
-- args  seen, the hash that was seen; next, the one to replace it
-- Returns 1, or 0 if it was another one, or the account is disabled or gone: then nothing has changed.
-- Atomic, so that a rehash at login can't undo a password change that happened in between.

if redis.call('HGET', KEYS[1], 'password_hash') ~= args.seen or redis.call('HGET', KEYS[1], 'disabled_at') then
  return 0
end
redis.call('HSET', KEYS[1], 'password_hash', args.next)
return 1
