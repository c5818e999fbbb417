import { expect } from "chai";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { spawnModule } from "../../../../src/process.ts";
import { isNeuraError } from "../../../../src/errors.ts";
import { identify } from "../../../../src/provider/runner/processes.ts";
import type { Runner } from "../../../../src/provider/runner/runner.ts";
import { RunState } from "../../../../src/provider/runner/state.ts";
import {
  logOf,
  outcomeOf,
  processesIn,
  running,
  supervised,
  testRunner,
  until,
  Workshop,
} from "./support.ts";

describe("provider/runner: runs in processes of their own", function () {
  this.timeout(60_000);
  const workshop = new Workshop();
  let runner: Runner;

  before(async () => {
    runner = await testRunner();
    console.log(`      isolation here: ${runner.isolation.join(", ")}`);
  });
  beforeEach(() => workshop.open());
  afterEach(() => workshop.close());

  describe("a run that ends by itself", () => {
    it("completes: summary, log, outputs, phases and usage", async () => {
      const job = await workshop.job("steps", { parameters: { steps: 3 } });
      const handle = await runner.start(job);
      const outcome = await handle.wait();
      expect(outcome.kind, outcome.message).to.equal("completed");
      expect(outcome.summary?.result).to.deep.equal({ schema: "neura/test/1", steps: 3 });
      expect(outcome.summary?.units).to.deep.equal([{ name: "input/a", inputHash: "aa", outputHash: "bb" }]);
      expect(readFileSync(join(job.directory, "output/steps"), "utf8")).to.equal("1\n2\n3\n");
      expect(outcome.logFiles).to.deep.equal(["logs/application.log"]);
      expect(logOf(job)).to.equal("step 1\nstep 2\nstep 3\n");
      expect(outcome.phases.map(({ name }) => name)).to.deep.equal(["starting", "running", "collecting"]);
      expect(outcome.phases[1]?.seconds).to.equal(outcome.secondsWall);
      expect(outcome.secondsWall).to.be.within(0.15, 10);
      expect(outcome.usage.peakRssBytes).to.be.within(20e6, 400e6);
      expect(outcome.usage.cpuSeconds).to.be.within(0.01, 10);
      expect(await handle.progress()).to.deep.include({ phase: "ended", secondsWall: outcome.secondsWall });
      expect(existsSync(join(job.directory, "tmp"))).to.equal(false);
    });

    it("tells its progress meanwhile", async () => {
      const handle = await runner.start(await workshop.job("steps", { parameters: { steps: 40 } }));
      await until(async () => (await handle.progress()).done > 0);
      const progress = await handle.progress();
      expect(progress).to.include({ phase: "running", total: 40 });
      expect(progress.secondsWall).to.be.greaterThan(0);
      expect(progress.usage.peakRssBytes).to.be.greaterThan(20e6);
      expect((await handle.wait()).kind).to.equal("completed");
    });

    it("is the owner's failure where its input is bad", async () => {
      const outcome = await outcomeOf(runner, await workshop.job("badInput"));
      expect(outcome).to.include({
        kind: "owner-bad-input",
        message: "The picture is none. Send a picture.",
      });
      expect(outcome).to.not.have.property("summary");
    });

    it("is the owner's failure where it exits with another code than 0", async () => {
      const outcome = await outcomeOf(runner, await workshop.job("exits", { parameters: { code: 3 } }));
      expect(outcome).to.include({ kind: "owner-exit-code", exitCode: 3 });
    });

    it("is our fault where it exits with code 0 and no result", async () => {
      const outcome = await outcomeOf(runner, await workshop.job("exits", { parameters: { code: 0 } }));
      expect(outcome).to.include({ kind: "infrastructure-fault", exitCode: 0 });
    });

    for (const application of ["throws", "rejectsLater"])
      it(`is our fault where the application fails: ${application}`, async () => {
        const job = await workshop.job(application);
        const outcome = await outcomeOf(runner, job);
        expect(outcome.kind).to.equal("infrastructure-fault");
        expect(outcome.message).to.match(/^The application failed: (No model in input\.|forgotten)$/);
        expect(outcome.message).to.not.include(workshop.path);
        expect(logOf(job)).to.match(/No model|forgotten/);
      });

    it("is our fault where something else killed it", async () => {
      const outcome = await outcomeOf(await testRunner("none"), await workshop.job("killed"));
      expect(outcome).to.include({ kind: "infrastructure-fault", signal: "SIGKILL" });
    });

    it("is our fault where the application is unknown", async () => {
      const outcome = await outcomeOf(runner, await workshop.job("nothing"));
      expect(outcome.kind).to.equal("infrastructure-fault");
      expect(outcome.message).to.include("nothing");
      expect(outcome.secondsWall).to.equal(0);
    });

    it("is our fault where it cannot be started", async () => {
      const outcome = await supervised(await workshop.job("noop"), ["/nowhere/node"]);
      expect(outcome.kind).to.equal("infrastructure-fault");
      expect(outcome.message).to.match(/^The run could not be supervised: .*ENOENT/);
    });

    it("N01_is not believed where it reports nonsense", async () => {
      const outcome = await outcomeOf(runner, await workshop.job("liar"));
      expect(outcome).to.include({ kind: "infrastructure-fault", exitCode: 0 });
    });
  });

  describe("limits", () => {
    it("N18_stops a busy loop at its time limit, and bills no more than that", async () => {
      const outcome = await outcomeOf(runner, await workshop.job("spins", { limits: { seconds: 1 } }));
      expect(outcome).to.include({ kind: "owner-time-limit", secondsWall: 1 });
      expect(outcome.message).to.include("1 s");
      expect(outcome.usage.cpuSeconds).to.be.greaterThan(0.3);
    });

    it("N18_asks first: what was done until the time limit is kept", async () => {
      const job = await workshop.job("steps", { parameters: { steps: 1000 }, limits: { seconds: 1 } });
      const outcome = await outcomeOf(runner, job);
      expect(outcome.kind).to.equal("owner-time-limit");
      expect(readdirSync(join(job.directory, "output")).sort()).to.deep.equal(["partial", "steps"]);
      expect(logOf(job)).to.include("step 1\n");
    });

    for (const application of ["allocatesHeap", "allocatesBuffers"])
      it(`N18_stops endless allocation: ${application}`, async () => {
        const outcome = await outcomeOf(runner, await workshop.job(application, { limits: { ramMiB: 256 } }));
        expect(outcome.kind, outcome.message).to.equal("owner-out-of-memory");
        expect(outcome.message).to.include("256 MiB");
        expect(outcome.usage.peakRssBytes).to.be.within(128 * 2 ** 20, 1024 * 2 ** 20);
      });

    for (const application of [
      "fillsDisk",
      "fillsDiskAtOnce",
      "fillsTemporary",
      "sparse",
      "smallFiles",
      "hugeSummary",
    ])
      it(`N02_N18_stops what fills the disk: ${application}`, async () => {
        const job = await workshop.job(application);
        const outcome = await outcomeOf(runner, job);
        expect(outcome.kind, outcome.message).to.equal("owner-exit-code");
        expect(outcome.message).to.include("8 MiB of output");
        expect(outcome).to.not.have.property("summary");
      });

    it("N18_cuts a log of 100 MB and completes", async () => {
      const job = await workshop.job("logsMuch");
      const outcome = await outcomeOf(runner, job);
      expect(outcome.kind, outcome.message).to.equal("completed");
      const log = logOf(job);
      expect(log.length).to.be.within(2 * 2 ** 20, 2 * 2 ** 20 + 100);
      expect(log).to.match(/\[cut here: 102760448 more bytes were logged\]\n$/);
    });
  });

  describe("stop", () => {
    it("asks the application, which can leave what it has", async () => {
      const job = await workshop.job("steps", { parameters: { steps: 1000 } });
      const handle = await runner.start(job);
      await until(() => existsSync(join(job.directory, "output/steps")));
      await handle.stop("The task ended on the chain.");
      const outcome = await handle.wait();
      expect(outcome.kind).to.equal("infrastructure-fault");
      expect(outcome.message).to.equal("The run was stopped: The task ended on the chain.");
      expect(existsSync(join(job.directory, "output/partial"))).to.equal(true);
    });

    for (const application of ["deaf", "spins"])
      it(`kills what does not listen: ${application}`, async () => {
        const handle = await runner.start(await workshop.job(application));
        await running(handle);
        const began = performance.now();
        await handle.stop("enough");
        expect(performance.now() - began).to.be.within(1900, 8000);
        expect(processesIn(handle.directory)).to.have.length.below(2); // The supervisor may be on its way out.
      });

    it("leaves an outcome alone", async () => {
      const handle = await runner.start(await workshop.job("noop"));
      expect((await handle.wait()).kind).to.equal("completed");
      await handle.stop("too late");
      expect((await handle.wait()).kind).to.equal("completed");
    });

    it("is apart from the end of waiting", async () => {
      const handle = await runner.start(await workshop.job("steps", { parameters: { steps: 20 } }));
      const error = await handle
        .wait({ signal: AbortSignal.timeout(100) })
        .catch((reason: unknown) => reason);
      expect(error).to.have.property("name", "TimeoutError");
      expect((await handle.wait()).kind).to.equal("completed");
    });
  });

  describe("survival", () => {
    it("N10_goes on when the node is killed, and a new one adopts it: the work is done once", async () => {
      const job = await workshop.job("steps", { parameters: { steps: 40 } });
      const node = spawnModule(new URL("./node.ts", import.meta.url), {
        arguments: [JSON.stringify(job)],
        stdio: ["ignore", "pipe", "inherit"],
      });
      await new Promise((resolve) => node.stdout?.once("data", resolve));
      node.kill("SIGKILL");
      await new Promise((resolve) => node.once("exit", resolve));

      const handle = await (await testRunner()).adopt(job.directory);
      expect(handle).to.not.equal(undefined);
      expect((await handle!.progress()).phase).to.not.equal("ended");
      const outcome = await handle!.wait();
      expect(outcome.kind, outcome.message).to.equal("completed");
      expect(readFileSync(join(job.directory, "output/steps"), "utf8").trim().split("\n")).to.have.length(40);
    });

    it("N10_is found after its end too, with the same outcome", async () => {
      const job = await workshop.job("noop");
      const outcome = await outcomeOf(runner, job);
      const adopted = await (await testRunner()).adopt(job.directory);
      expect(await adopted!.wait()).to.deep.equal(outcome);
    });

    it("is not found where none was started", async () => {
      const job = await workshop.job("noop");
      expect(await runner.adopt(job.directory)).to.equal(undefined);
      expect(await runner.adopt(join(workshop.path, "nowhere"))).to.equal(undefined);
    });

    for (const [application, sandbox] of [
      ["deaf", undefined],
      ["spins", undefined],
      ["deaf", "none"],
      ["spins", "none"],
    ] as const)
      it(`is our fault where the supervisor is killed; nothing goes on: ${application}, ${sandbox ?? "best"} sandbox`, async () => {
        const handle = await (await testRunner(sandbox)).start(await workshop.job(application));
        await running(handle);
        const supervisor = await new RunState(handle.directory).read("supervisor.json");
        process.kill(supervisor!.pid, "SIGKILL");
        const outcome = await handle.wait();
        expect(outcome.kind).to.equal("infrastructure-fault");
        expect(outcome.message).to.equal("The run's supervisor or its machine died.");
        expect(processesIn(handle.directory)).to.deep.equal([]);
      });

    it("is our fault where supervisor and application are frozen: stop kills both", async () => {
      const handle = await runner.start(await workshop.job("deaf"));
      await running(handle);
      const supervisor = await new RunState(handle.directory).read("supervisor.json");
      process.kill(supervisor!.pid, "SIGSTOP");
      await handle.stop("frozen");
      expect(await handle.wait()).to.include({
        kind: "infrastructure-fault",
        message: "The run was stopped: frozen",
      });
    });

    it("N17_kills no stranger that has the number of the run's process by now", async () => {
      const job = await workshop.job("noop");
      await outcomeOf(runner, job);
      const state = new RunState(job.directory);
      await rm(join(state.path, "outcome.json"));
      // One leads a group, the other is in a group whose leader has ended.
      const leader = spawn("/bin/sleep", ["1000"], { detached: true, stdio: "ignore" });
      const shell = spawn("/bin/sh", ["-c", "sleep 1000 >/dev/null & echo $!"], { detached: true });
      const [output] = (await once(shell.stdout, "data")) as [Buffer];
      const member = Number(output.toString());
      await once(shell, "exit");
      try {
        for (const [pid, stranger] of [
          [leader.pid!, leader.pid!],
          [shell.pid!, member],
        ] as const) {
          const identity = { pid, started: "another boot/1" };
          await state.write("supervisor.json", identity);
          await state.write("application.json", identity);
          const adopted = await runner.adopt(job.directory);
          await adopted!.stop("whatever");
          expect((await adopted!.wait()).kind).to.equal("infrastructure-fault");
          expect(await identify(stranger)).to.not.equal(undefined);
        }
      } finally {
        for (const pid of [leader.pid!, member]) process.kill(pid, "SIGKILL");
      }
    });

    it("N17_kills the rest of a run whose leading process has ended", async () => {
      const job = await workshop.job("noop");
      await outcomeOf(runner, job);
      const state = new RunState(job.directory);
      await rm(join(state.path, "outcome.json"));
      const shell = spawn("/bin/sh", ["-c", "sleep 1000 >/dev/null & echo $!; read wait"], {
        detached: true,
      });
      const identity = (await identify(shell.pid!))!;
      const [output] = (await once(shell.stdout, "data")) as [Buffer];
      shell.stdin.end();
      await once(shell, "exit");
      await state.write("supervisor.json", identity);
      await state.write("application.json", identity);
      expect((await (await runner.adopt(job.directory))!.wait()).kind).to.equal("infrastructure-fault");
      expect(await identify(Number(output.toString()))).to.equal(undefined);
    });
  });

  describe("start", () => {
    it("is refused for a folder that has had a run", async () => {
      const job = await workshop.job("noop");
      await outcomeOf(runner, job);
      const error = await runner.start(job).catch((reason: unknown) => reason);
      expect(isNeuraError(error, "runner.already-started")).to.equal(true);
    });

    it("N08_starts one run where several start at once", async () => {
      const job = await workshop.job("steps", { parameters: { steps: 5 } });
      const starts = await Promise.allSettled([1, 2, 3].map(() => runner.start(job)));
      const errors = starts.flatMap((start) =>
        start.status === "rejected" ? [start.reason as unknown] : [],
      );
      expect(errors).to.have.length(2);
      for (const error of errors) expect(isNeuraError(error, "runner.already-started")).to.equal(true);
      const handle = await runner.adopt(job.directory);
      expect((await handle!.wait()).kind).to.equal("completed");
      expect(readFileSync(join(job.directory, "output/steps"), "utf8")).to.equal("1\n2\n3\n4\n5\n");
    });

    it("goes well after a start that was interrupted before it took effect", async () => {
      const job = await workshop.job("noop");
      await mkdir(join(job.directory, "run"));
      writeFileSync(join(job.directory, "run/order.json"), "{}");
      expect((await outcomeOf(runner, job)).kind).to.equal("completed");
    });

    it("says what is wrong with a folder", async () => {
      const job = await workshop.job("noop");
      for (const directory of ["relative", join(workshop.path, "nowhere")]) {
        const error = await runner.start({ ...job, directory }).catch((reason: unknown) => reason);
        expect(isNeuraError(error, "runner.not-started")).to.equal(true);
        expect(String(error)).to.include(directory);
      }
    });
  });
});
