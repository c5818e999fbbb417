import { expect } from "chai";
import { hexlify, toBeHex } from "ethers";
import fc from "fast-check";
import { network } from "hardhat";

import { isNeuraError } from "../../../src/errors.ts";
import { Outcome } from "../../../src/market/outcome.ts";
import { NO_RESOURCES } from "../../../src/market/resources.ts";
import {
  chargeWei,
  decodeReport,
  decodeSubmitted,
  decodeTerms,
  encodeReport,
  encodeTerms,
  encodeWork,
  maximumCostWei,
  taskId,
  type Terms,
  type Work,
  workHash,
} from "../../../src/market/terms.ts";
import { deployMarketAlone } from "./contract.ts";

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => hexlify(bytes));
const address = fc.bigInt({ min: 1n, max: 2n ** 160n - 1n }).map((value) => toBeHex(value, 20));
const uint = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 });
const wei = fc.bigInt({ min: 0n, max: 2n ** 96n - 1n });

const terms: fc.Arbitrary<Terms> = fc.record({
  owner: address,
  provider: address,
  price: fc.record({ amountWei: wei, metered: fc.boolean() }),
  conditions: fc.record({
    startBySeconds: fc.maxSafeNat().map((value) => value % 2 ** 40),
    completeBySeconds: fc.maxSafeNat().map((value) => value % 2 ** 40),
    durationSeconds: fc.maxSafeNat().map((value) => value % 2 ** 32),
    keyEpoch: fc.maxSafeNat().map((value) => value % 2 ** 32),
  }),
  collateralWei: wei,
  salt: bytes32,
});
const work: fc.Arbitrary<Work> = fc.record({
  resources: fc.record({
    gpuCount: uint(16),
    gpuClass: uint(16),
    vramMiB: uint(30),
    ramMiB: uint(30),
    cpuMilli: uint(30),
    diskMiB: uint(30),
  }),
  payloadHash: bytes32,
  payload: fc.string({ minLength: 1, maxLength: 80, unit: "grapheme" }),
});

const EXAMPLE: Terms = {
  owner: "0x5FbDB2315678afecb367f032d93F642f64180aa3",
  provider: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
  price: { amountWei: 10n, metered: false },
  conditions: { startBySeconds: 1, completeBySeconds: 2, durationSeconds: 100, keyEpoch: 1 },
  collateralWei: 0n,
  salt: `0x${"11".repeat(32)}`,
};

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (isNeuraError(error)) return error.code;
    throw error;
  }
  return "nothing was thrown";
}

describe("market: terms", () => {
  it("has the contract's id, work hash and cost, for any terms and work", async () => {
    const connection = await network.create();
    const market = await deployMarketAlone(connection);
    const { chainId } = await connection.ethers.provider.getNetwork();
    const domain = { chainId, market: await market.getAddress() };
    await fc.assert(
      fc.asyncProperty(terms, work, async (someTerms, someWork) => {
        const hash = workHash(someWork);
        expect(hash).to.equal(await market.hashWork(encodeWork(someWork)));
        expect(taskId(domain, someTerms, someWork)).to.equal(await market.idOf(encodeTerms(someTerms), hash));
        expect(maximumCostWei(someTerms)).to.equal(await market.costOf(encodeTerms(someTerms)));
      }),
      { numRuns: 60 },
    );
  });

  it("gives back what it encoded, terms, work and report", () => {
    fc.assert(
      fc.property(terms, work, bytes32, (someTerms, someWork, id) => {
        expect(decodeTerms(encodeTerms(someTerms))).to.deep.equal(someTerms);
        const submitted = { id, ...encodeTerms(someTerms), ...encodeWork(someWork) };
        expect(decodeSubmitted(submitted)).to.deep.equal({ id, terms: someTerms, work: someWork });
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(Outcome)), uint(31), (outcome, secondsUsed) => {
        expect(decodeReport(encodeReport({ outcome, secondsUsed }))).to.deep.equal({ outcome, secondsUsed });
      }),
    );
  });

  it("N15_ refuses terms with a bit that has no meaning here, whichever it is", () => {
    const known = { price: 97, conditions: 144, assurance: 96 };
    for (const [name, from] of Object.entries(known)) {
      for (let bit = 0; bit < 256; bit++) {
        const meant =
          bit < from
            ? !(name === "price" && bit === 96) && !(name === "conditions" && bit >= 112)
            : (name === "price" && bit === 192) || (name === "conditions" && bit >= 152 && bit < 184);
        const words = { ...encodeTerms({ ...EXAMPLE, collateralWei: 1n }) };
        const changed = { ...words, [name]: words[name as keyof typeof known] | (1n << BigInt(bit)) };
        expect(
          codeOf(() => decodeTerms(changed)),
          `${name} bit ${bit}`,
        ).to.equal(meant ? "nothing was thrown" : "terms.unsupported");
      }
    }
  });

  it("refuses what does not fit its bits, by name", () => {
    const { price, conditions } = EXAMPLE;
    for (const broken of [
      { ...EXAMPLE, price: { ...price, amountWei: 2n ** 96n } },
      { ...EXAMPLE, price: { ...price, amountWei: -1n } },
      { ...EXAMPLE, collateralWei: 2n ** 96n },
      { ...EXAMPLE, conditions: { ...conditions, durationSeconds: 2 ** 32 } },
      { ...EXAMPLE, conditions: { ...conditions, startBySeconds: 1.5 } },
      { ...EXAMPLE, conditions: { ...conditions, keyEpoch: Number.NaN } },
    ]) {
      expect(codeOf(() => encodeTerms(broken))).to.equal("terms.out-of-range");
    }
  });

  it("charges as the contract's source says, and never more than was escrowed", () => {
    const fixed = (outcome: Outcome, secondsUsed: number): bigint =>
      chargeWei(EXAMPLE, { outcome, secondsUsed });
    expect(fixed(Outcome.Completed, 1)).to.equal(10n);
    expect(fixed(Outcome.OwnerExitCode, 59)).to.equal(5n);
    expect(fixed(Outcome.OwnerExitCode, 100)).to.equal(10n);
    const metered = { ...EXAMPLE, price: { amountWei: 7n, metered: true } };
    expect(chargeWei(metered, { outcome: Outcome.OwnerTimeLimit, secondsUsed: 3 })).to.equal(21n);
    fc.assert(
      fc.property(terms, fc.nat(), (someTerms, used) => {
        const durationSeconds = Math.max(1, someTerms.conditions.durationSeconds);
        const live = { ...someTerms, conditions: { ...someTerms.conditions, durationSeconds } };
        const secondsUsed = used % (durationSeconds + 1);
        for (const outcome of [Outcome.Completed, Outcome.OwnerOutOfMemory]) {
          expect(chargeWei(live, { outcome, secondsUsed }) <= maximumCostWei(live)).to.equal(true);
        }
      }),
    );
  });

  it("names a task differently on another chain, in another market, and with another salt", () => {
    const someWork: Work = { resources: NO_RESOURCES, payloadHash: EXAMPLE.salt, payload: "ar://x" };
    const market = EXAMPLE.owner;
    const ids = [
      taskId({ chainId: 1n, market }, EXAMPLE, someWork),
      taskId({ chainId: 2n, market }, EXAMPLE, someWork),
      taskId({ chainId: 1n, market: EXAMPLE.provider }, EXAMPLE, someWork),
      taskId({ chainId: 1n, market }, { ...EXAMPLE, salt: `0x${"12".repeat(32)}` }, someWork),
      taskId({ chainId: 1n, market }, EXAMPLE, { ...someWork, payload: "ar://y" }),
    ];
    expect(new Set(ids).size).to.equal(ids.length);
  });
});
