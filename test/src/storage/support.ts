import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import Arweave from "arweave";
import { isNeuraError, type NeuraError } from "../../../src/errors.ts";
import type { Secret } from "../../../src/secret.ts";
import { createArweaveKey, type ArweaveJwk } from "../../../src/storage/arweave/key.ts";

export const KiB = 1024;
export const MiB = 1024 * KiB;

let key: Promise<Secret<ArweaveJwk>> | undefined;

/** One wallet for the whole run: making one takes seconds. */
export function testKey(): Promise<Secret<ArweaveJwk>> {
  return (key ??= createArweaveKey());
}

/** What a test has to undo, undone in reverse order. */
export class Cleanup {
  readonly #steps: (() => unknown)[] = [];

  add(step: () => unknown): void {
    this.#steps.push(step);
  }

  directory(): string {
    const path = mkdtempSync(join(tmpdir(), "neura-test-"));
    this.add(() => rmSync(path, { recursive: true, force: true }));
    return path;
  }

  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) await step();
  }
}

export function arweaveAt(url: string): Arweave {
  const { hostname: host, port } = new URL(url);
  return Arweave.init({ host, port: Number(port), protocol: "http" });
}

export async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The error with which a promise rejects; fails if it resolves or rejects with anything else. */
export async function errorOf(work: Promise<unknown>): Promise<NeuraError> {
  try {
    await work;
  } catch (error) {
    if (isNeuraError(error)) return error;
    throw error;
  }
  throw new Error("resolved, but an error was expected");
}

/** A server in a test's hands. */
export async function serve(cleanup: Cleanup, listener: http.RequestListener): Promise<string> {
  const server = http.createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanup.add(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A proxy before a gateway: `change` sees every request first and may answer it itself by returning true. */
export async function proxy(
  cleanup: Cleanup,
  target: () => string,
  change: (request: http.IncomingMessage, response: http.ServerResponse) => boolean,
): Promise<string> {
  return await serve(cleanup, (request, response) => {
    if (change(request, response)) return;
    const { method, headers, url = "/" } = request;
    const onward = http.request(new URL(url, target()), { method: method ?? "GET", headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
}

export function random(size: number): Buffer {
  return randomBytes(size);
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * What a module asks of the file system, in order, as Node traces it: name and, where it has any, last path of
 * each operation that does not block. It runs in a process of its own.
 */
export async function fileOperations(cleanup: Cleanup, module: string): Promise<string[]> {
  const trace = join(cleanup.directory(), "trace.json");
  await promisify(execFile)(process.execPath, [
    ...["--import", "tsx", "--trace-event-categories", "node.fs.async", "--trace-event-file-pattern", trace],
    ...["--input-type=module", "--eval", module],
  ]);
  const { traceEvents } = JSON.parse(readFileSync(trace, "utf8")) as {
    traceEvents: { cat: string; ph: string; name: string; args: Record<string, string> }[];
  };
  return traceEvents
    .filter(({ cat, ph }) => cat.includes("node.fs.async") && ph === "b")
    .map(({ name, args }) => [name, ...Object.values(args).slice(-1)].join(" "));
}
