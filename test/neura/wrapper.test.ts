import { spawn } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const WRAPPER = fileURLToPath(new URL("../../neura", import.meta.url));
/** All that the wrapper may expect of a machine, beside Node and npm. */
const TOOLS = "sh cat cksum chmod cp dirname find mkdir mktemp mv rm sed sleep touch".split(" ");

/** Node, but for the version that it names. */
const node = (version: string) => `#!/bin/sh
[ "$1" = --version ] && { echo ${version}; exit; }
exec ${process.execPath} "$@"
`;

/** npm that brings a Node and an empty node_modules, and notes each call and the Node that it would run under. */
const NPM = `#!/bin/sh
echo "npm $1 under $(node --version)" >>"$CALLS"
[ -z "$NPM_FAILS" ] || { echo "npm error network" >&2; exit 1; }
sleep "\${NPM_SECONDS-0}"
if [ "$1" = install ]; then
    mkdir -p "$3/node_modules/node/bin"
    cp "$NEW_NODE" "$3/node_modules/node/bin/node"
else
    mkdir -p node_modules/hardhat node_modules/@nomicfoundation/edr
    echo '{}' >node_modules/hardhat/package.json
    echo >node_modules/@nomicfoundation/edr/index.js
fi
`;

/** Hardhat that builds nothing and repeats its arguments. */
const HARDHAT = `
import { appendFileSync, mkdirSync } from "node:fs";
const words = process.argv.slice(4);
appendFileSync(process.env.CALLS, "hardhat " + words.join(" ") + "\\n");
if (words[0] === "build") mkdirSync(new URL("../types", import.meta.url), { recursive: true });
else console.log(words.join(" "));
`;

describe("./neura", function () {
  this.timeout(30_000);
  let directory: string;
  let checkout: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "neura wrapper "));
    checkout = join(directory, "checkout");
    const bin = join(directory, "bin");
    await mkdir(bin);
    for (const folder of ["scripts/bench", "contracts"])
      await mkdir(join(checkout, folder), { recursive: true });
    await copyFile(WRAPPER, join(checkout, "neura"));
    await writeFile(join(checkout, "package-lock.json"), "{}");
    await writeFile(join(checkout, "package.json"), '{ "type": "module" }');
    await writeFile(join(checkout, "hardhat.config.ts"), "");
    await writeFile(join(checkout, "scripts/hardhat.js"), HARDHAT);
    for (const tool of TOOLS) await symlink(await which(tool), join(bin, tool));
    await writeExecutable(join(directory, "new-node"), node("v24.21.0"));
    await writeFile(join(directory, "calls"), "");
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  async function which(tool: string): Promise<string> {
    for (const folder of ["/bin", "/usr/bin"]) {
      if (await readFile(join(folder, tool)).then(Boolean, () => false)) return join(folder, tool);
    }
    throw new Error(`This machine has no ${tool}.`);
  }

  async function writeExecutable(path: string, text: string): Promise<void> {
    await writeFile(path, text);
    await chmod(path, 0o755);
  }

  const provide = (name: "node" | "npm", text: string) => writeExecutable(join(directory, "bin", name), text);

  const calls = async () =>
    (await readFile(join(directory, "calls"), "utf8")).split("\n").filter((call) => call !== "");

  async function run(words: string[], environment: Record<string, string> = {}) {
    const child = spawn(join(checkout, "neura"), words, {
      cwd: directory,
      env: {
        PATH: join(directory, "bin"),
        XDG_CACHE_HOME: join(directory, "cache"),
        CALLS: join(directory, "calls"),
        NEW_NODE: join(directory, "new-node"),
        ...environment,
      },
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const code = await new Promise((resolve) => child.on("close", resolve));
    return { code, stdout, stderr };
  }

  it("explains itself without Node, npm or an installation", async () => {
    const { code, stdout } = await run(["help"]);
    expect(code).to.equal(0);
    expect(stdout).to.contain("./neura <command>");
    expect(await calls()).to.deep.equal([]);
  });

  it("says what is missing on a machine without Node and npm", async () => {
    const { code, stdout, stderr } = await run(["task", "status"]);
    expect(code).to.equal(1);
    expect(stdout).to.equal("");
    expect(stderr).to.equal(
      "neura: Neither Node 22.13 or later nor npm is here. Install Node from https://nodejs.org and run this again.\n",
    );
  });

  for (const old of ["v18.20.4", "v20.20.2", "v22.12.0"]) {
    it(`fetches a Node where the machine's is ${old}, installs under it, and keeps both`, async () => {
      await provide("node", node(old));
      await provide("npm", NPM);
      const first = await run(["task", "status", "a b"]);
      expect(first.code, first.stderr).to.equal(0);
      expect(first.stdout).to.equal("task status a b\n");
      expect(first.stderr)
        .to.contain("Fetching Node 24.21.0")
        .and.to.contain("Installing")
        .and.to.contain("Compiling");
      expect(await calls()).to.deep.equal([
        `npm install under ${old}`,
        "npm ci under v24.21.0",
        "hardhat build --no-tests --quiet",
        "hardhat task status a b",
      ]);

      const second = await run(["task", "status"]);
      expect(second).to.deep.equal({ code: 0, stdout: "task status\n", stderr: "" });
      expect((await calls()).slice(4)).to.deep.equal(["hardhat task status"]);
    });
  }

  for (const good of ["v22.13.0", "v24.0.0", "v30.1.2"]) {
    it(`uses the machine's Node where it is ${good}`, async () => {
      await provide("node", node(good));
      await provide("npm", NPM);
      expect((await run(["node"])).code).to.equal(0);
      expect(await calls())
        .to.contain(`npm ci under ${good}`)
        .and.not.to.contain(`npm install under ${good}`);
    });
  }

  it("installs again when the lockfile changes, and builds again when a contract does", async () => {
    await provide("node", node("v24.0.0"));
    await provide("npm", NPM);
    await run(["node"]);
    await writeFile(join(checkout, "package-lock.json"), '{ "changed": true }');
    await run(["node"]);
    await writeFile(join(checkout, "contracts", "New.sol"), "");
    await run(["node"]);
    const [ci, build] = ["npm ci under v24.0.0", "hardhat build --no-tests --quiet"];
    expect(await calls()).to.deep.equal([
      ci,
      build,
      "hardhat node",
      ci,
      "hardhat node",
      build,
      "hardhat node",
    ]);
  });

  it("installs once when it is called twice at the same time", async () => {
    await provide("node", node("v20.0.0"));
    await provide("npm", NPM);
    const runs = await Promise.all(
      [1, 2, 3].map((each) => run(["task", String(each)], { NPM_SECONDS: "1" })),
    );
    for (const { code, stderr } of runs) expect(code, stderr).to.equal(0);
    expect((await calls()).filter((call) => call.startsWith("npm ci"))).to.have.length(1);
    expect(runs.filter(({ stderr }) => stderr.includes("waiting for it"))).to.have.length(2);
  });

  it("does not wait for one that was killed while it installed", async () => {
    await provide("node", node("v24.0.0"));
    await provide("npm", NPM);
    await mkdir(join(checkout, ".neura/install.lock"), { recursive: true });
    const gone = spawn("/bin/sh", ["-c", "exit"]);
    await new Promise((resolve) => gone.on("close", resolve));
    await writeFile(join(checkout, ".neura/install.lock/pid"), `${gone.pid ?? 0}\n`);
    expect((await run(["node"])).code).to.equal(0);
  });

  it("says what to do when npm cannot install, and tries again the next time", async () => {
    await provide("node", node("v24.0.0"));
    await provide("npm", NPM);
    const failed = await run(["node"], { NPM_FAILS: "yes" });
    expect(failed.code).to.equal(1);
    expect(failed.stdout).to.equal("");
    expect(failed.stderr).to.contain("npm error network").and.to.contain("Is the npm registry reachable?");
    expect((await run(["node"])).code).to.equal(0);
  });

  it("notices that Hardhat's native part was left out", async () => {
    await provide("node", node("v24.0.0"));
    await provide("npm", NPM.replaceAll("node_modules/@nomicfoundation/edr", "node_modules/other"));
    const { code, stderr } = await run(["node"]);
    expect(code).to.equal(1);
    expect(stderr).to.contain("Hardhat's native part was left out");
  });

  it("uses the Node that NEURA_NODE names, and no wrong one", async () => {
    await provide("npm", NPM);
    const named = join(directory, "new-node");
    const wrong = await run(["node"], { NEURA_NODE: join(directory, "none") });
    expect(wrong.code).to.equal(1);
    expect(wrong.stderr).to.contain("which is not Node 22.13 or later");
    await provide("node", node("v20.0.0"));
    const right = await run(["node"], { NEURA_NODE: named });
    expect(right.stderr).not.to.contain("Fetching");
    expect(right.stdout).to.equal("node\n");
  });

  it("tells an unknown benchmark from a failed one", async () => {
    await provide("node", node("v24.0.0"));
    await provide("npm", NPM);
    await writeFile(join(checkout, "scripts/bench/gas.ts"), "");
    const { code, stderr } = await run(["bench", "speed"]);
    expect(code).to.equal(2);
    expect(stderr).to.contain("There is no benchmark 'speed'; there are: gas.");
  });
});
