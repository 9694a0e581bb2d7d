import { Agent, request, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestService } from "./service";

const POLL_MS = 50;

export type Reply = { status: number; body: unknown };

/** A load balancer that does what any does, and tries nothing twice: whoever says that it is ready gets its turn. */
export type Balancer = {
  /** Throws where a connection breaks. */
  send(method: string, path: string, options?: { token?: string; body?: unknown }): Promise<Reply>;
  add(service: TestService): void;
  remove(service: TestService): void;
  isReady(service: TestService): boolean;
  stop(): Promise<void>;
};

type Instance = { url: string; agent: Agent; isReady: boolean };

export function startBalancer(): Balancer {
  const instances = new Map<TestService, Instance>();
  let turn = 0;
  let isStopped = false;

  async function poll(instance: Instance): Promise<void> {
    const answer = await exchange(instance.url, undefined, "GET", "/readyz").catch(() => undefined);
    instance.isReady = answer?.status === 200;
  }

  async function pollAll(): Promise<void> {
    while (!isStopped) {
      await Promise.all([...instances.values()].map(poll));
      await sleep(POLL_MS);
    }
  }
  const polling = pollAll();

  const remove = (service: TestService) => {
    instances.get(service)?.agent.destroy();
    instances.delete(service);
  };

  return {
    async send(method, path, options) {
      const ready = [...instances.values()].filter(({ isReady }) => isReady);
      const next = ready[(turn += 1) % ready.length];
      if (!next) throw new Error("no instance is ready");
      return exchange(next.url, next.agent, method, path, options);
    },
    add(service) {
      instances.set(service, { url: service.url, agent: new Agent({ keepAlive: true }), isReady: false });
    },
    remove,
    isReady: (service) => instances.get(service)?.isReady === true,
    async stop() {
      isStopped = true;
      await polling;
      for (const service of instances.keys()) remove(service);
    },
  };
}

async function exchange(
  url: string,
  agent: Agent | undefined,
  method: string,
  path: string,
  { token, body }: { token?: string; body?: unknown } = {},
): Promise<Reply> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url + path, {
      method,
      agent,
      headers: {
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "Content-Type": "application/json" }),
      },
    })
      .on("response", resolve)
      .on("error", reject)
      .end(body === undefined ? undefined : JSON.stringify(body));
  });
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += String(chunk);
  return { status: response.statusCode ?? 0, body: text === "" ? undefined : (JSON.parse(text) as unknown) };
}
