import { once } from "node:events";
import { startBalancer, type Balancer } from "./balancer";
import { eventually } from "./client";
import { startService, type TestService } from "./service";

/** Three instances behind a load balancer. */
export type Fleet = {
  balancer: Balancer;
  instances: readonly TestService[];
  /** Stops and starts them one by one, from then on with this environment. */
  restart(env: NodeJS.ProcessEnv): Promise<void>;
  stop(): Promise<void>;
};

export async function startFleet(env: NodeJS.ProcessEnv): Promise<Fleet> {
  const balancer = startBalancer();
  const instances: TestService[] = [];

  async function start(at: number, env: NodeJS.ProcessEnv): Promise<void> {
    const service = await startService(env);
    instances[at] = service;
    balancer.add(service);
    await eventually(() => Promise.resolve(balancer.isReady(service)));
  }

  await Promise.all([0, 1, 2].map((at) => start(at, env)));
  return {
    balancer,
    instances,
    async restart(env) {
      for (const [at, old] of [...instances.entries()]) {
        const exit = once(old.process, "exit");
        old.process.kill("SIGTERM");
        expect(await exit).toEqual([0, null]);
        balancer.remove(old);
        await start(at, env);
      }
    },
    async stop() {
      await balancer.stop();
      await Promise.all(instances.map((instance) => instance.stop()));
    },
  };
}
