/**
 * An attester or a relayer as a process of its own, with everything as `bridge attest` and `bridge relay` have it: its
 * settings are JSON in NEURA_BRIDGE_PROCESS, events go to stderr as JSON, SIGTERM ends it.
 */
import { readFile } from "node:fs/promises";
import { JsonRpcProvider, Network, Wallet } from "ethers";

import { openBridge } from "../../../src/bridge/context.ts";
import { parseBridge, type Side, verifyBridge } from "../../../src/bridge/deployment.ts";
import { serveAttester, serveRelayer } from "../../../src/bridge/serve.ts";
import { writeEvents } from "../../../src/provider/log.ts";

/** What a process is told. */
export interface ProcessSettings {
  readonly role: "attester" | "relayer";
  readonly record: string;
  readonly urls: Readonly<Record<Side, string>>;
  readonly directory: string;
  readonly port: number;
  readonly key: string;
  readonly attesters: readonly string[];
}

const POLL_MS = 400;

const settings = JSON.parse(process.env["NEURA_BRIDGE_PROCESS"] ?? "") as ProcessSettings;
const deployment = parseBridge(await readFile(settings.record, "utf8"));
const connect = (side: Side): JsonRpcProvider => {
  const network = Network.from(deployment[side].chainId);
  return new JsonRpcProvider(settings.urls[side], network, { staticNetwork: network, cacheTimeout: -1 });
};
const providers = { home: connect("home"), far: connect("far") };
const witnesses = { home: connect("home"), far: connect("far") };
await verifyBridge(deployment, providers);
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
const signer = new Wallet(settings.key);
const common = {
  ...{ bridge: openBridge({ deployment, providers }), directory: settings.directory, pollMs: POLL_MS },
  ...{ listen: { host: "127.0.0.1", port: settings.port }, signal: stop.signal, stallMs: 0 },
  onEvent: writeEvents((line) => process.stderr.write(line), { json: true }),
};
if (settings.role === "attester") {
  await serveAttester({ ...common, witnesses, signer });
} else {
  const policy = { maxGasPriceWei: 10n ** 12n, maxCostWei: 10n ** 18n, minAmountWei: 0n };
  const { attesters } = settings;
  await serveRelayer({ ...common, attesters, policy, signers: { home: signer, far: signer } });
}
for (const each of [providers, witnesses]) {
  each.home.destroy();
  each.far.destroy();
}
