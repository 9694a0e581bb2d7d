import { setTimeout as sleep } from "node:timers/promises";
import { untilAgreed, type TestRedis } from "../helpers/redis";
import { WITHOUT_SIGN_MS, type Fault } from "./world";

/** Nothing about a Redis that goes back in time like that looks different from before. */
export const reloadInPlace = ({ admin }: TestRedis): Fault => ({
  name: "Redis reads an old snapshot while it runs",
  async strike({ recorder, hold }) {
    await admin.save();
    await hold();
    await recorder.strike({ kind: "loss", allowanceMs: WITHOUT_SIGN_MS }, () =>
      admin.call("DEBUG", "RELOAD", "NOSAVE"),
    );
    // Else it would come back, when it is started again, with what it has just forgotten.
    await admin.bgrewriteaof();
    await untilAgreed(async () =>
      (await admin.info("persistence")).includes("aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0"),
    );
    // Until it must have been noticed: another fault would hide that it wasn't.
    await sleep(WITHOUT_SIGN_MS);
    await hold();
  },
});
