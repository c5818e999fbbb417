/**
 * A provider's node as a process of its own that kills itself at the step that NEURA_CRASH_AT names: `ran`, `sent`, or
 * `sent accept`. Everything else is as in `provider run --json`: events go to stderr, SIGTERM stops it.
 */
import { JsonRpcProvider, Wallet } from "ethers";

import { loadDeployment } from "../../../src/deployment.ts";
import { loadArweaveKey } from "../../../src/keys/arweave.ts";
import { writeEvents } from "../../../src/provider/log.ts";
import { serveProvider } from "../../../src/provider/serve.ts";
import { openStorage } from "../../../src/storage/open.ts";

const {
  NEURA_RPC_URL = "",
  NEURA_PRIVATE_KEY = "",
  NEURA_HOME = "",
  NEURA_CRASH_AT,
  ...environment
} = process.env;
const provider = new JsonRpcProvider(NEURA_RPC_URL, undefined, { cacheTimeout: -1 });
const { key } = await loadArweaveKey(`${NEURA_HOME}/arweave.json`);
const gateways = (environment["NEURA_ARWEAVE_GATEWAYS"] ?? "").split(",");
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());

await serveProvider({
  deployment: await loadDeployment({ provider, environment }),
  provider,
  signer: new Wallet(NEURA_PRIVATE_KEY),
  home: NEURA_HOME,
  storage: ({ reference = "ar" }) =>
    Promise.resolve(openStorage(reference, { arweave: { gateways, key, pauseSeconds: 0.05 } })),
  pollMs: 50,
  onEvent: writeEvents((line) => process.stderr.write(line), { json: true, level: "debug" }),
  onStep: (step, subject) => {
    const [verb] = subject.split(":");
    if ([step, `${step} ${verb}`].includes(NEURA_CRASH_AT ?? "")) process.kill(process.pid, "SIGKILL");
  },
  signal: stop.signal,
});
provider.destroy();
