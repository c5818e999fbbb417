import { join } from "node:path";
import { expect } from "chai";

import { Cleanup } from "../src/storage/support.ts";
import { commands, FIRST, processes, type Run, startChain } from "./command.ts";

const NOTHING = `0x${"00".repeat(32)}`;

/** A command of each noun, for people and for scripts, that says the same whenever it is asked; and its exit code. */
const COMMANDS: readonly (readonly [words: string, code: number])[] = [
  ["deploy --json", 0],
  [`bridge status ${NOTHING} --json`, 2],
  ["account key show --json", 0],
  ["alarm show", 0],
  [`arbiter show ${FIRST} --json`, 1],
  [`lease status ${NOTHING}`, 1],
  ["limit show --json", 0],
  ["market price --days 0 --json", 2],
  ["model show 1 --json", 1],
  ["ops recompute", 0],
  ["order show absent.json", 1],
  ["provider list", 0],
  ["share portfolio --json", 0],
  [`task status ${NOTHING} --json`, 1],
  ["wallet balance --json", 0],
];

describe("tasks: as processes of their own", function () {
  this.timeout(120_000);
  const cleanup = new Cleanup();
  let outside: Run;
  let inside: Run;

  before(async () => {
    const home = cleanup.directory();
    const environment = {
      NEURA_RPC_URL: await startChain(cleanup),
      NEURA_HOME: home,
      NEURA_DEPLOYMENT: join(home, "deployment.json"),
    };
    outside = processes(environment);
    inside = commands(environment);
    const deployed = await outside(["deploy", "--json"]);
    expect(deployed.code, deployed.stderr).to.equal(0);
    expect(deployed.json).to.include({ sent: true });
  });
  after(() => cleanup.run());

  for (const [words, code] of COMMANDS) {
    it(`${words.replaceAll(/0x\w+/g, "0x…")}: ends and says the same as in the tests' process`, async () => {
      const ended = await outside(words.split(" "));
      expect(ended.code, ended.stderr).to.equal(code);
      expect(await inside(words.split(" "))).to.deep.equal(ended);
      // With --json, that stdout is one object has been seen when it was read.
      if (words.includes("--json")) expect(Object.keys(ended.json)).to.include("schema");
      else expect(ended.stdout === "", ended.stdout).to.equal(code !== 0);
    });
  }

  it("exits with 2 where Hardhat knows no such task, option or number of words", async () => {
    const [task, option, missing] = await Promise.all([
      outside(["deploi"]),
      outside(["deploy", "--fees", "1"]),
      outside(["wallet", "deposit"]),
    ]);
    expect(task.code, "an unknown task").to.equal(2);
    expect(option.code, "an unknown option").to.equal(2);
    expect(missing.code, "without the amount").to.equal(2);
  });
});
