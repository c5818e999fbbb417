import { access, mkdir } from "node:fs/promises";
import type { Provider, Signer } from "ethers";

import type { Deployment } from "../deployment.ts";
import { NeuraError } from "../errors.ts";
import { applications } from "./applications/registry.ts";
import { loadAttestations } from "./attestation.ts";
import { loadBenchmark } from "./benchmark.ts";
import { describeProvider, measureCapacity } from "./capacity.ts";
import { detectHardware } from "./hardware.ts";
import { Journal, takesPlace } from "./journal.ts";
import { type ProviderMetadata, parseMetadata, signMetadata } from "./metadata.ts";
import { journalPath, nodeDirectory } from "./node.ts";
import { loadPolicy } from "./policy.ts";
import { quoteUrlOf } from "./quotes/settings.ts";
import { requireProvider } from "./registration.ts";

/**
 * The document about a provider as it is on this machine now, signed: its applications, its last benchmark, what its
 * policy says of the machine, what is free, and the evidence in the node's folder. A node with `quotes` in its policy
 * serves the same, always fresh.
 *
 * Errors: `provider.not-registered`, `provider.not-operator`, `provider.bad-policy`, `benchmark.invalid`,
 * `attestation.invalid`.
 */
export async function makeMetadata({
  deployment,
  provider,
  signer,
  account,
  home,
  policyPath,
}: {
  deployment: Deployment;
  provider: Provider;
  /** The provider's account or its operator's. */
  signer: Signer;
  account: string;
  /** `NEURA_HOME`. */
  home: string;
  policyPath?: string | undefined;
}): Promise<{ text: string; metadata: ProviderMetadata }> {
  const record = await requireProvider({ deployment, provider }, account);
  const address = await signer.getAddress();
  if (address !== record.account && address !== record.operator) {
    throw new NeuraError(
      "provider.not-operator",
      `${address} is neither ${record.account} nor its operator ${record.operator}.`,
      { next: "Use the key of one of them: nobody believes a document that another one signed." },
    );
  }
  const directory = nodeDirectory(home, account);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const [policy, hardware, benchmark, attestations, openTasks] = await Promise.all([
    loadPolicy(policyPath, directory),
    detectHardware(directory),
    loadBenchmark(directory),
    loadAttestations(directory),
    openTasksIn(directory, deployment),
  ]);
  const slots = policy.slots ?? record.slots;
  const freeSlots = record.status === "active" ? Math.max(0, slots - openTasks) : 0;
  const text = await signMetadata(
    describeProvider({
      account: record.account,
      names: [...applications.keys()],
      machine: { ...hardware.machine, ...policy.machine },
      capacity: await measureCapacity({ offered: record.shape, slots, freeSlots, directory }),
      benchmark,
      quoteUrl: policy.quotes && quoteUrlOf(policy.quotes),
      accessUrl: policy.accessUrl,
      attestations,
    }),
    {
      domain: { chainId: BigInt(deployment.chainId), registry: deployment.contracts.ProviderRegistry },
      signer,
    },
  );
  return { text, metadata: parseMetadata(text).metadata };
}

/** Tasks that the node of this folder has in work. */
async function openTasksIn(directory: string, { chainId, contracts }: Deployment): Promise<number> {
  const path = journalPath(directory);
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (!exists) return 0;
  const journal = await Journal.open(path, { chainId: BigInt(chainId), market: contracts.TaskMarket });
  try {
    return journal.list({ open: true }).filter(takesPlace).length;
  } finally {
    journal.close();
  }
}
