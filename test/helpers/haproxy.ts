import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fillFile, startGateway, type TestServer } from "./gateway";

/** A real HAProxy that runs a configuration as it stands, but for the addresses in it, and the Lua that it names. */
export const startHaproxy = (
  file: string,
  lua: string,
  addresses: Record<string, string>,
): Promise<TestServer> =>
  startGateway({
    command: "haproxy",
    debianPackage: "haproxy",
    prepare(dir, port) {
      const own = { "bind :8080": `bind 127.0.0.1:${port}`, "/etc/haproxy/haproxy.lua": lua };
      const written = join(dir, "haproxy.cfg");
      writeFileSync(written, fillFile(file, { ...own, ...addresses }));
      return ["-db", "-f", written];
    },
  });
