import hashlib
import json
import os
import re

import jwt
import redis

NAME, ISSUER = "clerk", "https://clerk.example.com"
KEYS = jwt.PyJWKClient(os.environ["JWKS_URI"])
RULES = {"algorithms": ["RS256"], "issuer": ISSUER, "options": {"require": ["exp", "iat", "sub"], "verify_aud": False}}

denylist = redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=0.25, socket_connect_timeout=0.25)


def key_id(text):
    if re.fullmatch(r"(?!sha256-)[A-Za-z0-9._~-]{1,128}", text):
        return text
    return "sha256-" + hashlib.sha256(text.encode()).hexdigest()


def is_cut_off(entry, iat):
    try:
        return entry is not None and iat // 1 <= json.loads(entry)["cutoff"]
    except (ValueError, TypeError, KeyError):
        return True


def check(token):
    """Returns the token's claims. jwt.InvalidTokenError means 401; any other exception means 503, never a pass."""
    claims = jwt.decode(token, KEYS.get_signing_key_from_jwt(token).key, **RULES)
    signed = token.rsplit(".", 1)[0]
    jti = key_id(claims["jti"]) if "jti" in claims else "sha256-" + hashlib.sha256(signed.encode()).hexdigest()
    ask = denylist.pipeline(transaction=False)
    ask.exists(f"curfew:denylist:jti:{NAME}:{jti}")
    ask.exists(f"curfew:denylist:sid:{NAME}:{key_id(claims.get('sid', '-'))}")
    ask.get(f"curfew:denylist:sub:{NAME}:{key_id(claims['sub'])}")
    ask.get("curfew:denylist:epoch")
    by_jti, by_sid, subject, epoch = ask.execute()
    began = int(epoch.split(b"-")[0]) if epoch else claims["iat"] + 1
    if by_jti or by_sid or is_cut_off(subject, claims["iat"]) or claims["iat"] < began:
        raise jwt.InvalidTokenError("revoked")
    return claims
