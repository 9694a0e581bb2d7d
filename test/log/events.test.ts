import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LOG_EVENTS, logEvent } from "../../src/log/events";
import { keepLog } from "../helpers/issuer";

const ERROR = 50;
const WARN = 40;
const INFO = 30;

it("is logged at its level, by its name in `event` or in the message alone", () => {
  const { log, lines } = keepLog();
  logEvent(log, "login_failed", { sub: "ada" });
  logEvent(log, "denylist_lost", {}, "the denylist was lost");
  logEvent(log, "redis is ready");
  expect(lines).toEqual([
    { level: WARN, event: "login_failed", sub: "ada", msg: "login_failed" },
    { level: ERROR, event: "denylist_lost", msg: "the denylist was lost" },
    { level: INFO, msg: "redis is ready" },
  ]);
});

it("stands in the table only if something logs it, and nothing is logged without it", () => {
  const texts = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && file !== join("log", "events.ts"))
    .map((file) => readFileSync(join("src", file), "utf8"))
    .join("\n");
  for (const name of Object.keys(LOG_EVENTS)) expect(texts).toContain(`"${name}"`);
  expect(texts).not.toMatch(/\blog\.(debug|info|warn|error)\(/);
});
