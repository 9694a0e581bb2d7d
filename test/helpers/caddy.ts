import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fillFile, startGateway, type TestServer } from "./gateway";

/** A real Caddy that runs a Caddyfile as it stands, but for the addresses in it. */
export const startCaddy = (file: string, addresses: Record<string, string>): Promise<TestServer> =>
  startGateway({
    command: "caddy",
    debianPackage: "caddy",
    prepare(dir, port) {
      const site = fillFile(file, { ":8080 {": `:${port} {\n\tbind 127.0.0.1`, ...addresses });
      const written = join(dir, "Caddyfile");
      // Several may run at once, and only one of them could have the port of its own API.
      writeFileSync(written, `{\n\tadmin off\n}\n${site}`);
      return ["run", "--config", written, "--adapter", "caddyfile"];
    },
  });
