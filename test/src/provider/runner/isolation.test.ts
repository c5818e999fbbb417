import { expect } from "chai";
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { join } from "node:path";
import { spawnModule } from "../../../../src/process.ts";
import type { RunJob, RunOutcome } from "../../../../src/provider/runner/runner.ts";
import { findSandbox, SANDBOXES } from "../../../../src/provider/runner/sandbox.ts";
import type { Sandbox } from "../../../../src/provider/runner/sandbox.ts";
import { RunState } from "../../../../src/provider/runner/state.ts";
import { logOf, outcomeOf, processesIn, supervised, testRunner, until, Workshop } from "./support.ts";

const PRIVATE_KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";

describe("provider/runner: what a run cannot reach", function () {
  this.timeout(60_000);
  const workshop = new Workshop();
  /** Stands for the provider's home: a key, a listening socket. */
  let home: string;
  let keyFile: string;
  let server: Server;
  let port: number;
  let connections: number;

  beforeEach(async () => {
    await workshop.open();
    home = join(workshop.path, "home");
    keyFile = join(home, "key.json");
    await mkdir(home);
    await writeFile(keyFile, `{"privateKey":"0x${PRIVATE_KEY}"}`);
    process.env.NEURA_PRIVATE_KEY = `0x${PRIVATE_KEY}`;
    connections = 0;
    server = createServer((connection) => {
      connections++;
      connection.on("error", () => undefined).resume();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    port = typeof address === "object" && address ? address.port : 0;
  });

  afterEach(async () => {
    delete process.env.NEURA_PRIVATE_KEY;
    await new Promise((resolve) => server.close(resolve));
    await workshop.close();
  });

  for (const name of SANDBOXES)
    describe(`sandbox ${name}`, () => {
      let sandbox: Sandbox;

      before(async function () {
        sandbox = await findSandbox([name]);
        if (sandbox.name === name) return;
        console.log(`      skipped: this machine cannot run Node in ${name}`);
        this.skip();
      });

      it("N17_keeps files, keys, environment, code and processes from the application", async () => {
        const parameters = { keyFile, home, port, parent: process.pid };
        const job = await workshop.job("escapes", { parameters });
        const outcome = await outcomeOf(await testRunner(name), job);
        const { tries, environment } = resultOf(outcome);
        expect(Object.keys(tries).length).to.be.greaterThan(15);
        for (const [attempt, end] of Object.entries(tries))
          if (!["connect", "signalParent"].includes(attempt))
            expect(end, attempt).to.equal("ERR_ACCESS_DENIED");
        if (sandbox.isolation.includes("own processes only")) expect(tries.signalParent).to.equal("ESRCH");

        expect(["HOME", "OLDPWD", "ORT_DISABLE_TELEMETRY", "PWD", "TMPDIR"]).to.include.members(
          Object.keys(environment),
        );
        expect(environment.HOME).to.equal(join(job.directory, "tmp"));
        expect(readdirSync(home)).to.deep.equal(["key.json"]);
        expect(readdirSync(job.directory).sort()).to.deep.equal(["input", "logs", "output", "run"]);
        expect(readdirSync(join(job.directory, "output"))).to.deep.equal([]);
      });

      it("N17_keeps the network from the application, or does not claim to", async function () {
        const runner = await testRunner(name);
        const job = await workshop.job("escapes", {
          parameters: { keyFile, home, port, parent: process.pid },
        });
        const { tries } = resultOf(await outcomeOf(runner, job));
        if (!runner.isolation.some((what) => what.startsWith("no network"))) {
          expect(tries.connect).to.equal("done");
          console.log(
            `        skipped: nothing keeps the network from a run in ${name} on Node ${process.version}`,
          );
          this.skip();
        }
        expect(tries.connect).to.be.oneOf(["ECONNREFUSED", "ENETUNREACH", "ERR_ACCESS_DENIED"]);
        expect(connections).to.equal(0);
      });

      it("N16_N17_passes on no descriptor, environment, argument or session of the node; leaves no core dump", async () => {
        const job = await workshop.job("deaf");
        const key = openSync(keyFile, "r");
        const node = spawnModule(new URL("./node.ts", import.meta.url), {
          arguments: [JSON.stringify(job), name],
          stdio: ["ignore", "pipe", "inherit", key, key, key],
        });
        closeSync(key);
        await new Promise((resolve) => node.stdout?.once("data", resolve));
        expect(descriptorsOf(node.pid!)).to.include(keyFile);
        const supervisor = await new RunState(job.directory).read("supervisor.json");
        const own = processesIn(job.directory).filter((line) => !line.startsWith(`${node.pid} `));
        expect(own.length).to.be.greaterThan(1);
        for (const pid of own.map((line) => Number.parseInt(line, 10))) {
          expect(descriptorsOf(pid)).to.not.include(keyFile);
          expect(readFileSync(`/proc/${pid}/environ`, "latin1")).to.not.include(PRIVATE_KEY);
          expect(readFileSync(`/proc/${pid}/cmdline`, "latin1")).to.not.include(PRIVATE_KEY);
          if (pid !== supervisor!.pid)
            expect(readFileSync(`/proc/${pid}/limits`, "utf8")).to.match(/^Max core file size +0 +0 /m);
          expect(sessionOf(pid)).to.not.equal(sessionOf(node.pid!));
        }
        node.kill("SIGKILL");
        await (await (await testRunner()).adopt(job.directory))!.stop("seen");
        expect(textBelow(job.directory)).to.include("seen").and.not.include(PRIVATE_KEY);
      });

      it("N17_kills what native code leaves behind, in sessions of its own too", async () => {
        const { job, outcome } = await native("setsid sleep 1000 & sleep 1000 & sleep 1; exit 7");
        // It never said that it was running: no fault of the owner.
        expect(outcome).to.include({ kind: "infrastructure-fault", exitCode: 7 });
        await until(() => processesIn(job.directory).length === 0, 2000);
      });

      it("N17_N19_keeps links, devices and sealed folders out of the output of native code", async () => {
        const { job, log } = await native(
          `ln -s /etc/passwd output/passwd
           ln -s / output/root
           mkfifo output/fifo
           mkdir -p output/sealed/deep && ln ${keyFile} output/sealed/key
           echo x >output/sealed/deep/file && chmod 0 output/sealed/deep output/sealed`,
        );
        expect(readdirSync(join(job.directory, "output"))).to.deep.equal(["sealed"]);
        expect(readdirSync(join(job.directory, "output/sealed"))).to.deep.equal(["deep"]);
        expect(readFileSync(join(job.directory, "output/sealed/deep/file"), "utf8")).to.equal("x\n");
        expect(log).to.include("[removed output/passwd: is no file of this run alone]\n");
      });

      it("N17_holds native code as far as it says", async () => {
        const { job, log } = await native(
          `cat ${keyFile} >output/key
           echo x >${home}/escaped
           (exec 3<>/dev/tcp/127.0.0.1/${port}) && echo x >output/connected
           (setsid sleep 1000 &) & test -e /proc/${process.pid} && echo x >output/seen
           sleep 0.5; echo tried`,
        );
        const says = (what: string): boolean => sandbox.isolation.includes(what);
        const reached = readdirSync(join(job.directory, "output"));
        const text = textBelow(join(job.directory, "output")) + String(readdirSync(home));
        expect(log).to.include("tried");
        if (says("files of the task only"))
          expect(text).to.not.include(PRIVATE_KEY).and.not.include("escaped");
        if (says("no network"))
          expect([connections, reached.includes("connected")]).to.deep.equal([0, false]);
        if (says("own processes only")) {
          expect(reached).to.not.include("seen");
          await until(() => processesIn(job.directory).length === 0, 2000);
        }
        // Without a sandbox nothing holds native code, and a process can hide; nothing else is claimed.
        else
          for (const line of processesIn(job.directory)) process.kill(Number.parseInt(line, 10), "SIGKILL");
      });

      /** Runs a shell in the sandbox: native code, which Node's permissions do not hold. */
      async function native(script: string): Promise<{ job: RunJob; outcome: RunOutcome; log: string }> {
        const job = await workshop.job("native");
        await new RunState(job.directory).prepare();
        const write = [join(job.directory, "output"), join(job.directory, "tmp")];
        const reach = { read: [], write, directory: job.directory };
        const command = sandbox.wrap(["/usr/bin/bash", "-c", script], reach);
        const outcome = await supervised(job, command, sandbox.signalsAsExitCodes);
        return { job, outcome, log: logOf(job) };
      }
    });
});

function resultOf(outcome: RunOutcome): {
  tries: Record<string, string>;
  environment: Record<string, string>;
} {
  expect(outcome.kind, outcome.message).to.equal("completed");
  const { tries, environment } = outcome.summary?.result ?? {};
  return { tries: stringsOf(tries), environment: stringsOf(environment) };
}

function stringsOf(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(value ?? {}).map(([name, entry]) => [name, String(entry)]));
}

function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((name) => readlinkSync(`/proc/${pid}/fd/${name}`));
}

function sessionOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3];
}

/** The contents of all files below a folder. */
function textBelow(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"))
    .join("\n");
}
