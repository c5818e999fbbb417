import type { Listen } from "../provider/quotes/settings.ts";
import { lockDirectory } from "../provider/lock.ts";
import type { Rounds } from "./attempts.ts";
import { Attester, type AttesterOptions, type RouteHealth } from "./attester.ts";
import type { SourceHealth } from "./reader.ts";
import { Relayer, type RelayerOptions, type RelayHealth } from "./relayer.ts";
import type { Metric } from "./metrics.ts";
import { startServer } from "./server.ts";
import { BridgeStore } from "./store.ts";

export interface ServeOptions extends Rounds {
  /** Where its store is; one process at a time works there. */
  readonly directory: string;
  readonly listen: Listen;
}

/**
 * An attester as a process has it: signs until the signal aborts, and serves what it has signed.
 * Errors: `provider.locked`, `bridge.cannot-listen`, `store.version`.
 */
export async function serveAttester(options: Omit<AttesterOptions, "store"> & ServeOptions): Promise<void> {
  const { onEvent } = options;
  await inDirectory(options.directory, async (store) => {
    const attester = await Attester.open({ ...options, store });
    const server = await startServer({
      listen: options.listen,
      health: () => ({ isWell: isWell(attester.health), body: bodyOf(attester.address, attester.health) }),
      metrics: () => [...sourceMetrics("attester", attester.health), ...attesterMetrics(attester.health)],
      attestations: (message) => attester.attestationsOf(message),
    });
    onEvent?.({ level: "info", event: "listening", url: server.url, account: attester.address });
    try {
      await attester.run(options);
    } finally {
      await server.close();
    }
  });
}

/** A relayer as a process has it, until the signal aborts. Errors: as of an attester, `chain.unavailable`. */
export async function serveRelayer(options: Omit<RelayerOptions, "store"> & ServeOptions): Promise<void> {
  const { onEvent } = options;
  await inDirectory(options.directory, async (store) => {
    // Its own transactions are looked for as often as everything else.
    const relayer = await Relayer.open({ ...options, store });
    try {
      const server = await startServer({
        listen: options.listen,
        health: () => ({ isWell: isWell(relayer.health), body: { routes: relayer.health } }),
        metrics: () => [...sourceMetrics("relayer", relayer.health), ...relayerMetrics(relayer.health)],
      });
      onEvent?.({ level: "info", event: "listening", url: server.url });
      try {
        await relayer.run(options);
      } finally {
        await server.close();
      }
    } finally {
      await relayer.close();
    }
  });
}

async function inDirectory(directory: string, work: (store: BridgeStore) => Promise<void>): Promise<void> {
  const unlock = await lockDirectory(directory);
  try {
    const store = await BridgeStore.open(directory);
    try {
      await work(store);
    } finally {
      store.close();
    }
  } finally {
    unlock();
  }
}

function isWell(routes: readonly SourceHealth[]): boolean {
  return routes.every(({ isDown, trouble }) => !isDown && trouble === undefined);
}

function bodyOf(account: string, routes: readonly RouteHealth[]) {
  return { account, routes };
}

function sourceMetrics(role: string, routes: readonly SourceHealth[]): Metric[] {
  return routes.flatMap(({ chain, finalBlock, behindBlocks, stillMs, isDown, trouble }) => {
    const labels = { role, chain };
    return [
      { name: "neura_bridge_final_block", help: "Newest final block.", value: finalBlock, labels },
      { name: "neura_bridge_behind_blocks", help: "Final blocks not read yet.", value: behindBlocks, labels },
      {
        name: "neura_bridge_still_seconds",
        help: "How long an endpoint has shown no new block.",
        value: stillMs / 1000,
        labels,
      },
      {
        name: "neura_bridge_up",
        help: "Whether the chain can be read.",
        value: isDown || trouble !== undefined ? 0 : 1,
        labels,
      },
    ];
  });
}

function attesterMetrics(routes: readonly RouteHealth[]): Metric[] {
  return routes.flatMap(({ chain, open, isAttester }) => [
    {
      name: "neura_bridge_open_messages",
      help: "Messages not delivered for good.",
      value: open,
      labels: { chain },
    },
    {
      name: "neura_bridge_is_attester",
      help: "Whether its word counts now.",
      value: isAttester ? 1 : 0,
      labels: { chain },
    },
  ]);
}

function relayerMetrics(routes: readonly RelayHealth[]): Metric[] {
  return routes.flatMap(({ chain, open, waiting, skipped }) => [
    {
      name: "neura_bridge_open_transfers",
      help: "Transfers not delivered for good.",
      value: open,
      labels: { chain },
    },
    {
      name: "neura_bridge_waiting_transfers",
      help: "Transfers that arrived and are not known to be paid.",
      value: waiting,
      labels: { chain },
    },
    ...Object.entries(skipped).map(([code, count]) => ({
      name: "neura_bridge_skipped_transfers",
      help: "Transfers left alone in the last round.",
      value: count,
      labels: { chain, code },
    })),
  ]);
}
