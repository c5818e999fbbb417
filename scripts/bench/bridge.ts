/**
 * `./neura bench bridge [--json] [--kills 50] [--seed 1] [--pause 400]`: two chains, three attesters and a relayer, each a
 * process; transfers go there and back while each of the six is killed so often at random and started again. A chain comes back
 * with every block that anybody has seen, by its journal. After each kill both chains are looked at (I-15), and at the end every
 * transfer. Ends with 1 where a rule did not hold, or a transfer was not paid exactly once.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { killAtRandom } from "./bridge/kills.ts";
import { BridgeStage } from "./bridge/stage.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    kills: { type: "string", default: "50" },
    seed: { type: "string", default: "1" },
    pause: { type: "string", default: "400" },
  },
});

const MODULUS = 2_147_483_647;
let state = (Number(values.seed) % (MODULUS - 1)) + 1;
/** Park and Miller's. */
const random = (): number => (state = (state * 48_271) % MODULUS) / MODULUS;

const directory = await mkdtemp(join(tmpdir(), "neura-bridge-"));
const stage = await BridgeStage.open(directory, new AbortController().signal);
try {
  stage.startServices();
  const report = await killAtRandom(stage, {
    ...{ names: stage.names, kills: Number(values.kills), pauseMs: Number(values.pause), random },
    timeoutMs: 300_000,
    onKill: (done, of) => {
      if (done % 10 === 0) process.stderr.write(`${done} of ${of} kills\n`);
    },
  });
  const { kills, transfers, looks, breaches, wrong, restarts } = report;
  const lines = [
    ...Object.entries(kills).map(([name, count]) => `${name}: killed ${count} times`),
    `${transfers} transfers, ${transfers - wrong.length} of them paid once and in full`,
    `${looks} looks at both chains, ${breaches.length} breaches`,
    `${restarts} times a process found a chain down while it started, and was started again`,
    ...breaches,
    ...wrong,
  ];
  process.stdout.write(`${values.json ? JSON.stringify(report, null, 2) : lines.join("\n")}\n`);
  if (breaches.length + wrong.length > 0) process.exitCode = 1;
} finally {
  await stage.close();
  await rm(directory, { recursive: true, force: true });
}
