import { once } from "node:events";
import { connect } from "node:net";
import { expect } from "chai";

import { answer, type HttpServerOptions, startHttpServer } from "../../src/http-server.ts";
import { Cleanup, errorOf } from "./storage/support.ts";

const MANY = { burst: 1_000, perSecond: 1_000 };

describe("the server that anybody may ask", () => {
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  async function start(change: Partial<HttpServerOptions> = {}) {
    const server = await startHttpServer({
      ...{ listen: { host: "127.0.0.1", port: 0 }, rates: { each: MANY, all: MANY } },
      refusal: { code: "test.cannot-listen", next: "Elsewhere." },
      serve: (_, response) => answer(response, 200, '{"here":1}'),
      ...change,
    });
    cleanup.add(() => server.close());
    return server;
  }

  it("answers so many of an address, and so many of all, and tells the rest to come again", async () => {
    const few = { burst: 3, perSecond: 0 };
    for (const rates of [
      { each: few, all: MANY },
      { each: MANY, all: few },
    ]) {
      const { url } = await start({ rates });
      const statuses: number[] = [];
      for (let index = 0; index < 5; index++) statuses.push((await fetch(url)).status);
      expect(statuses).to.deep.equal([200, 200, 200, 429, 429]);
      const late = await fetch(url);
      expect([late.headers.get("retry-after"), await late.text()]).to.deep.equal([
        "1",
        '{"error":{"code":"rate.limited"}}',
      ]);
    }
  });

  it("fills again with time", async () => {
    const { url } = await start({ rates: { each: { burst: 1, perSecond: 1_000_000 }, all: MANY } });
    for (let index = 0; index < 3; index++) expect((await fetch(url)).status).to.equal(200);
  });

  it("says nothing of what went wrong inside, and goes on", async () => {
    for (const serve of [
      () => {
        throw new Error("secret");
      },
      () => Promise.reject(new Error("secret")),
    ]) {
      const { url } = await start({ serve });
      for (let index = 0; index < 2; index++) {
        const response = await fetch(url);
        expect([response.status, await response.text()]).to.deep.equal([
          500,
          '{"error":{"code":"unavailable"}}',
        ]);
      }
    }
  });

  it("answers once, with the headers of the answer", async () => {
    const { url } = await start({
      serve: (_, response) => {
        answer(response, 200, "first", { "content-type": "text/plain" });
        answer(response, 500, "second");
      },
    });
    const response = await fetch(url);
    expect([response.headers.get("content-type"), await response.text()]).to.deep.equal([
      "text/plain",
      "first",
    ]);
  });

  it("lasts through what is no HTTP, and says who is there already", async () => {
    const { port, url } = await start();
    const socket = connect(port, "127.0.0.1");
    socket.write("rubbish\r\n\r\n");
    socket.resume();
    await once(socket, "close");
    expect((await fetch(url)).status).to.equal(200);
    const busy = await errorOf(start({ listen: { host: "127.0.0.1", port } }));
    expect([busy.code, busy.next]).to.deep.equal(["test.cannot-listen", "Elsewhere."]);
  });
});
