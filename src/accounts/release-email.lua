-- Frees an e-mail address, if it still belongs to this account.
--
-- KEYS  1 whom the address belongs to
-- args  id
-- Returns 1, or 0 if it belongs to nobody or to somebody else: then nothing has changed.
-- Atomic, so that whoever registers a freed address at the same moment keeps it.

if redis.call('GET', KEYS[1]) ~= args.id then
  return 0
end
return redis.call('DEL', KEYS[1])
