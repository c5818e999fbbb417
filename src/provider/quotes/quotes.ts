import { join } from "node:path";
import type { Signer } from "ethers";

import { messageOf } from "../../errors.ts";
import type { Machine } from "../../market/needs.ts";
import { loadAttestations } from "../attestation.ts";
import { loadBenchmark } from "../benchmark.ts";
import { describeProvider, measureCapacity } from "../capacity.ts";
import type { ChainView } from "../chain-view.ts";
import type { NodeEvent } from "../log.ts";
import { signMetadata } from "../metadata.ts";
import type { Policy } from "../policy.ts";
import { QuoteDesk } from "./desk.ts";
import { Places } from "./places.ts";
import { startQuoteServer } from "./server.ts";
import { type QuotePolicy, quoteUrlOf } from "./settings.ts";

/** What a node gives quotes with. */
export interface QuoteParts {
  readonly account: string;
  readonly chain: ChainView;
  readonly signer: Signer;
  readonly policy: Policy & { readonly quotes: QuotePolicy };
  /** The node's own folder. */
  readonly directory: string;
  /** Names of the applications that it runs. */
  readonly applications: readonly string[];
  readonly machine: Machine;
  readonly slots: number;
  /** The chain's time [Unix s]. */
  readonly now: () => number;
  /** Tasks that could begin now. */
  readonly free: () => number;
  /** Why the node takes nothing new, if so. */
  readonly hold: () => string | undefined;
  readonly emit: (event: NodeEvent) => void;
}

/** A node's server for quotes and for the document about itself. */
export interface Quotes {
  readonly url: string;
  /** A task is on the chain: the place that it may have been promised is taken. */
  take(task: string): void;
  close(): Promise<void>;
}

/** What is measured and signed is served again for so long [ms]. */
const METADATA_MS = 5_000;

/** Starts to give quotes. Errors: `quotes.cannot-listen`, `quotes.invalid`. */
export async function openQuotes(parts: QuoteParts): Promise<Quotes> {
  const { account, chain, signer, policy, directory, applications, machine, slots, free, emit } = parts;
  const { chainId, contracts } = chain.deployment;
  const { listen } = policy.quotes;
  const places = await Places.open(join(directory, "quotes.json"));
  const desk = new QuoteDesk({ ...parts, places });

  const describe = async (): Promise<string> => {
    const [{ offer }, benchmark, attestations] = await Promise.all([
      chain.registrationOf(account),
      loadBenchmark(directory),
      loadAttestations(directory),
    ]);
    const freeSlots = free();
    const capacity = await measureCapacity({ offered: offer.shape, slots, freeSlots, directory });
    const metadata = describeProvider({
      ...{ account, names: applications, machine, capacity, benchmark, attestations },
      quoteUrl: quoteUrlOf(policy.quotes, server.port),
      accessUrl: policy.accessUrl,
    });
    const domain = { chainId: BigInt(chainId), registry: contracts.ProviderRegistry };
    return await signMetadata(metadata, { domain, signer });
  };
  let last: { readonly text: Promise<string>; readonly at: number } | undefined;
  const metadata = async (): Promise<string> => {
    if (last !== undefined && performance.now() - last.at < METADATA_MS) return await last.text;
    const text = describe();
    last = { text, at: performance.now() };
    text.catch(() => (last = undefined));
    return await text;
  };

  const server = await startQuoteServer({
    listen,
    domain: { chainId: BigInt(chainId), market: contracts.TaskMarket },
    metadata,
    answer: (task) => desk.answer(task),
    emit,
  });
  emit({ level: "info", event: "quoting", url: server.url });
  return {
    url: server.url,
    take: (task) => {
      places.take(task).catch((error: unknown) => {
        emit({ level: "warn", event: "trouble", code: "quotes.not-noted", task, message: messageOf(error) });
      });
    },
    close: () => server.close(),
  };
}
