import { isError } from "ethers";

import { type Abortable, unlessAborted } from "../abort.ts";
import { Erc20 } from "../chain/erc20.ts";
import { unavailable } from "../chain/errors.ts";
import { readLogs } from "../chain/logs.ts";
import { type Bridge, type End, headsOf } from "./context.ts";
import { type Side, SIDES } from "./deployment.ts";
import { topicOf } from "./message.ts";
import type { Metric } from "./metrics.ts";

/** What one end says of itself at a final block. All amounts in wei. */
export interface EndSupply {
  readonly chainId: number;
  readonly block: number;
  readonly outstandingWei: bigint;
  readonly waitingWei: bigint;
  readonly claimableWei: bigint;
  readonly feesWei: bigint;
  /** What is there to pay with; nothing: it makes it. */
  readonly liquidityWei: bigint | undefined;
  /** All that was ever sent from here and received here. */
  readonly sentWei: bigint;
  readonly receivedWei: bigint;
}

/** A rule that does not hold. */
export interface SupplyBreach {
  readonly code: string;
  readonly message: string;
}

export interface BridgeSupply {
  readonly home: EndSupply;
  readonly far: EndSupply;
  /** Locked at home, and not announced back. */
  readonly lockedWei: bigint;
  /** On the other chain, and not sent back: paid out or owed there. */
  readonly circulatingWei: bigint;
  /** On its way to the far end, and back. */
  readonly inFlightWei: Readonly<Record<Side, bigint>>;
  readonly breaches: readonly SupplyBreach[];
  /** What nobody loses by, and somebody should look at. */
  readonly warnings: readonly SupplyBreach[];
}

interface Books {
  readonly end: End;
  readonly sent: Map<string, bigint>;
  readonly received: Map<string, bigint>;
  readTo: number;
  sentWei: bigint;
  receivedWei: bigint;
}

/**
 * Compares what was locked, is on its way, waits, can be claimed and circulates, from every transfer of both ends and from what
 * their contracts say. Each look reads on from the one before.
 */
export class SupplyMonitor {
  readonly #books: Readonly<Record<Side, Books>>;

  constructor(bridge: Bridge) {
    const books = (side: Side): Books => ({
      end: bridge[side],
      sent: new Map<string, bigint>(),
      received: new Map<string, bigint>(),
      ...{ readTo: Math.max(bridge[side].block - 1, 0), sentWei: 0n, receivedWei: 0n },
    });
    this.#books = { home: books("home"), far: books("far") };
  }

  /**
   * Reads both chains up to their final blocks and compares (I-15). Errors: `chain.unavailable`, `chain.logs-refused`.
   */
  async look({ signal }: Abortable = {}): Promise<BridgeSupply> {
    return await unlessAborted(this.#look(signal), signal);
  }

  async #look(signal: AbortSignal | undefined): Promise<BridgeSupply> {
    const { home, far } = this.#books;
    const homeSupply = await readOn(home, signal);
    const farSupply = await readOn(far, signal);
    const breaches = [
      ...(await this.#unsent(far, home, signal)),
      ...(await this.#unsent(home, far, signal)),
      ...booksBreaches(home, homeSupply, 1n),
      ...booksBreaches(far, farSupply, -1n),
      ...(await solvencyBreaches(homeSupply, farSupply, far.end)),
    ];
    return {
      ...{ home: homeSupply, far: farSupply, lockedWei: homeSupply.outstandingWei },
      circulatingWei: farSupply.outstandingWei,
      inFlightWei: { home: onItsWay(home, far), far: onItsWay(far, home) },
      breaches,
      warnings: shortages(farSupply),
    };
  }

  /** What an end received and the other one never sent so. What is missing there is looked for once more: it may be newer. */
  async #unsent(at: Books, from: Books, signal: AbortSignal | undefined): Promise<SupplyBreach[]> {
    const unlike = (): [string, bigint][] =>
      [...at.received].filter(([transfer, amountWei]) => from.sent.get(transfer) !== amountWei);
    if (unlike().length > 0) await readOn(from, signal);
    return unlike().map(([transfer, amountWei]) => ({
      code: "bridge.unsent",
      message: `Chain ${at.end.chainId} received ${amountWei} wei as ${transfer}, of which chain ${from.end.chainId} knows ${from.sent.get(transfer) ?? 0n} wei.`,
    }));
  }
}

/** Reads an end up to its newest final block, and what its contract said there. */
async function readOn(books: Books, signal: AbortSignal | undefined): Promise<EndSupply> {
  const { end } = books;
  const { final } = await headsOf(end);
  const toBlock = Math.max(final?.number ?? 0, books.readTo);
  const sent = topicOf(end.contract.interface, "Sent");
  const topics = [[sent, topicOf(end.contract.interface, "Received")]];
  const { provider, bridge: address } = end;
  const fromBlock = books.readTo + 1;
  for await (const page of readLogs({ provider, address, topics, fromBlock, toBlock, signal })) {
    for (const log of page.logs) {
      const args = end.contract.interface.parseLog(log)?.args;
      const [transfer, amountWei] = [String(args?.["transfer"]), BigInt(String(args?.["amount"]))];
      const isSent = log.topics[0] === sent;
      (isSent ? books.sent : books.received).set(transfer, amountWei);
      if (isSent) books.sentWei += amountWei;
      else books.receivedWei += amountWei;
    }
    books.readTo = page.toBlock;
  }
  const { outstanding, waiting, claimable, fees, liquidity } = await booksAt(books);
  return {
    ...{ chainId: end.chainId, block: books.readTo, outstandingWei: outstanding, waitingWei: waiting },
    ...{ claimableWei: claimable, feesWei: fees },
    liquidityWei: liquidity === 2n ** 256n - 1n ? undefined : liquidity,
    ...{ sentWei: books.sentWei, receivedWei: books.receivedWei },
  };
}

const NOTHING = { outstanding: 0n, waiting: 0n, claimable: 0n, fees: 0n, liquidity: 0n };

/** What a contract says at a final block; nothing where the contract itself is not final yet. */
async function booksAt({ end, readTo, sent, received }: Books): Promise<typeof NOTHING> {
  try {
    return await end.contract.books({ blockTag: readTo });
  } catch (error) {
    const isNotThere = isError(error, "BAD_DATA") && error.value === "0x";
    if (isNotThere && sent.size + received.size === 0) return NOTHING;
    throw unavailable(error);
  }
}

/** What an end says is outstanding is what its transfers come to. */
function booksBreaches({ end }: Books, supply: EndSupply, sign: bigint): SupplyBreach[] {
  const expectedWei = sign * (supply.sentWei - supply.receivedWei);
  if (expectedWei === supply.outstandingWei) return [];
  return [
    {
      code: "bridge.books",
      message: `Chain ${end.chainId} says that ${supply.outstandingWei} wei are outstanding; its transfers come to ${expectedWei} wei.`,
    },
  ];
}

function owedOf({ waitingWei, claimableWei, feesWei }: EndSupply): bigint {
  return waitingWei + claimableWei + feesWei;
}

async function solvencyBreaches(home: EndSupply, far: EndSupply, farEnd: End): Promise<SupplyBreach[]> {
  const breaches: SupplyBreach[] = [];
  const neededWei = home.outstandingWei + owedOf(home);
  if (home.liquidityWei !== undefined && home.liquidityWei < neededWei) {
    const message = `The escrow on chain ${home.chainId} has ${home.liquidityWei} wei, and owes ${neededWei} wei.`;
    breaches.push({ code: "bridge.insolvent", message });
  }
  if (far.liquidityWei === undefined) {
    const token = new Erc20(farEnd.currency.address, farEnd.provider);
    const supplyWei = await token.totalSupply(far.block);
    if (supplyWei + owedOf(far) > far.outstandingWei) {
      const message = `On chain ${far.chainId} ${supplyWei} wei were made and ${owedOf(far)} wei are owed, where ${far.outstandingWei} wei came over the bridge.`;
      breaches.push({ code: "bridge.unbacked", message });
    }
  }
  return breaches;
}

/** A vault with too little to pay with makes people wait; it takes nothing from them. */
function shortages(far: EndSupply): SupplyBreach[] {
  if (far.liquidityWei === undefined || far.liquidityWei >= owedOf(far)) return [];
  const message = `The vault on chain ${far.chainId} has ${far.liquidityWei} wei to pay with, and owes ${owedOf(far)} wei.`;
  return [{ code: "bridge.liquidity", message }];
}

function onItsWay(from: Books, to: Books): bigint {
  let sumWei = 0n;
  for (const [transfer, amountWei] of from.sent) if (!to.received.has(transfer)) sumWei += amountWei;
  return sumWei;
}

/** What is watched of a look. */
export function supplyMetrics(supply: BridgeSupply): Metric[] {
  const { lockedWei, circulatingWei, inFlightWei, breaches, warnings } = supply;
  const wei = (
    name: string,
    help: string,
    value: bigint,
    labels?: Record<string, string | number>,
  ): Metric => ({
    ...{ name: `neura_bridge_${name}_wei`, help, value },
    ...(labels === undefined ? {} : { labels }),
  });
  return [
    wei("locked", "Locked at home and not announced back.", lockedWei),
    wei("circulating", "Far away, and not sent back.", circulatingWei),
    ...SIDES.map((side) => wei("in_flight", "Sent and not received.", inFlightWei[side], { from: side })),
    ...SIDES.flatMap((side) => {
      const labels = { chain: supply[side].chainId };
      return [
        wei("waiting", "Arrived, and waits.", supply[side].waitingWei, labels),
        wei("claimable", "Could not be paid, and can be claimed.", supply[side].claimableWei, labels),
      ];
    }),
    ...SIDES.map((side) => ({
      ...{ name: "neura_bridge_compared_block", help: "The final block up to which an end was compared." },
      ...{ value: supply[side].block, labels: { chain: supply[side].chainId } },
    })),
    { name: "neura_bridge_breaches", help: "Rules that do not hold.", value: breaches.length },
    { name: "neura_bridge_warnings", help: "What should be looked at.", value: warnings.length },
  ];
}
