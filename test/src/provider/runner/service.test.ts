import { expect } from "chai";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { isNeuraError } from "../../../../src/errors.ts";
import { openProcessRunner } from "../../../../src/provider/runner/process-runner.ts";
import { Restarts } from "../../../../src/provider/runner/restarts.ts";
import type { Runner, RunHandle } from "../../../../src/provider/runner/runner.ts";
import { RunState } from "../../../../src/provider/runner/state.ts";
import { ask, killApplication, logOf, processesIn, testRunner, until, up, Workshop } from "./support.ts";

describe("provider/runner: services that are kept up", function () {
  this.timeout(60_000);
  const workshop = new Workshop();
  const handles: RunHandle[] = [];
  let runner: Runner;

  before(async () => {
    runner = await testRunner(undefined, { backoffMs: 10 });
  });
  beforeEach(() => workshop.open());
  afterEach(async () => {
    for (const handle of handles.splice(0)) await handle.stop("The test is over.");
    await workshop.close();
  });

  /** Starts a service; it is stopped at the test's end. */
  async function serve(
    application: string,
    options: Parameters<Workshop["job"]>[1] & { by?: Runner } = {},
  ): Promise<RunHandle> {
    const job = await workshop.job(application, { service: {}, ...options });
    const handle = await (options.by ?? runner).start(job);
    handles.push(handle);
    return handle;
  }

  it("passes on requests and answers: whole, side by side, piece by piece, or not at all", async () => {
    const handle = await serve("obeys", { by: await testRunner(undefined, { backoffMs: 5000 }) });
    await up(handle);

    // Method, path, type and body, and nothing else.
    const body = Buffer.alloc(3_000_000, "x");
    const { status, type, text } = await ask(handle, "/mirror?c=d", { method: "PUT", body });
    expect([status, type]).to.deep.equal([200, "application/json"]);
    expect(JSON.parse(text)).to.deep.equal({
      method: "PUT",
      url: "http://service/mirror?c=d",
      headers: { "content-length": "3000000", "content-type": "text/plain" },
      bytes: 3_000_000,
    });
    for (const method of ["GET", "HEAD", "DELETE"])
      expect((await ask(handle, "/mirror", { method })).status, method).to.equal(200);

    // Though none is read before all are there.
    const met = await Promise.all([1, 2, 3, 4].map(() => ask(handle, "/meets", { body })));
    expect(met.map((answer) => answer.text)).to.deep.equal(met.map(() => "3000000"));

    // What is the requester's to mend, and what is not, of which only the log tells more.
    const bad = await ask(handle, "/bad-input");
    expect(bad.status).to.equal(400);
    expect(JSON.parse(bad.text)).to.include({ code: "application.bad-input", next: "Send a picture." });
    const failed = await ask(handle, "/throws");
    expect(failed).to.include({ status: 500, text: '{"error":"The application failed."}' });
    await until(() => logOf(handle).includes("No model in"));

    // A part of an answer is never taken for the whole.
    expect((await ask(handle, "/drips")).text).to.equal("drop\n".repeat(20));
    const error = await ask(handle, "/half").catch((reason: unknown) => reason);
    expect(error).to.have.property("code", "ECONNRESET");

    // It has ended by that, and is not started again yet.
    await until(async () => (await handle.progress()).service?.restarts === 1);
    expect(await ask(handle, "/")).to.include({ status: 503, text: '{"error":"The service is not ready."}' });
    expect((await ask(handle, "/health")).text).to.equal('{"isUp":false,"restarts":1}');
  });

  describe("the application ends", () => {
    it("is started again when it is killed, and the run goes on", async () => {
      const handle = await serve("obeys");
      expect(await up(handle)).to.equal(0);
      const first = await new RunState(handle.directory).read("application.json");
      await killApplication(handle.directory);
      await until(async () => (await handle.progress()).service?.restarts === 1);
      expect(await up(handle)).to.equal(1);
      expect((await ask(handle, "/")).status).to.equal(200);
      expect(await new RunState(handle.directory).read("application.json")).to.not.deep.equal(first);
      expect(await handle.progress()).to.deep.include({
        phase: "running",
        service: { isReady: true, restarts: 1 },
      });
      expect(logOf(handle)).to.equal("[The application was killed by SIGKILL. It is started again.]\n");
    });

    it("is started again when it hangs", async () => {
      const handle = await serve("obeys", {
        by: await testRunner(undefined, { backoffMs: 10, hangMs: 800 }),
      });
      await up(handle);
      expect((await ask(handle, "/spins")).status).to.equal(502);
      expect(await up(handle)).to.equal(1);
      expect(logOf(handle)).to.match(/^\[The application hangs\.\]\n/);
    });

    it("is not believed: a summary, a second readiness, nonsense on the channel", async () => {
      const handle = await serve("obeys", {
        by: await testRunner(undefined, { backoffMs: 10, hangMs: 800 }),
      });
      await up(handle);
      expect(await ask(handle, "/lies")).to.include({ status: 200, text: "lied" });
      await ask(handle, "/nonsense").catch(() => undefined);
      // Its channel is of no use any more.
      await until(async () => (await handle.progress()).service?.restarts === 1);
      await up(handle);
      expect((await ask(handle, "/drips")).status).to.equal(200);
    });

    it("ends the run when it ends again and again, and its processes are gone", async () => {
      const by = await testRunner(undefined, { most: 3, backoffMs: 1 });
      const handle = await serve("endsAtStart", { by });
      const outcome = await handle.wait();
      expect(outcome).to.include({
        kind: "infrastructure-fault",
        message: "The application ended without a result.",
      });
      expect(logOf(handle).match(/It is started again/g)).to.have.length(3);
      expect(processesIn(handle.directory)).to.have.length.below(2); // The supervisor may be on its way out.
    });

    it("ends the run where starting it again would mend nothing", async () => {
      const bad = await serve("badParameters");
      expect(await bad.wait()).to.include({ kind: "owner-bad-input", message: "There is no such model." });
      const none = await serve("noop");
      expect(await none.wait()).to.include({
        kind: "owner-bad-input",
        message:
          "The application noop cannot be kept up as a service. " +
          "Leave service out of the manifest, or name an application that answers requests.",
      });
      const large = await serve("allocates", { limits: { ramMiB: 256 } });
      await up(large);
      expect((await ask(large, "/")).status).to.equal(502);
      expect(await large.wait()).to.include({ kind: "owner-out-of-memory" });
    });
  });

  describe("the run", () => {
    it("ends at its time limit, and not before", async () => {
      const handle = await serve("obeys", { limits: { seconds: 1 } });
      await up(handle);
      expect(await handle.wait()).to.include({ kind: "owner-time-limit", secondsWall: 1 });
    });

    it("is stopped, which ends what it is doing", async () => {
      const handle = await serve("noop", { parameters: { seconds: 3000 }, by: await openProcessRunner() });
      await up(handle);
      const answer = ask(handle, "/");
      await sleep(50);
      await handle.stop("The lease is over.");
      expect((await answer).status).to.equal(502);
      expect((await handle.wait()).message).to.equal("The run was stopped: The lease is over.");
      expect(existsSync(join(handle.directory, "run/service.sock"))).to.equal(false);
      const refused = await ask(handle, "/").catch((reason: unknown) => reason);
      expect(refused).to.have.property("code", "ENOENT");
    });

    it("is adopted, and asked by whoever adopts it", async () => {
      const { directory } = await serve("obeys");
      const adopted = await (await testRunner()).adopt(directory);
      expect(await up(adopted!)).to.equal(0);
      expect((await ask(adopted!, "/")).status).to.equal(200);
    });

    it("is lost with its supervisor; then, and only then, it can be started again in its folder", async () => {
      const handle = await serve("obeys");
      const { directory } = handle;
      await up(handle);
      const job = { directory, ...(await new RunState(directory).read("order.json"))! };
      const error = await runner.start(job, { again: true }).catch((reason: unknown) => reason);
      expect(isNeuraError(error, "runner.already-started")).to.equal(true);

      process.kill((await new RunState(directory).read("supervisor.json"))!.pid, "SIGKILL");
      expect(await handle.wait()).to.include({ kind: "infrastructure-fault", isLost: true });
      expect(processesIn(directory)).to.deep.equal([]);
      const again = await runner.start(job, { again: true });
      expect(await up(again)).to.equal(0);
      expect((await ask(again, "/")).status).to.equal(200);
    });
  });

  it("N17_reaches no more than a run: no files, keys, processes, network, nor its own supervisor", async () => {
    const { pid: parent } = process;
    const home = join(workshop.path, "home");
    const parameters = { keyFile: join(home, "key.json"), home, port: 1, parent };
    const handle = await serve("escapes", { parameters });
    await up(handle);
    const { text } = await ask(handle, "/");
    const { tries } = JSON.parse(text) as { tries: Record<string, string> };
    expect(Object.keys(tries).length).to.be.greaterThan(15);
    for (const [attempt, end] of Object.entries(tries))
      if (!["connect", "signalParent"].includes(attempt)) expect(end, attempt).to.equal("ERR_ACCESS_DENIED");
    if (runner.isolation.includes("no network"))
      expect(tries.connect).to.be.oneOf(["ECONNREFUSED", "ENETUNREACH", "ERR_ACCESS_DENIED"]);
    if (runner.isolation.includes("own processes only")) expect(tries.signalParent).to.equal("ESRCH");
    expect(readdirSync(handle.directory).sort()).to.deep.equal(["input", "logs", "output", "run", "tmp"]);
    expect(readFileSync(join(handle.directory, "run/supervisor.log"), "utf8")).to.equal("");
  });
});

describe("provider/runner: restarts", () => {
  it("are no more than allowed in any window, and farther apart each time", () => {
    const policy = fc.record({
      most: fc.integer({ min: 1, max: 10 }),
      windowSeconds: fc.integer({ min: 1, max: 1000 }),
      backoffMs: fc.integer({ min: 1, max: 1000 }),
      hangMs: fc.constant(1),
    });
    const pauses = fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(policy, pauses, (rules, gaps) => {
        const restarts = new Restarts(rules);
        const taken: number[] = [];
        let now = 0;
        for (const gap of gaps) {
          now += gap;
          const inWindow = taken.filter((at) => now - at < rules.windowSeconds * 1000).length;
          const wait = restarts.take(now);
          if (inWindow >= rules.most) expect(wait).to.equal(undefined);
          else expect(wait).to.equal(rules.backoffMs * 2 ** inWindow);
          if (wait !== undefined) taken.push(now);
        }
      }),
    );
  });
});
