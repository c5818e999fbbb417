import { expect } from "chai";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import http from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isNeuraError } from "../../../../src/errors.ts";
import type { AccessTicket } from "../../../../src/market/ticket.ts";
import { issueAccess } from "../../../../src/provider/lease/access.ts";
import type { LeaseEndpoint } from "../../../../src/provider/lease/endpoint.ts";
import type { LeaseService } from "../../../../src/provider/lease/service.ts";
import { RunState } from "../../../../src/provider/runner/state.ts";
import { killApplication, logOf, processesIn, testRunner, until } from "../runner/support.ts";
import { isUp, Provider, type ServeOptions, TASK } from "./support.ts";

const OTHER = `0x${"b2".repeat(32)}`;

describe("provider/lease: the endpoint", function () {
  this.timeout(60_000);
  const provider = new Provider();
  let endpoint: LeaseEndpoint;

  beforeEach(async () => {
    await provider.open();
    endpoint = await provider.listen({ headersMs: 400 });
  });
  afterEach(() => provider.close());

  async function lease(options?: ServeOptions): Promise<{ service: LeaseService; ticket: AccessTicket }> {
    const service = await provider.serve(options);
    const ticket = await provider.publish(endpoint, service);
    await isUp(service);
    return { service, ticket };
  }

  it("lets through who has the token of this lease, and nobody else", async () => {
    const { service, ticket } = await lease();
    const token = ticket.token.reveal();
    const authorised = { authorization: `Bearer ${token}` };
    expect(await ask("/", { headers: authorised, body: "hello" })).to.deep.equal([200, "hello"]);
    expect(await ask("/health", { headers: authorised })).to.deep.equal([200, '{"isUp":true,"restarts":0}']);
    expect(service.status()).to.include({ requests: 1, openRequests: 0 });

    endpoint.open(OTHER, { service, tokenHash: "00".repeat(32) });
    for (const authorization of [
      undefined,
      "",
      "Bearer",
      "Bearer ",
      `Bearer ${token}x`,
      `Bearer ${token.slice(1)}`,
      `Bearer ${token.toLowerCase()}`,
      `Basic ${token}`,
      token,
    ])
      for (const path of ["/", "/health"]) {
        const headers = authorization === undefined ? {} : { authorization };
        expect((await ask(path, { headers, body: "hello" }))[0], `${authorization} ${path}`).to.equal(401);
      }
    expect((await ask("/", { task: OTHER, headers: authorised }))[0]).to.equal(401);
    for (const path of ["", "/", "/health", `/${TASK.slice(0, -1)}/`, `/x/${TASK}/`, `//${TASK}/`])
      expect((await ask(path, { task: "", headers: authorised }))[0], path).to.equal(404);
    expect(service.status().requests).to.equal(1);

    endpoint.shut(TASK);
    expect((await ask("/", { headers: authorised }))[0]).to.equal(404);
  });

  it("refuses what is larger than the limit, told beforehand or found out", async () => {
    const { service, ticket } = await lease({ service: { maxRequestMiB: 1 } });
    const headers = bearer(ticket);
    const most = Buffer.alloc(1024 * 1024, "x");
    expect((await ask("/", { headers, body: most }))[1]).to.have.length(most.length);
    const refused = [413, '{"error":"The request has more than 1 MiB."}'];
    const larger = Buffer.alloc(most.length + 1, "x");
    expect(await ask("/", { headers, body: larger })).to.deep.equal(refused);
    expect(
      await ask("/", { headers: { ...headers, "transfer-encoding": "chunked" }, body: larger }),
    ).to.satisfy(
      // Where its beginning was answered already, there is no answer that one could take for whole.
      ([status]: [number]) => status === 413 || status === 0,
    );
    await until(() => service.status().openRequests === 0);
    expect((await ask("/", { headers, body: "small" }))[1]).to.equal("small");
  });

  it("refuses more requests at a time than allowed, and takes places back from clients that are gone", async () => {
    const runner = await testRunner();
    const { service, ticket } = await lease({ application: "obeys", runner, service: { concurrency: 2 } });
    const headers = bearer(ticket);
    const gone = new AbortController();
    const waiting = [1, 2].map(() => ask("/waits", { headers, body: "x", signal: gone.signal }));
    await until(() => service.status().openRequests === 2);
    expect(await ask("/", { headers, body: "x" })).to.deep.equal([
      429,
      '{"error":"2 requests are being answered, which is the most."}',
    ]);
    expect((await ask("/health", { headers }))[0]).to.equal(200);
    gone.abort();
    expect((await Promise.all(waiting)).map(([status]) => status)).to.deep.equal([0, 0]);
    await until(() => service.status().openRequests === 0);
    await until(() => logOf(service) === "Nobody waits.\n".repeat(2));
  });

  it("N03_gives a request no more than its time, however slowly it comes", async () => {
    const { service, ticket } = await lease({
      parameters: { seconds: 3000 },
      service: { timeoutSeconds: 1 },
    });
    const headers = bearer(ticket);
    const late = [504, '{"error":"The request took longer than 1 s."}'];
    const waiting = ask("/", { headers, body: "x" });
    const { port, hostname } = new URL(endpoint.urlOf(TASK));
    const head = `POST /${TASK}/ HTTP/1.1\r\nhost: x\r\nauthorization: ${headers.authorization}\r\n`;
    const drip = connect(Number(port), hostname);
    drip.write(`${head}content-length: 100000\r\n\r\n`);
    const dripping = setInterval(() => drip.write("x"), 20);
    // What is still sent to a socket that was closed resets it, and what it had answered can be lost.
    drip.once("data", () => clearInterval(dripping));
    expect(await text(drip)).to.match(/^HTTP\/1\.1 504 /);
    expect(await waiting).to.deep.equal(late);
    await until(() => service.status().openRequests === 0);
  });

  it("N03_waits for headers no longer than it says, and for the rest of what it refused", async () => {
    const { port, hostname } = new URL(endpoint.urlOf(TASK));
    for (const beginning of [`POST /${TASK}/ HTTP/1.1\r\nhost: x\r\n`, ""]) {
      const loris = connect(Number(port), hostname);
      loris.write(beginning);
      const dripping = setInterval(() => loris.write("a"), 20);
      loris.on("error", () => undefined);
      expect(await text(loris).catch(() => "")).to.match(/^(HTTP\/1\.1 4\d\d |$)/);
      clearInterval(dripping);
    }
    const endless = connect(Number(port), hostname);
    endless.write(`POST /${TASK}/ HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n`);
    const sending = setInterval(() => endless.write("x".repeat(1000)), 20);
    endless.on("error", () => undefined);
    expect(await text(endless).catch(() => "")).to.match(/^(HTTP\/1\.1 404 |$)/);
    clearInterval(sending);
  });

  it("says so when the application is killed in the middle of a request, and goes on with the next one", async () => {
    const runner = await testRunner(undefined, { backoffMs: 10 });
    const { service, ticket } = await lease({ application: "obeys", runner });
    const headers = bearer(ticket);
    const asked = ask("/meets", { headers, body: "x" });
    await until(() => service.status().openRequests === 1);
    await sleep(50);
    await killApplication(service.directory);
    expect((await asked)[0]).to.equal(502);
    await until(() => service.status().restarts === 1);
    await isUp(service);
    expect(await ask("/", { headers })).to.deep.equal([200, "obeyed"]);
    // An answer that had begun is cut, not ended.
    expect(await ask("/half", { headers })).to.deep.equal([0, "ECONNRESET"]);
    await until(() => service.status().restarts === 2);
    await isUp(service);
    expect((await ask("/drips", { headers }))[1]).to.equal("drop\n".repeat(20));
  });

  it("N16_keeps the token from everything but the sealed ticket, which is made once", async () => {
    const { service, ticket } = await lease();
    const token = ticket.token.reveal();
    const answer = await ask("/", { headers: bearer(ticket), body: "hello" });
    expect(answer).to.deep.equal([200, "hello"]);
    const again = await provider.publish(endpoint, service);
    expect(again.token.reveal()).to.equal(token);

    const written = readdirSync(service.directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
    const supervisor = await new RunState(service.directory).read("supervisor.json");
    const pids = [
      supervisor!.pid,
      ...processesIn(service.directory).map((line) => Number.parseInt(line, 10)),
    ];
    const told = pids.flatMap((pid) =>
      ["cmdline", "environ"].map((name) => readProc(`/proc/${pid}/${name}`)),
    );
    const all = [...written, ...told, JSON.stringify(provider.events), JSON.stringify(ticket)].join("\n");
    expect(all).to.include("noop").and.include("service-up");
    const bytes = Buffer.from(token);
    for (const form of [token, bytes.toString("hex"), bytes.toString("base64")])
      expect(all).to.not.include(form);

    const place = {
      task: TASK,
      url: "https://elsewhere.example/x",
      expiresAt: 1,
      publicKey: provider.owner.publicKey,
    };
    const moved = await issueAccess(service.directory, place);
    expect((await issueAccess(service.directory, place)).hash).to.equal(moved.hash);
    endpoint.open(TASK, { service, tokenHash: moved.tokenHash });
    expect((await ask("/", { headers: bearer(ticket) }))[0]).to.equal(401);
  });

  it("says what is wrong with its address", async () => {
    const { port } = new URL(endpoint.urlOf(TASK));
    const error = await provider.listen({ port: Number(port) }).catch((reason: unknown) => reason);
    expect(isNeuraError(error, "endpoint.no-port")).to.equal(true);
    const proxied = await provider.listen({ publicUrl: "https://leases.example.org/" });
    expect(proxied.urlOf(TASK)).to.equal(`https://leases.example.org/${TASK}`);
  });

  /** Status and text of an answer; 0 and an error's code where there is none. */
  async function ask(
    path: string,
    options: {
      task?: string;
      headers?: Record<string, string>;
      body?: string | Buffer;
      signal?: AbortSignal;
    } = {},
  ): Promise<[number, string]> {
    const { task = TASK, headers = {}, body, signal } = options;
    const { port } = new URL(endpoint.urlOf(TASK));
    const request = http.request({
      port,
      host: "127.0.0.1",
      path: task === "" ? path : `/${task}${path}`,
      method: body === undefined ? "GET" : "POST",
      headers,
      ...(signal ? { signal } : {}),
    });
    try {
      // A refusal may come before all is sent.
      const answered = once(request, "response") as Promise<[http.IncomingMessage]>;
      request.end(body);
      const [answer] = await answered;
      return [answer.statusCode ?? 0, await text(answer)];
    } catch (error) {
      return [0, error instanceof Error && "code" in error ? String(error.code) : String(error)];
    }
  }
});

function bearer({ token }: AccessTicket): { authorization: string } {
  return { authorization: `Bearer ${token.reveal()}` };
}

function readProc(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // Ended meanwhile.
  }
}
