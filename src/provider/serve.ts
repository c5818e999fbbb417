import { getAddress, type Provider, type Signer } from "ethers";

import { unlessAborted } from "../abort.ts";
import type { Deployment } from "../deployment.ts";
import { listKeys } from "../keystore.ts";
import type { Storage } from "../storage/storage.ts";
import { applications } from "./applications/registry.ts";
import type { Ledger } from "./journal.ts";
import type { NodeEvent } from "./log.ts";
import { nodeDirectory, ProviderNode } from "./node.ts";
import { loadPolicy } from "./policy.ts";
import { openProcessRunner } from "./runner/process-runner.ts";

export { benchmarkMachine, type BenchmarkOptions, loadBenchmark, saveBenchmark } from "./benchmark.ts";
export { makeMetadata } from "./document.ts";
export {
  type Benchmark,
  type Capacity,
  parseMetadata,
  type ProviderMetadata,
  signerOfMetadata,
  signMetadata,
} from "./metadata.ts";
export { loadPolicy, parsePolicy, type Policy } from "./policy.ts";
export { openProcessRunner } from "./runner/process-runner.ts";

export interface ServeOptions {
  readonly deployment: Deployment;
  readonly provider: Provider;
  readonly signer: Signer;
  /** The provider, when the signer is its operator. */
  readonly account?: string | undefined;
  /** `NEURA_HOME`. */
  readonly home: string;
  /** `write`: with the key that pays for uploads. */
  readonly storage: (options: { reference?: string; write?: boolean }) => Promise<Storage>;
  /** Default: `policy.json` in the node's folder, if it is there. */
  readonly policyPath?: string | undefined;
  /** Brings what was taken to its end before it stops. */
  readonly drain?: boolean;
  readonly pollMs?: number;
  readonly onEvent: (event: NodeEvent) => void;
  readonly onStep?: ((step: string, subject: string) => void) | undefined;
  /** Stops the node. */
  readonly signal: AbortSignal;
}

/**
 * A provider's node with everything as a provider has it: its keys, its policy, the built-in applications in
 * processes of their own. Runs until the signal aborts; then resolves to what it earned in all its life.
 *
 * Errors: those of {@link ProviderNode.start}, `provider.bad-policy`, `provider.cannot-sign`.
 */
export async function serveProvider(options: ServeOptions): Promise<{ account: string; ledger: Ledger }> {
  const { home, signer, signal, storage } = options;
  const account = getAddress(options.account ?? (await signer.getAddress()));
  const directory = nodeDirectory(home, account);
  const [policy, runner] = await Promise.all([
    loadPolicy(options.policyPath, directory),
    openProcessRunner(),
  ]);
  const node = await ProviderNode.start({
    deployment: options.deployment,
    provider: options.provider,
    signer,
    account,
    keys: () => listKeys(home, account),
    storage: async (reference) => await storage(reference === undefined ? { write: true } : { reference }),
    runner,
    applications: [...applications.keys()],
    directory,
    policy,
    onEvent: options.onEvent,
    ...(options.pollMs === undefined ? {} : { pollMs: options.pollMs }),
    ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
  });
  await unlessAborted(new Promise(() => undefined), signal).catch(() => undefined);
  const ledger = await node.stop({ drain: options.drain ?? false });
  return { account, ledger };
}
