/** Disputes before the jury on the real contracts, so that what the strategies are judged by is what is paid. */
import { id as hashOf, keccak256, parseEther, type Signer, ZeroAddress } from "ethers";
import { network } from "hardhat";

import { type Evidence, evidenceHash } from "../../../src/market/evidence.ts";
import { Outcome } from "../../../src/market/outcome.ts";
import { packResources } from "../../../src/market/resources.ts";
import {
  encodeReport,
  encodeTerms,
  encodeWork,
  taskId,
  type Terms,
  workHash as workHashOf,
} from "../../../src/market/terms.ts";
import { CONCESSION_SECONDS, openJuryMarket, RESOURCES, STEP_SECONDS } from "../jury-market.ts";
import { type Money, RULES, type Trial, type Vote } from "./settle.ts";

/** Of the market and of the jury. */
const DISPUTED = 6n;
const ENDED = 5n;
const REFERENCE = "Qm123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJK";

/** Seats of one voter. */
export interface Holder {
  readonly name: string;
  readonly seats: number;
}

export type Court = Awaited<ReturnType<typeof openCourt>>;

/** A market and a jury with these seats, in this process. */
export async function openCourt(holders: readonly Holder[]) {
  const connection = await network.create();
  const treasury = `0x${hashOf("treasury").slice(26)}`;
  const addressOf = (name: string): string => `0x${hashOf(name).slice(26)}`;
  const benches = holders.map(({ name, seats }) => ({ voter: addressOf(name), seats }));
  const options = { benches, rules: RULES, treasury, stakeWei: parseEther("100000") };
  /** Whose voter an address is. */
  const names = new Map(holders.map(({ name }) => [addressOf(name).toLowerCase(), name]));
  return { connection, treasury, names, ...(await openJuryMarket(connection, options)) };
}

/** Who was drawn, by address, and what they and the parties gained [wei]; who has several places has it at each of them. */
export interface Played {
  readonly money: Money;
  readonly panels: readonly (readonly string[])[];
}

/** Plays a case; its number makes its seeds. With `isDrawnOnly` it stays open, and its seats bound. */
export async function play(
  court: Court,
  trial: Trial,
  number: number,
  { isDrawnOnly = false }: { isDrawnOnly?: boolean } = {},
): Promise<Played> {
  const { connection, domain, owner, provider, market, jury } = court;
  const { networkHelpers } = connection;
  const { time } = networkHelpers;
  const auditSeed = hashOf(`seed ${number}`);
  const drawNonce = hashOf(`nonce ${number}`);
  const startSeconds = (await time.latest()) + 60;
  const terms: Terms = {
    ...{ owner: owner.address, provider: provider.address, salt: keccak256(auditSeed) },
    price: { amountWei: trial.priceWei, metered: false },
    conditions: {
      startBySeconds: startSeconds + 1_000,
      completeBySeconds: startSeconds + 10_000,
      durationSeconds: 5_000,
      keyEpoch: 1,
      challengePeriodSeconds: 5_000,
    },
    collateralWei: trial.collateralWei,
    arbiter: await jury.getAddress(),
  };
  const work = { resources: RESOURCES, payloadHash: hashOf(`payload ${number}`), payload: REFERENCE };
  const evidence: Evidence = {
    ...{
      inputRoot: hashOf("input"),
      resultRoot: hashOf("result"),
      unitsRoot: hashOf("units"),
      unitCount: 10,
    },
    ...{ runHash: hashOf("run"), drawCommit: keccak256(drawNonce) },
  };
  const delivered = {
    report: encodeReport({ outcome: Outcome.Completed, secondsUsed: 400 }),
    resultHash: hashOf(`result ${number}`),
    evidenceHash: evidenceHash(evidence),
  };
  const [words, workHash, id] = [encodeTerms(terms), workHashOf(work), taskId(domain, terms, work)];
  const before = await wealthOf(court);
  const gas = new Map<string, bigint>();
  const sent = async (
    from: Signer,
    transaction: Promise<{ wait: () => Promise<{ gasUsed: bigint; gasPrice: bigint } | null> }>,
  ): Promise<void> => {
    const receipt = await (await transaction).wait();
    const address = (await from.getAddress()).toLowerCase();
    gas.set(address, (gas.get(address) ?? 0n) + (receipt === null ? 0n : receipt.gasUsed * receipt.gasPrice));
  };
  await time.setNextBlockTimestamp(startSeconds);
  const value = { value: trial.priceWei };
  await sent(owner, market.connect(owner).submit(words, encodeWork(work), value));
  await sent(provider, market.connect(provider).accept(words, workHash));
  await time.increase(500);
  const delivery = { ...delivered, result: REFERENCE };
  await sent(provider, market.connect(provider).deliver(words, workHash, delivery));
  const [bond] = await market.bondOf(words);
  const dispute = [words, workHash, delivered, 3, auditSeed, bond, { value: bond }] as const;
  await sent(owner, market.connect(owner).dispute(...dispute));
  const digest = {
    ...{ resources: packResources(RESOURCES), payloadHash: work.payloadHash, backup: ZeroAddress },
    referenceHash: hashOf(work.payload),
  };
  const eligible = await jury.eligibleSeats(0, terms.conditions.startBySeconds);
  const draw = [words, digest, delivered, evidence, auditSeed, drawNonce, eligible] as const;
  if (trial.isWithheld === true) {
    await time.increase(CONCESSION_SECONDS + STEP_SECONDS + 1);
    await sent(owner, jury.connect(owner).summon(words, workHash, delivered));
    await networkHelpers.mine(6);
    await sent(owner, jury.connect(owner).draw(...draw));
  } else {
    await sent(provider, jury.connect(provider).draw(...draw));
    if (!isDrawnOnly) await time.increase(CONCESSION_SECONDS);
  }
  const panels: string[][] = [];
  const isMissing = (await jury.caseOf(id)).step === ENDED;
  for (const [round, votes] of [trial.first, trial.second].entries()) {
    if (votes === undefined || isMissing || isDrawnOnly) break;
    if (round === 1) {
      await time.increase(STEP_SECONDS + 1);
      const appellant = trial.appellant === "provider" ? provider : owner;
      const appealed = jury.connect(appellant).appeal(...draw, { value: await jury.appealBondOf(id) });
      await sent(appellant, appealed);
    }
    panels.push([...(await jury.panelOf(id, round)).voters].map((each) => each.toLowerCase()));
    if (trial.isLapsed === true) break;
    await deliberate(round, votes);
  }
  if (!isDrawnOnly) await time.increase(2 * STEP_SECONDS + 1);
  if (!isDrawnOnly && (await jury.caseOf(id)).step !== ENDED) {
    const end = trial.isLapsed === true ? "lapse" : "finish";
    await sent(owner, jury.connect(owner)[end](words, workHash, delivered));
  }
  // A jury that decided nothing leaves it to time.
  if (!isDrawnOnly && (await market.taskOf(id))[0] === DISPUTED) {
    await time.increase(20 * STEP_SECONDS);
    await sent(owner, market.connect(owner).resolve(words, workHash, delivered));
  }
  const after = await wealthOf(court);
  const gainOf = (address: string): bigint => {
    const key = address.toLowerCase();
    return (after.get(key) ?? 0n) - (before.get(key) ?? 0n) + (gas.get(key) ?? 0n);
  };
  const [first = [], second = []] = panels.map((panel) => panel.map(gainOf));
  const [treasury, sides] = [
    gainOf(court.treasury),
    { owner: gainOf(owner.address), provider: gainOf(provider.address) },
  ];
  return { money: { ...sides, first, second, treasury }, panels };

  async function deliberate(round: number, votes: readonly Vote[]): Promise<void> {
    const uri = `ar://${REFERENCE}`;
    const { seats, voters } = await jury.panelOf(id, round);
    const saltOf = (position: number): string => hashOf(`salt ${number} ${round} ${position}`);
    const signerAt = (position: number): Signer => {
      const signer = court.jurors.get((voters[position] ?? "").toLowerCase());
      if (signer === undefined) throw new Error("nobody sits there");
      return signer;
    };
    await sent(owner, jury.connect(owner).handOver(words, workHash, uri));
    for (const [position, vote] of votes.entries()) {
      const seat = seats[position];
      if (vote === undefined || seat === undefined) continue;
      const hidden = await jury.commitmentOf(id, round, seat, printOf(vote.work), saltOf(position));
      const signer = signerAt(position);
      await sent(signer, jury.connect(signer).commit(id, position, hidden));
    }
    await time.increase(STEP_SECONDS + 1);
    await sent(owner, jury.connect(owner).handOver(words, workHash, uri));
    for (const [position, vote] of votes.entries()) {
      if (vote === undefined || seats[position] === undefined) continue;
      const signer = signerAt(position);
      const shown = [id, position, printOf(vote.work), vote.bps, saltOf(position)] as const;
      await sent(signer, jury.connect(signer).reveal(...shown));
    }
  }
}

/** A fingerprint of its own for each work. */
function printOf(work: string): bigint {
  return BigInt(hashOf(work)) >> 16n;
}

/** All that each party has: wallet, balance in the market, credit of the jury, stake [wei]. */
async function wealthOf(court: Court): Promise<Map<string, bigint>> {
  const { connection, owner, provider, treasury, registry, market, jury, jurors } = court;
  const entries = await Promise.all(
    [owner.address, provider.address, treasury, ...jurors.keys()].map(async (address) => {
      const isRegistered = (await registry.operatorOf(address)) !== ZeroAddress;
      const parts = await Promise.all([
        connection.ethers.provider.getBalance(address),
        market.balanceOf(address),
        jury.creditOf(address),
        isRegistered ? registry.providerOf(address).then(({ stake }) => stake) : 0n,
      ]);
      return [address.toLowerCase(), parts.reduce((sum, each) => sum + each, 0n)] as const;
    }),
  );
  const wealth = new Map(entries);
  // Fees are collected later.
  const fees = await market.feesDue(provider);
  wealth.set(treasury, (wealth.get(treasury) ?? 0n) + fees);
  return wealth;
}

export function closeCourt({ connection }: Court): Promise<void> {
  return connection.close();
}
