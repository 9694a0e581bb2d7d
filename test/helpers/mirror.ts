import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { NodeAddress } from "../../src/redis/links/node-link";
import type { Core } from "../../src/core";
import type { MirrorStatus } from "../../src/denylist/mirror/mirror";
import { eventually } from "./client";
import { openCore } from "./ops";

/** An instance with a mirror, in this process. */
export type Mirrored = Core & {
  status(): MirrorStatus;
  /** Whether a token is accepted; an error's code if it isn't. */
  check(token: string): Promise<string>;
  /** Somebody signs in here. */
  signIn(): Promise<Signed>;
  /** Resolves once checks are answered by the copy. */
  untilFresh(): Promise<void>;
  stop(): void;
};

type Signed = { token: string; jti: string; sid: string; user: string };

type MirrorOptions = {
  stalenessMs?: number;
  timeoutMs?: number;
  mode?: "direct" | "mirror";
  log?: Logger;
  /** Where Redis tells it what changes, if not where it is asked. */
  trackedAt?: NodeAddress;
};

const REQUESTER = { ip: null, userAgent: null };

/** Fresh while this machine is busy, unless a test is about going stale. */
const LONG_MS = 20_000;

export async function openMirrored(
  address: NodeAddress,
  { stalenessMs = LONG_MS, mode = "mirror", ...options }: MirrorOptions = {},
): Promise<Mirrored> {
  const core = await openCore(address, { ...options, settings: { mode, mirrorMaxStalenessMs: stalenessMs } });
  const { mirror } = core;
  return {
    ...core,
    status: () => mirror?.status() ?? { state: "waiting", entries: 0, stalenessMs: undefined },
    check: async (token) => {
      try {
        await core.denylist.assertNotRevoked(await core.tokens.verify(token));
        return "accepted";
      } catch (error) {
        return String((error as { code?: string }).code);
      }
    },
    async signIn() {
      const { accessToken } = await core.auth.register(
        `${randomUUID()}@example.com`,
        "a passphrase",
        REQUESTER,
      );
      const claims = await core.tokens.verify(accessToken);
      return { token: accessToken, jti: claims.jti, sid: claims.sid ?? "", user: claims.sub };
    },
    untilFresh: () => eventually(() => Promise.resolve(mirror?.status().state === "fresh")),
  };
}

export const logOut = ({ auth }: Core, token: string, allDevices = false) =>
  auth.logout({ access: { token, transport: "bearer" }, refresh: undefined, allDevices }, REQUESTER);
