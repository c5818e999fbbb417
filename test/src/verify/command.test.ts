import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect } from "chai";

import { isNeuraError } from "../../../src/errors.ts";
import { type CheckerCommand, runChecker } from "../../../src/verify/command.ts";
import { judge, type Judgement, parseVerification } from "../../../src/verify/verification.ts";
import { bytesOf } from "./support.ts";

describe("verify: the owner's program as a process", function () {
  this.timeout(30_000);
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "neura-command-test-"));
  });

  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  async function programOf(name: string, source: string): Promise<CheckerCommand> {
    const program = join(folder, `${name}.mjs`);
    await writeFile(program, source);
    const programHash = `0x${createHash("sha256").update(source).digest("hex")}`;
    return { command: [process.execPath, program], program, programHash };
  }

  async function codeOf(command: CheckerCommand): Promise<string | undefined> {
    try {
      await runChecker(command, { output: bytesOf("") });
    } catch (error) {
      if (isNeuraError(error)) return error.code;
      throw error;
    }
    return undefined;
  }

  async function judgedBy(command: CheckerCommand): Promise<Judgement> {
    const unit = { output: bytesOf("42"), input: bytesOf("6 * 7") };
    const verification = parseVerification({
      method: "checker/1",
      parameters: { program: command.programHash },
    });
    return judge(verification, { unit, reference: await runChecker(command, unit) });
  }

  it("passes and fails by the exit code, with the last line for a reason", async () => {
    const source = `
      import { readFileSync, existsSync } from "node:fs";
      const folder = process.argv.at(-1);
      const [a, b] = readFileSync(folder + "/input", "utf8").split(" * ").map(Number);
      const output = Number(readFileSync(folder + "/output", "utf8"));
      console.log("first line");
      console.log(existsSync(folder + "/state") ? "a state" : "no state, " + Object.keys(process.env).join());
      process.exitCode = output === a * b ? 0 : 1;`;
    const command = await programOf("product", source);
    expect(await judgedBy(command)).to.deep.include({
      verdict: "pass",
      why: "the owner's program passes it: no state, PATH",
    });
    const wrong = { output: bytesOf("43"), input: bytesOf("6 * 7"), state: bytesOf("") };
    const verification = parseVerification({
      method: "checker/1",
      parameters: { program: command.programHash },
    });
    const judgement = judge(verification, { unit: wrong, reference: await runChecker(command, wrong) });
    expect(judgement).to.deep.include({ verdict: "fail", why: "the owner's program fails it: a state" });
  });

  it("decides nothing with another exit code, or by a signal", async () => {
    expect(await judgedBy(await programOf("three", "process.exitCode = 3"))).to.include({
      verdict: "inconclusive",
      why: "the owner's program ended with 3",
    });
    const killed = await programOf(
      "killed",
      'process.kill(process.pid, "SIGKILL"); setTimeout(() => {}, 60_000)',
    );
    expect(await judgedBy(killed)).to.include({ verdict: "inconclusive" });
  });

  it("ends what takes too long, and what that has started", async () => {
    const started = join(folder, "started");
    const source = `
      import { spawn } from "node:child_process";
      import { writeFileSync } from "node:fs";
      const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
      writeFileSync(${JSON.stringify(started)}, String(child.pid));
      setInterval(() => {}, 1000);`;
    const command = { ...(await programOf("slow", source)), timeoutSeconds: 2 };
    const judgement = await judgedBy(command);
    expect(judgement).to.include({ verdict: "inconclusive" });
    expect(judgement.why).to.include("it took more than 2 s");
    const pid = Number(await readFile(started, "utf8"));
    const isAlive = (): boolean => {
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    };
    while (isAlive()) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  it("gives up with its signal, and leaves no folder", async () => {
    const seen = join(folder, "seen");
    const source = `
      import { writeFileSync } from "node:fs";
      writeFileSync(${JSON.stringify(seen)}, process.argv.at(-1));
      setInterval(() => {}, 1000);`;
    const command = await programOf("endless", source);
    const controller = new AbortController();
    const running = runChecker(command, { output: bytesOf("") }, { signal: controller.signal });
    const settled = running.then(
      () => undefined,
      (error: unknown) => error,
    );
    let unitFolder = "";
    while (unitFolder === "") {
      await new Promise((resolve) => setTimeout(resolve, 20));
      unitFolder = await readFile(seen, "utf8").catch(() => "");
    }
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await settled).to.equal(reason);
    expect(await readFile(join(unitFolder, "output")).catch(() => "gone")).to.equal("gone");
  });

  it("runs no program but the one that the task named", async () => {
    const command = await programOf("named", "process.exitCode = 0");
    await writeFile(command.program, "process.exitCode = 1");
    expect(await codeOf(command)).to.equal("verify.program-changed");
  });

  it("says which program there is not", async () => {
    const missing = {
      command: [join(folder, "nothing")],
      program: join(folder, "nothing"),
      programHash: "0x",
    } as const;
    expect(await codeOf(missing)).to.equal("verify.program-missing");
    const there = await programOf("there", "process.exitCode = 0");
    expect(await codeOf({ ...there, command: [join(folder, "nothing")] })).to.equal("verify.program-missing");
  });
});
