import { jtiKey, sidKey, subKey, type Kind, type Place } from "../denylist/entry";
import { keyIdOf } from "../issuers/foreign-ids";
import type { Told } from "./events";

/** A foreign subject is spelled `<issuer name>:<sub>`; an app's own ids may look like that, too. */
const FOREIGN = /^([a-z0-9-]{1,32}):(.*)$/s;

/**
 * The keys of what an event says was revoked, own and foreign. What was revoked by its name alone has no subject, so it
 * may be any issuer's.
 */
export function placesNamedBy(
  { kind, sub, sid, jti }: Told,
  prefix: string,
  issuerNames: readonly string[],
): Place[] {
  if (kind === null) return [];
  const [, issuer, name] = FOREIGN.exec(sub ?? "") ?? [];
  const issuers = sub === null ? issuerNames : issuer === undefined ? [] : [issuer];
  const spellings = (id: string) => [
    ...new Set([id, ...issuers.flatMap((each) => [`${each}:${id}`, `${each}:${keyIdOf(id)}`])]),
  ];
  const places = (of: Kind, id: string | null | undefined, key: typeof jtiKey) =>
    id ? spellings(id).map((each) => ({ prefix, kind: of, id: each, key: key(prefix, each) })) : [];
  return [
    ...places("user", kind === "user" ? name : null, subKey),
    ...places("session", sid, sidKey),
    ...places("token", jti, jtiKey),
  ];
}
