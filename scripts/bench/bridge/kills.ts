import { setTimeout as sleep } from "node:timers/promises";

import type { Side } from "../../../src/bridge/deployment.ts";
import type { SentTransfer } from "../../../src/bridge/send.ts";
import type { BridgeStage, ProcessName } from "./stage.ts";

/** What came of it. */
export interface KillReport {
  readonly kills: Readonly<Record<string, number>>;
  readonly transfers: number;
  /** How many of them from each side. */
  readonly sent: Readonly<Record<Side, number>>;
  /** Rules that did not hold at one of the looks after each kill, and at the end. */
  readonly breaches: readonly string[];
  /** Transfers that were not paid exactly once, and with what was announced. */
  readonly wrong: readonly string[];
  readonly looks: number;
  /** How often a process found a chain down while it started, and was started again. */
  readonly restarts: number;
}

export interface KillOptions {
  /** Which of them. */
  readonly names: readonly ProcessName[];
  /** Of each process. */
  readonly kills: number;
  /** The longest pause between two kills [ms]. */
  readonly pauseMs: number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** How long it may take until everything is paid in the end [ms]. */
  readonly timeoutMs: number;
  readonly onKill?: (done: number, of: number) => void;
}

const ANKR = 10n ** 18n;

/**
 * Sends transfers there and back while processes are killed at random moments and started again, each as often as asked for;
 * looks at both chains after each kill, and at the end at every transfer.
 */
export async function killAtRandom(stage: BridgeStage, options: KillOptions): Promise<KillReport> {
  const { names, kills, pauseMs, random, timeoutMs, onKill } = options;
  const left = names.flatMap((name) => Array.from({ length: kills }, () => name));
  const all = left.length;
  const sent: Record<Side, SentTransfer[]> = { home: [], far: [] };
  const breaches = new Set<string>();
  let looks = 0;
  const look = async (): Promise<void> => {
    looks += 1;
    for (const { code, message } of (await stage.look()).breaches) breaches.add(`${code}: ${message}`);
  };
  // What goes back has to have come.
  sent.home.push(await stage.send("home", 100n * ANKR));
  await stage.settled(timeoutMs);
  while (left.length > 0) {
    const [name] = left.splice(Math.floor(random() * left.length), 1);
    if (name === undefined) break;
    const side: Side = random() < 0.6 ? "home" : "far";
    const { outstanding } = await stage.bridge.far.contract.books();
    const from = side === "far" && outstanding < 10n * ANKR ? "home" : side;
    sent[from].push(await stage.send(from, ANKR + BigInt(Math.floor(random() * 1e9))));
    await sleep(random() * pauseMs);
    stage.supervise();
    await stage.kill(name);
    await look();
    onKill?.(all - left.length, all);
  }
  for (const { code, message } of (await stage.settled(timeoutMs)).breaches)
    breaches.add(`${code}: ${message}`);
  const wrong: string[] = [];
  for (const from of ["home", "far"] as const) {
    const payments = await stage.paymentsOf(from, sent[from]);
    for (const [index, { transfer, arrivesWei }] of sent[from].entries()) {
      const { times = 0, wei = 0n } = payments[index] ?? {};
      if (times !== 1 || wei !== arrivesWei)
        wrong.push(`${transfer}: ${wei} wei in ${times} payments, not ${arrivesWei} wei in one`);
    }
  }
  const transfers = sent.home.length + sent.far.length;
  const counts = Object.fromEntries(names.map((name) => [name, kills]));
  const { restarts } = stage;
  const numbers = { home: sent.home.length, far: sent.far.length };
  return { kills: counts, transfers, sent: numbers, breaches: [...breaches], wrong, looks, restarts };
}
