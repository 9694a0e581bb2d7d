import { z } from "zod";
import { PUBLISHED_KEYS_MAX_AGE_SECONDS, type KeyRing } from "../../keys/key-ring";
import { publicJwkOf } from "../../keys/keys";
import { endpoint } from "../router";

const PublishedKey = { kid: z.string(), use: z.literal("sig") };
const PublishedKeys = z
  .object({
    keys: z.array(
      z.discriminatedUnion("kty", [
        z.object({
          ...PublishedKey,
          kty: z.literal("RSA"),
          alg: z.literal("RS256"),
          n: z.string(),
          e: z.string(),
        }),
        z.object({
          ...PublishedKey,
          kty: z.literal("EC"),
          alg: z.literal("ES256"),
          crv: z.literal("P-256"),
          x: z.string(),
          y: z.string(),
        }),
      ]),
    ),
  })
  .meta({ id: "PublishedKeys" });

/** A service that only verifies tokens with these keys, and doesn't ask Curfew, doesn't learn of logouts. */
export function createPublishedKeys({ all }: KeyRing) {
  const keys = all.map(publicJwkOf).filter((jwk) => jwk !== undefined);
  return endpoint({
    name: "publishedKeys",
    summary: "The public keys that our access tokens can be verified with, as a JWK set",
    answers: { 200: { description: "The keys; none if a secret signs", schema: PublishedKeys } },
    handle(_req, res) {
      res.set("Cache-Control", `public, max-age=${PUBLISHED_KEYS_MAX_AGE_SECONDS}`).json({ keys });
    },
  });
}
