/** Gas of what makes results authentic: evidence, one unit of it, and a dispute that jurors decide. */
import {
  type ContractTransactionResponse,
  id as hashOf,
  keccak256,
  parseEther,
  type Signer,
  ZeroAddress,
  ZeroHash,
} from "ethers";
import { network } from "hardhat";
import type { NetworkConnection } from "hardhat/types/network";

import { type Evidence, evidenceHash, unitsRoot } from "../../../src/market/evidence.ts";
import { Outcome } from "../../../src/market/outcome.ts";
import { packResources } from "../../../src/market/resources.ts";
import {
  encodeReport,
  encodeTerms,
  encodeWork,
  maximumCostWei,
  taskId,
  type Terms,
  workHash as workHashOf,
} from "../../../src/market/terms.ts";
import { unitProof } from "../../../src/verify/units.ts";
import { UnitOpener__factory } from "../../../types/index.ts";
import { CONCESSION_SECONDS, openJuryMarket, RESOURCES, STEP_SECONDS } from "../jury-market.ts";
import { difference, type Figure, NOTHING, plusTransaction } from "./figure.ts";

/** What these figures must not exceed [gas]. */
export const JURY_LIMITS = {
  /** Over a delivery without. */
  deliverEvidence: 1_000,
  openUnit: 50_000,
  juryCommit: 51_000,
  juryReveal: 37_500,
  disputeJury3: 780_000,
};

const START_SECONDS = 0x77_77_77_77;
const BETWEEN_SECONDS = 0x2_22_22;
const DURATION_SECONDS = 0x11_11;
const JURORS = 40;
const UNITS = 1_024;
const BPS = 10_000;
const REFERENCE = "Qm123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJK";
const WORK = BigInt(hashOf("work")) >> 16n;

/** Measures everything, each figure after one of its own kind of the same parties. */
export async function measureJuries(): Promise<Record<string, Figure>> {
  const connection = await network.create();
  try {
    const stage = await openStage(connection);
    await dispute(stage, connection, 1);
    const all = await dispute(stage, connection, 2);
    const appealed = await dispute(stage, connection, 3, true);
    await deliver(stage, connection, 4, true);
    return {
      deliverEvidence: difference(
        await deliver(stage, connection, 5, true),
        await deliver(stage, connection, 6, false),
      ),
      openUnit: await openUnit(stage, connection),
      juryCommit: all.commit,
      juryReveal: all.reveal,
      disputeJury3: all.whole,
      disputeJury15: appealed.whole,
    };
  } finally {
    await connection.close();
  }
}

// ---- Stage ----

type Stage = Awaited<ReturnType<typeof openStage>>;

async function openStage(connection: NetworkConnection) {
  const stage = await openJuryMarket(connection, {
    benches: Array.from({ length: JURORS }, (_, i) => ({ voter: keccakAddress(`juror ${i}`), seats: 1 })),
    rules: { seatWei: parseEther("10"), juryFeeBps: 600n, minimumFeeWei: 1n, protocolFeeBps: 250n },
    treasury: keccakAddress("treasury"),
    stakeWei: parseEther("100"),
  });
  return { ...stage, opener: await new UnitOpener__factory(stage.admin).deploy() };
}

/** An address that has no zero byte, with a checksum. */
function keccakAddress(name: string): string {
  for (let i = 0; ; i++) {
    const address = `0x${hashOf(`${name} ${i}`).slice(26)}`;
    if (!/^0x(?:..)*?00/.test(address)) return address;
  }
}

function evidenceOf(nonce: string): Evidence {
  return {
    inputRoot: hashOf("input"),
    resultRoot: hashOf("result"),
    unitsRoot: unitsRoot(units()),
    unitCount: UNITS,
    runHash: hashOf("run"),
    drawCommit: keccak256(nonce),
  };
}

let made: ReturnType<typeof unitsOf> | undefined;
function units(): ReturnType<typeof unitsOf> {
  return (made ??= unitsOf());
}

function unitsOf() {
  return Array.from({ length: UNITS }, (_, index) => ({
    inputHash: hashOf(`input ${index}`),
    outputHash: hashOf(`output ${index}`),
    stateHash: hashOf(`state ${index}`),
    sketchHash: hashOf(`sketch ${index}`),
  }));
}

async function task({ owner, provider, jury, domain }: Stage, number: number, isJudged: boolean) {
  const startSeconds = START_SECONDS + number * BETWEEN_SECONDS;
  const auditSeed = hashOf(`seed ${number}`);
  const drawNonce = hashOf(`nonce ${number}`);
  const terms: Terms = {
    owner: owner.address,
    provider: provider.address,
    price: { amountWei: 0x04_62_d5_37_e7_ef_4en, metered: true },
    conditions: {
      startBySeconds: startSeconds + DURATION_SECONDS,
      completeBySeconds: startSeconds + 3 * DURATION_SECONDS,
      durationSeconds: DURATION_SECONDS,
      keyEpoch: 1,
      ...(isJudged ? { challengePeriodSeconds: 0x2_11 } : {}),
    },
    collateralWei: isJudged ? 0x11_22_33_44_55_66_77n : 0n,
    ...(isJudged ? { arbiter: await jury.getAddress() } : {}),
    salt: keccak256(auditSeed),
  };
  const work = { resources: RESOURCES, payloadHash: hashOf(`payload ${number}`), payload: REFERENCE };
  const evidence = evidenceOf(drawNonce);
  return {
    ...{ startSeconds, auditSeed, drawNonce, terms, work, evidence },
    ...{ words: encodeTerms(terms), workHash: workHashOf(work), id: taskId(domain, terms, work) },
    delivered: {
      report: encodeReport({ outcome: Outcome.Completed, secondsUsed: 0x09_99 }),
      resultHash: hashOf(`result ${number}`),
      evidenceHash: evidenceHash(evidence),
    },
  };
}

// ---- Figures ----

/** The delivery of a job that settles at once, with evidence or without. */
async function deliver(
  stage: Stage,
  connection: NetworkConnection,
  number: number,
  hasEvidence: boolean,
): Promise<Figure> {
  const { market, owner, provider } = stage;
  const { networkHelpers } = connection;
  const { startSeconds, terms, work, words, workHash, delivered } = await task(stage, number, false);
  await networkHelpers.time.setNextBlockTimestamp(startSeconds);
  await market.connect(owner).submit(words, encodeWork(work), { value: maximumCostWei(terms) });
  await networkHelpers.time.setNextBlockTimestamp(startSeconds + 0x1001);
  const delivery = { ...delivered, result: REFERENCE, ...(hasEvidence ? {} : { evidenceHash: ZeroHash }) };
  const transaction = await market.connect(provider).deliver(words, workHash, delivery);
  return await plusTransaction(NOTHING, connection, "deliver", transaction);
}

/** One unit of 1,024, under the evidence's hash. */
async function openUnit({ opener }: Stage, connection: NetworkConnection): Promise<Figure> {
  const evidence = evidenceOf(hashOf("nonce"));
  const index = 777;
  const unit = { index, ...at(units(), index) };
  const branch = unitProof(units(), index);
  const transaction = await opener.requireUnit.send(evidenceHash(evidence), evidence, unit, branch);
  return await plusTransaction(NOTHING, connection, "requireUnit", transaction);
}

interface DisputeFigures {
  /** From the dispute to its end, all sides together; with an appeal, the second panel too. */
  readonly whole: Figure;
  /** One juror's. */
  readonly commit: Figure;
  readonly reveal: Figure;
}

async function dispute(
  stage: Stage,
  connection: NetworkConnection,
  number: number,
  isAppealed = false,
): Promise<DisputeFigures> {
  const { market, jury, owner, provider, jurors } = stage;
  const { time } = connection.networkHelpers;
  const job = await task(stage, number, true);
  const { startSeconds, terms, work, words, workHash, delivered, id, evidence, auditSeed, drawNonce } = job;
  await time.setNextBlockTimestamp(startSeconds);
  await market.connect(owner).submit(words, encodeWork(work), { value: maximumCostWei(terms) });
  await market.connect(provider).accept(words, workHash);
  await time.setNextBlockTimestamp(startSeconds + 0x1001);
  await market.connect(provider).deliver(words, workHash, { ...delivered, result: REFERENCE });
  let whole = NOTHING;
  let [commit, reveal] = [NOTHING, NOTHING];
  const note = async (verb: string, transaction: ContractTransactionResponse): Promise<Figure> => {
    whole = await plusTransaction(whole, connection, verb, transaction);
    return await plusTransaction(NOTHING, connection, verb, transaction);
  };
  const [bondWei] = await market.bondOf(words);
  const value = { value: bondWei };
  const ownerSide = market.connect(owner);
  await note("dispute", await ownerSide.dispute(words, workHash, delivered, 3, auditSeed, bondWei, value));
  const digest = {
    ...{ resources: packResources(RESOURCES), payloadHash: work.payloadHash, backup: ZeroAddress },
    referenceHash: hashOf(work.payload),
  };
  const eligible = await jury.eligibleSeats(0, terms.conditions.startBySeconds);
  const draw = [words, digest, delivered, evidence, auditSeed, drawNonce, eligible] as const;
  await note("draw", await jury.connect(provider).draw(...draw));
  await time.increase(CONCESSION_SECONDS);
  for (let round = 0; round <= (isAppealed ? 1 : 0); round++) {
    if (round === 1) {
      await time.increase(STEP_SECONDS);
      const bond = await jury.appealBondOf(id);
      await note("appeal", await jury.connect(owner).appeal(...draw, { value: bond }));
    }
    await note("handOver", await jury.connect(owner).handOver(words, workHash, `ar://${REFERENCE}`));
    const [seats, voters] = await jury.panelOf(id, round);
    for (const [position, voter] of voters.entries()) {
      const salt = hashOf(`salt ${number} ${position}`);
      const commitment = await jury.commitmentOf(id, round, at(seats, position), WORK, salt);
      const transaction = await jury.connect(jurorOf(jurors, voter)).commit(id, position, commitment);
      commit = await note("commit", transaction);
    }
    await note("handOver", await jury.connect(owner).handOver(words, workHash, `ar://${REFERENCE}`));
    for (const [position, voter] of voters.entries()) {
      const salt = hashOf(`salt ${number} ${position}`);
      const side = jury.connect(jurorOf(jurors, voter));
      // The first panel finds for the provider, the second one for the owner.
      reveal = await note(
        "reveal",
        await side.reveal(id, position, WORK, isAppealed && round === 0 ? BPS : 0, salt),
      );
    }
  }
  await time.increase(2 * STEP_SECONDS + 1);
  await note("finish", await jury.connect(owner).finish(words, workHash, delivered));
  return { whole, commit, reveal };
}

function jurorOf(jurors: ReadonlyMap<string, Signer>, voter: string): Signer {
  const signer = jurors.get(voter.toLowerCase());
  if (signer === undefined) throw new Error(`${voter} is no juror`);
  return signer;
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`there is no ${index}`);
  return found;
}
