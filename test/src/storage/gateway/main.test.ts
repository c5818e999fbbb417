import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect } from "chai";

import { startGateway } from "../../../../src/storage/gateway/gateway.ts";
import { Cleanup, errorOf } from "../support.ts";

const MAIN = join(import.meta.dirname, "../../../../src/storage/gateway/main.ts");

describe("storage/gateway/main: the gateway as a command", function () {
  this.timeout(30_000);
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  async function run(...options: string[]): Promise<{ code: number; out: string; err: string }> {
    const child = spawn(process.execPath, ["--import", "tsx", MAIN, ...options], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    cleanup.add(() => child.kill("SIGKILL"));
    const [[code], out, err] = await Promise.all([
      once(child, "close") as Promise<[number]>,
      text(child.stdout),
      text(child.stderr),
    ]);
    return { code, out, err };
  }

  it("says how it is used", async () => {
    for (const flag of ["--help", "-h"]) {
      const { code, out, err } = await run("--directory", "unused", flag);
      expect([code, err]).to.deep.equal([0, ""]);
      expect(out).to.match(/^Usage: \.\/neura gateway /);
      for (const option of ["port", "host", "directory", "block-seconds", "winston-per-byte"])
        expect(out).to.include(`--${option} `);
    }
  });

  const wrong: [string, string[]][] = [
    ["--nope", ["--nope"]],
    ["stray", ["stray"]],
    ["--port", ["--port"]],
    ["--port", ["--port", "http"]],
    ["--port", ["--port", "65536"]],
    ["--block-seconds", ["--block-seconds=-1"]],
    ["--block-seconds", ["--block-seconds", "soon"]],
    ["--winston-per-byte", ["--winston-per-byte", "1.5"]],
  ];
  for (const [named, options] of wrong) {
    it(`refuses ${options.join(" ")} in a sentence`, async () => {
      const directory = join(cleanup.directory(), "data");
      const { code, out, err } = await run("--directory", directory, ...options);
      expect([code, out]).to.deep.equal([2, ""]);
      expect(err).to.match(/^Error: .+\nSee what there is with --help\.\n$/);
      expect(err).to.include(named);
      expect(existsSync(directory)).to.equal(false);
    });
  }

  it("needs a directory", async () => {
    const { code, err } = await run("--port", "0");
    expect(code).to.equal(2);
    expect(err).to.match(/^Error: --directory is missing/);
  });

  it("says that the port is taken, and leaves the data of the gateway there alone", async () => {
    const directory = cleanup.directory();
    const gateway = await startGateway({ directory, blockSeconds: 0 });
    cleanup.add(() => gateway.close());
    const journal = join(directory, "journal.ndjson");
    writeFileSync(journal, '{"half":'); // as another process sees a line that is being written
    const { port } = new URL(gateway.url);
    const { code, out, err } = await run("--directory", directory, "--port", port);
    expect([code, out]).to.deep.equal([1, ""]);
    expect(err).to.match(/^Error: Port \d+ of 127\.0\.0\.1 is taken\.\nEnd what uses it.+\n$/);
    expect(readFileSync(journal, "utf8")).to.equal('{"half":');
  });

  it("says that it cannot listen at an address that is not this machine's", async () => {
    const { code, err } = await run("--directory", cleanup.directory(), "--host", "192.0.2.1");
    expect(code).to.equal(1);
    expect(err).to.match(/^Error: The gateway cannot listen on port 0 of 192\.0\.2\.1: .+\n/);
    expect(err).not.to.match(/^ +at /m);
  });

  it("lets go of the port where its data cannot be read", async () => {
    const directory = cleanup.directory();
    const free = await startGateway({ directory: cleanup.directory(), blockSeconds: 0 });
    const port = Number(new URL(free.url).port);
    await free.close();
    writeFileSync(join(directory, "journal.ndjson"), "broken\n");
    const error: unknown = await startGateway({ directory, port }).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(Error);
    const again = await startGateway({ directory: cleanup.directory(), port });
    cleanup.add(() => again.close());
    const taken = await errorOf(startGateway({ directory: cleanup.directory(), port }));
    expect(taken.code).to.equal("gateway.no-port");
  });
});
