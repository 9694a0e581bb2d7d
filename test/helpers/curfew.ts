import { createCurfew, type Curfew, type CurfewOptions } from "../../src/index";
import { eventually } from "./client";
import { SECRET } from "./service";
import { use } from "./use";

const LOG = { info: () => undefined, warn: () => undefined, error: () => undefined };

type OptionsWithAccounts = Exclude<CurfewOptions, { accounts: false }>;

/** The library in this process, with the service's secret, once it can write to its Redis. */
export function useCurfew(options: () => Omit<OptionsWithAccounts, "keys" | "log">): Curfew {
  return use(async () => {
    const curfew = createCurfew({ keys: { secret: SECRET }, log: LOG, timeoutMs: 5000, ...options() });
    await untilUp(curfew);
    return { ...curfew, stop: () => curfew.close() };
  });
}

export const untilUp = (curfew: Curfew) =>
  eventually(() =>
    curfew.revoke({ jti: "up", exp: 1 }).then(
      () => true,
      () => false,
    ),
  );
