import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MINUTES = 60_000;

interface Demo {
  readonly child: ChildProcess;
  /** Where it keeps what it does not leave behind. */
  readonly directory: string;
  readonly output: { stdout: string; stderr: string };
}

/** The object of `--json`. */
interface Shown {
  schema: string;
  text: string;
  sound: boolean;
  task: { id: string; outcome: string; fault: string };
  transactions: { what: string }[];
  payments: { escrowedWei: string; earnedWei: string; feeWei: string; refundedWei: string };
  storage: { bytes: number }[];
  result: { directory: string };
}

describe("the demo", function () {
  this.timeout(4 * MINUTES);
  const demos: Demo[] = [];

  async function start(...words: string[]): Promise<Demo> {
    const directory = await mkdtemp(join(tmpdir(), "neura-test-"));
    const child = spawn(join(ROOT, "neura"), ["demo", ...words], {
      cwd: directory,
      env: { ...process.env, TMPDIR: directory },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
    const demo = { child, directory, output };
    demos.push(demo);
    return demo;
  }

  async function ended({ child, output }: Demo): Promise<number | null> {
    if (child.exitCode === null && child.signalCode === null) await once(child, "close");
    if (child.signalCode !== null) throw new Error(`ended by ${child.signalCode}: ${output.stderr}`);
    return child.exitCode;
  }

  async function saying(demo: Demo, text: string): Promise<void> {
    while (!demo.output.stderr.includes(text)) {
      if (demo.child.exitCode !== null) throw new Error(`ended early: ${demo.output.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Processes whose environment names the demo's folder: all that it started, and what they started. */
  async function processesOf({ directory }: Demo): Promise<string[]> {
    const found: string[] = [];
    for (const pid of await readdir("/proc").catch(() => [])) {
      if (!/^\d+$/.test(pid)) continue;
      const [environment, command] = await Promise.all(
        ["environ", "cmdline"].map((file) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "")),
      );
      if (`${environment ?? ""}${command ?? ""}`.includes(directory)) found.push(`${pid} ${command ?? ""}`);
    }
    return found;
  }

  async function expectNothingLeft(demo: Demo): Promise<void> {
    expect(await processesOf(demo)).to.deep.equal([]);
    const left = (await readdir(demo.directory)).filter((name) => name.startsWith("neura-demo-"));
    expect(left).to.deep.equal([]);
  }

  afterEach(async () => {
    for (const { child, directory } of demos.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGTERM");
        await once(child, "close");
      }
      await rm(directory, { recursive: true, force: true });
    }
  });

  async function expectReadAndPaid(demo: Demo): Promise<void> {
    expect(await ended(demo), demo.output.stderr).to.equal(0);
    const shown = JSON.parse(demo.output.stdout) as Shown;
    expect(shown.schema).to.equal("neura/demo/1");
    expect(shown.text)
      .to.match(/INVOICE/)
      .and.to.match(/3,634\.63/);
    expect(shown.sound).to.equal(true);
    expect(shown.task).to.include({ outcome: "Completed", fault: "None" });
    const { escrowedWei, earnedWei, feeWei, refundedWei } = shown.payments;
    expect(BigInt(earnedWei) > 0n).to.equal(true);
    expect(BigInt(earnedWei) + BigInt(feeWei) + BigInt(refundedWei)).to.equal(BigInt(escrowedWei));
    const names = shown.transactions.map(({ what }) => what);
    expect(names).to.include.members(["publish key", "register", "submit", "deliver"]);
    for (const { bytes } of shown.storage) expect(bytes).to.be.greaterThan(50_000);
    expect(await readdir(shown.result.directory)).to.include.members(["result.json", "run.json", "output"]);
    await rm(shown.result.directory, { recursive: true });
    await expectNothingLeft(demo);
  }

  /** The owner's own fault is delivered with its log, and said. */
  async function expectBadInput(demo: Demo): Promise<void> {
    expect(await ended(demo)).to.equal(1);
    expect(demo.output.stderr).to.contain("OwnerBadInput").and.to.contain("notes.png");
    await expectNothingLeft(demo);
  }

  it("two at the same time: one reads its picture's text and the money adds up, one has no picture", async () => {
    const directory = await mkdtemp(join(tmpdir(), "neura-test-"));
    const file = join(directory, "notes.png");
    await writeFile(file, "these are words, not a picture\n");
    const [good, bad] = await Promise.all([start("--json"), start(file, "--json")]);
    await expectReadAndPaid(good);
    await expectBadInput(bad);
    await rm(directory, { recursive: true });
  });

  it("Ctrl-C while the work runs: says so, and leaves no process and no file", async () => {
    const demo = await start("--json");
    await saying(demo, "running");
    demo.child.kill("SIGINT");
    expect(await ended(demo)).to.equal(130);
    expect(demo.output.stderr).to.contain("Interrupted");
    await expectNothingLeft(demo);
  });

  it("a picture that is not there: says which, and starts nothing for it", async () => {
    const demo = await start("absent.png");
    expect(await ended(demo)).to.equal(1);
    expect(demo.output.stderr).to.contain("absent.png");
    await expectNothingLeft(demo);
  });
});
