import http from "node:http";
import type { AddressInfo } from "node:net";

/** A question to a chain's node. */
export interface RpcQuestion {
  readonly method: string;
  readonly params: readonly unknown[];
}

export interface RpcServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves JSON-RPC on this machine, single questions and batches; what `answer` throws is told with its code and data. */
export async function serveRpc(
  answer: (question: RpcQuestion) => Promise<unknown>,
  { port = 0 }: { port?: number } = {},
): Promise<RpcServer> {
  const server = http.createServer((request, response) => {
    void (async () => {
      const pieces: Buffer[] = [];
      for await (const piece of request) if (piece instanceof Buffer) pieces.push(piece);
      const asked: unknown = JSON.parse(Buffer.concat(pieces).toString("utf8"));
      const answers = Array.isArray(asked)
        ? await Promise.all(asked.map((each: unknown) => answered(each, answer)))
        : await answered(asked, answer);
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify(answers));
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answered(
  asked: unknown,
  answer: (question: RpcQuestion) => Promise<unknown>,
): Promise<Record<string, unknown>> {
  const { id, method, params } = asked as { id: unknown; method: string; params?: readonly unknown[] };
  const head = { jsonrpc: "2.0", id };
  try {
    return { ...head, result: (await answer({ method, params: params ?? [] })) ?? null };
  } catch (error) {
    const code = fieldOf(error, "code");
    const data = fieldOf(error, "data");
    const message = error instanceof Error ? error.message : String(error);
    return { ...head, error: { code: typeof code === "number" ? code : -32000, message, data } };
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
