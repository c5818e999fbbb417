import { expect } from "chai";
import { once } from "node:events";
import { createServer, type Server } from "node:net";

import { isNeuraError } from "../../../src/errors.ts";
import { connectLease, type LeaseChange, type LeaseClient, monitorLease } from "../../../src/market/lease.ts";
import { type AccessTicket, createToken } from "../../../src/market/ticket.ts";
import { isUp, Provider, TASK } from "../provider/lease/support.ts";
import { killApplication, testRunner, until } from "../provider/runner/support.ts";

/** Made for this test alone, valid for a hundred years; of no use elsewhere. */
const TLS = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1QVryRf768cz/h6b
lKfF1oaWAR/UG9jGvkB+0AhKdRShRANCAAQMn1RXu2wy2OU6Ex23H9IWmi015xB+
z7m0QpnNxpiB+gRElreT4yOVqyjcX+4qtTAQwXD+kd3r69lYmdGdsPY9
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBgjCCASegAwIBAgIUee5CNSU0q+V9JyO1TZMUOAvqB8UwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKbGVhc2UudGVzdDAgFw0yNjExMjcxNTI4MThaGA8yMTI2MTEw
MzE1MjgxOFowFTETMBEGA1UEAwwKbGVhc2UudGVzdDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABAyfVFe7bDLY5ToTHbcf0haaLTXnEH7PubRCmc3GmIH6BESWt5Pj
I5WrKNxf7iq1MBDBcP6R3evr2ViZ0Z2w9j2jUzBRMB0GA1UdDgQWBBTQ64hhJXrM
fknH/YGYgHyOfsY/NTAfBgNVHSMEGDAWgBTQ64hhJXrMfknH/YGYgHyOfsY/NTAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQC7UWGQCPEemmUv4Mkg
FK2Glfn6lf/NCM5jDHnJQIWbcgIhAOdYsR+ICrwqM41+U9hrdYy89pVh1S7bfqZ9
nvZjnk2Y
-----END CERTIFICATE-----
`,
};

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return isNeuraError(error) ? error.code : String(error);
}

describe("market/lease: the owner's way to a lease", function () {
  this.timeout(60_000);
  const provider = new Provider();
  const clients: LeaseClient[] = [];

  beforeEach(() => provider.open());
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await provider.close();
  });

  function connect(ticket: AccessTicket): LeaseClient {
    const client = connectLease(ticket);
    clients.push(client);
    return client;
  }

  it("asks through a ticket, with bodies of every kind, and gets the answer as a response", async () => {
    const service = await provider.serve();
    const ticket = await provider.publish(await provider.listen(), service);
    const lease = connect(ticket);
    await until(async () => (await lease.probe()).isUp);

    const bytes = new Uint8Array(200_000).fill(7);
    const headers = { "content-type": "image/png" };
    const answer = await lease.request("/a?b", { body: bytes, headers });
    expect([answer.status, answer.headers.get("content-type")]).to.deep.equal([200, "image/png"]);
    expect(new Uint8Array(await answer.arrayBuffer())).to.deep.equal(bytes);
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let index = 0; index < 4; index++) yield await Promise.resolve(bytes);
    }
    expect((await (await lease.request("/", { body: pieces() })).arrayBuffer()).byteLength).to.equal(800_000);
    expect(await (await lease.request("/", { body: "text" })).text()).to.equal("text");
    expect((await lease.request("/", { method: "HEAD" })).status).to.equal(200);

    for (const path of ["x", "", "/../other", "/%2e%2e/other"])
      expect(await codeOf(lease.request(path)), path).to.equal("lease.bad-path");
    const gone = AbortSignal.abort(new Error("enough"));
    expect(await codeOf(lease.request("/", { signal: gone }))).to.equal("Error: enough");
    async function* breaks(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(bytes);
      throw new Error("The file changed.");
    }
    expect(await codeOf(lease.request("/", { body: breaks() }))).to.equal("lease.unreachable");
    await until(() => service.status().openRequests === 0);
  });

  it("sends the token to nobody but who has the ticket's certificate", async () => {
    const service = await provider.serve();
    const endpoint = await provider.listen({ tls: TLS });
    const ticket = await provider.publish(endpoint, service);
    expect(ticket.url).to.match(/^https:/);
    await isUp(service);
    const lease = connect(ticket);
    for (const body of ["once", "and over the same connection"])
      expect(await (await lease.request("/", { body })).text()).to.equal(body);

    const { requests } = service.status();
    const impostor = connect({ ...ticket, certificateSha256: "00".repeat(32) });
    expect(await codeOf(impostor.request("/", { body: "secret" }))).to.equal("lease.wrong-certificate");
    const { task, url, token, expiresAt } = ticket;
    expect(await codeOf(connect({ task, url, token, expiresAt }).request("/", { body: "secret" }))).to.equal(
      "lease.unreachable",
    );
    expect(service.status().requests).to.equal(requests);
    expect(
      await codeOf(
        Promise.resolve().then(() => connectLease({ ...ticket, url: "http://leases.example.org" })),
      ),
    ).to.equal("lease.insecure");
  });

  it("says that a lease is down, whatever is at its address", async () => {
    const token = createToken();
    const servers: Server[] = [];
    const listen = async (answer: string | undefined): Promise<LeaseClient> => {
      const server = createServer((socket) => {
        socket.on("error", () => undefined);
        if (answer === undefined) socket.destroy();
        else socket.once("data", () => socket.end(answer));
      });
      servers.push(server);
      await once(server.listen(0, "127.0.0.1"), "listening");
      const address = server.address();
      const port = typeof address === "object" ? address?.port : 0;
      return connect({ task: TASK, url: `http://127.0.0.1:${port}/${TASK}`, token, expiresAt: 0 });
    };
    for (const [answer, reason] of [
      [undefined, /does not answer/],
      ["nonsense", /does not answer/],
      ["HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n", /does not answer/],
      [
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        /answers with 302/,
      ],
      ["HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n[]", /answers with 404/],
    ] as const) {
      const probe = await (await listen(answer)).probe();
      expect(probe.isUp, answer).to.equal(false);
      expect(probe.reason).to.match(reason).and.not.include(token.reveal());
    }
    for (const server of servers) server.close();
    expect(
      (await connect({ task: TASK, url: "http://127.0.0.1:1", token, expiresAt: 0 }).probe()).isUp,
    ).to.equal(false);
  });

  it("watches a lease whose application is killed: down, up, and what is certain of it", async () => {
    const runner = await testRunner(undefined, { backoffMs: 500 });
    const service = await provider.serve({ application: "obeys", runner });
    const ticket = await provider.publish(await provider.listen(), service);
    await isUp(service);
    const changes: [string, LeaseChange][] = [];
    const over = new AbortController();
    const watched = monitorLease({
      ticket,
      intervalMs: 50,
      onDown: (change) => changes.push(["down", change]),
      onUp: (change) => changes.push(["up", change]),
      signal: over.signal,
    });
    await until(() => service.status().uptime.upMs > 300);
    await killApplication(service.directory);
    await until(() => changes.length === 1);
    await until(() => changes.length === 2);
    over.abort();
    const uptime = await watched;
    expect(changes.map(([what, { probe }]) => [what, probe])).to.deep.equal([
      ["down", { isUp: false, reason: "It answers with 503.", restarts: changes[0]![1].probe.restarts }],
      ["up", { isUp: true, restarts: 1 }],
    ]);
    expect(uptime.spans.map((span) => span.isUp)).to.include.ordered.members([true, false]);
    expect(uptime.upMs).to.be.greaterThan(0);
    expect(uptime.downMs).to.be.greaterThan(0);
    expect(uptime.unsureMs).to.be.greaterThan(0);
    expect(service.status().requests).to.equal(0);
  });
});
