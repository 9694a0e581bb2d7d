import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fillFile, startGateway, type TestServer } from "./gateway";

const TEMP_PATHS = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/** A real nginx that runs a file for conf.d as it stands, but for the addresses in it. */
export const startNginx = (file: string, addresses: Record<string, string>): Promise<TestServer> =>
  startGateway({
    command: "nginx",
    debianPackage: "nginx-light",
    prepare(dir, port) {
      const site = fillFile(file, { "listen 8080;": `listen 127.0.0.1:${port};`, ...addresses });
      writeFileSync(join(dir, "site.conf"), site);
      // One process: a master that is killed would leave its workers behind.
      writeFileSync(
        join(dir, "nginx.conf"),
        `master_process off;
daemon off;
pid nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  ${TEMP_PATHS.map((name) => `${name}_temp_path ${name};`).join("\n  ")}
  include ${dir}/site.conf;
}
`,
      );
      return ["-p", dir, "-e", "stderr", "-c", "nginx.conf"];
    },
  });
