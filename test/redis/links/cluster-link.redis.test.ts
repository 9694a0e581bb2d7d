import { Cluster } from "ioredis";
import pino from "pino";
import { linkCluster } from "../../../src/redis/links/cluster-link";
import { startCluster } from "../../helpers/cluster";
import { use } from "../../helpers/use";

const cluster = use(() => startCluster(), 90_000);
afterEach(() => {
  jest.restoreAllMocks();
});

const OPTIONS = { timeoutMs: 1000, onInfo: () => undefined };
const log = pino({ level: "silent" });
const where = () => {
  const { username, password } = new URL(cluster.nodes[0]?.url ?? "");
  return {
    username,
    password,
    nodes: cluster.nodes.slice(0, 1).map(({ port }) => ({ host: "127.0.0.1", port })),
  };
};

/** ioredis chooses by chance which primary it asks whether the cluster is up. */
describe.each([0, 0.5, 0.999])("a cluster is up at the first try (chance %d)", (chance) => {
  beforeEach(() => {
    jest.spyOn(Math, "random").mockReturnValue(chance);
  });

  async function expectUp(link: ReturnType<typeof linkCluster>): Promise<void> {
    const closed = jest.fn();
    link.client.on("close", closed);
    await link.firstContact;
    expect(closed).not.toHaveBeenCalled();
    link.close();
  }

  it("by a URL", async () => {
    await expectUp(linkCluster({ mode: "cluster", ...where(), db: 0, hasTls: false }, OPTIONS, log));
  });

  it("as an app's own", async () => {
    const { username, password, nodes } = where();
    const app = new Cluster(nodes, { lazyConnect: true, redisOptions: { username, password } });
    await expectUp(linkCluster({ mode: "app-cluster", cluster: app }, OPTIONS, log));
    app.disconnect();
  });
});
