import type { Logger } from "pino";
import { CurfewError } from "../errors";
import { fetchText, reasonOf } from "./fetch-text";
import type { IssuerAlgorithm, IssuerKey } from "./issuer-keys";
import { createJwksLog } from "./jwks-log";
import { readKeySet, type KeySet } from "./key-set";

/** Finds the key that a token names. */
export type IssuerKeys = {
  /** Returns undefined if the issuer has no such key. Throws `issuer_unavailable` while that can't be known. */
  find(kid: string | undefined): Promise<IssuerKey | undefined>;
  /** Why the keys couldn't be fetched last time; undefined if they were. */
  warning(): { code: string; message: string } | undefined;
  close(): void;
};

export type JwksSource = { name: string; uri: string; algorithms: readonly IssuerAlgorithm[] };

export type JwksLimits = {
  timeoutMs: number;
  maxBytes: number;
  /** How long after a fetch an unknown kid, or a failure, may cause another one. */
  cooldownMs: number;
  /** How often the keys are fetched anyway, so that keys that the issuer removed are soon refused. */
  refreshMs: number;
  /** How long keys are used while the issuer can't be reached. */
  maxAgeMs: number;
};

/**
 * Keys are used for a day without the issuer. That is as long as a token may live by default, so no token that was
 * issued before an outage is refused because of it. Without a limit, somebody with a stolen key could keep it alive by
 * cutting us off from the issuer.
 */
const LIMITS: JwksLimits = {
  timeoutMs: 3000,
  maxBytes: 65_536,
  cooldownMs: 10_000,
  refreshMs: 600_000,
  maxAgeMs: 86_400_000,
};

export type JwksOptions = { log: Logger; fetch?: typeof fetch; limits?: JwksLimits };

/**
 * The keys that an issuer publishes. Fetches them at once, then regularly, one fetch at a time, from no other address.
 */
export function createJwks(source: JwksSource, options: JwksOptions): IssuerKeys {
  const { log, fetch = globalThis.fetch, limits = LIMITS } = options;
  const jwksLog = createJwksLog(source.name, log);
  let current: { keys: KeySet; fetchedAt: number } | undefined;
  /** Why the last fetch failed, unless it didn't. */
  let failure: { reason: string; cause: unknown } | undefined;
  let startedAt = -Infinity;
  let fetching: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  const closing = new AbortController();

  async function fetchKeys(): Promise<void> {
    startedAt = performance.now();
    try {
      const text = await fetchText(source.uri, { ...limits, fetch, closing: closing.signal });
      const { keys, skipped } = readKeySet(text, source.algorithms);
      current = { keys, fetchedAt: startedAt };
      failure = undefined;
      jwksLog.fetched(skipped);
    } catch (error) {
      const reason = reasonOf(error);
      failure = { reason, cause: error };
      if (!closing.signal.aborted) jwksLog.failed(reason);
    }
  }

  function refresh(): Promise<void> {
    clearTimeout(timer);
    fetching ??= fetchKeys().finally(() => {
      fetching = undefined;
      if (closing.signal.aborted) return;
      timer = setTimeout(() => void refresh(), failure ? limits.cooldownMs : limits.refreshMs).unref();
    });
    return fetching;
  }

  const keys = () =>
    current && performance.now() - current.fetchedAt < limits.maxAgeMs ? current.keys : undefined;

  const unavailable = ({ reason, cause }: { reason: string; cause: unknown }) =>
    new CurfewError("issuer_unavailable", {
      cause: new Error(`the keys of ${source.name} can't be fetched: ${reason}`, { cause }),
      about: { issuer: source.name },
    });

  /** For a token without a kid, fetching is of no use unless there are no keys at all. */
  const isWorthFetching = (kid: string | undefined) =>
    (kid !== undefined || !keys()) && performance.now() - startedAt >= limits.cooldownMs;

  void refresh();

  return {
    async find(kid) {
      const known = keys()?.find(kid);
      if (known) return known;
      if (fetching !== undefined || isWorthFetching(kid)) await refresh();
      const key = keys()?.find(kid);
      // While the issuer can't be reached, an unknown key may be its newest, so the token can't be judged.
      if (!key && failure) throw unavailable(failure);
      return key;
    },

    warning() {
      if (!failure) return undefined;
      const what = keys()
        ? "The last ones stay in use, for a day at most."
        : "Its tokens get a 503, because nobody can say whether they are genuine.";
      const message = `The keys of ${source.name} can't be fetched (${failure.reason}). ${what}`;
      return { code: "issuer_unavailable", message };
    },

    close() {
      clearTimeout(timer);
      closing.abort(new Error("closed"));
    },
  };
}
