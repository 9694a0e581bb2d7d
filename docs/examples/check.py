import os

import jwt
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

PUBLIC_KEY = open(os.environ["CURFEW_PUBLIC_KEY_FILE"]).read()
RULES = {
    "algorithms": ["ES256"],
    "issuer": "curfew",
    "audience": "curfew",
    # Clocks differ: a token may seem to have been issued a moment from now.
    "options": {"require": ["exp", "sub", "sid", "jti", "epoch"], "verify_iat": False},
}
AT_ONCE = {"socket_timeout": 0.25, "socket_connect_timeout": 0.25, "retry": Retry(NoBackoff(), 0)}

denylist = redis.Redis.from_url(os.environ["REDIS_URL"], **AT_ONCE)


def check(token):
    """Returns the token's claims. jwt.InvalidTokenError means 401; any other exception means 503, never a pass."""
    claims = jwt.decode(token, PUBLIC_KEY, **RULES)
    if jwt.get_unverified_header(token).get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("not an access token")
    ask = denylist.pipeline(transaction=False)
    ask.exists(f"curfew:denylist:jti:{claims['jti']}")
    ask.exists(f"curfew:denylist:sid:{claims['sid']}")
    ask.get("curfew:denylist:epoch")
    by_jti, by_sid, epoch = ask.execute()
    if by_jti or by_sid or epoch != claims["epoch"].encode():
        raise jwt.InvalidTokenError("revoked")
    return claims
