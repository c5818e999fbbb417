import { expect } from "chai";
import { getAddress, hexlify, toBeHex, TypedDataEncoder, ZeroAddress } from "ethers";
import fc from "fast-check";
import { network } from "hardhat";

import { isNeuraError } from "../../../src/errors.ts";
import { Kind, Outcome } from "../../../src/market/outcome.ts";
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
  priceAtWei,
  quoteTypedData,
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

const below = (bits: number): fc.Arbitrary<number> => fc.maxSafeNat().map((value) => value % 2 ** bits);
const positive = (bits: number): fc.Arbitrary<number> => below(bits).map((value) => Math.max(value, 1));

/** What a job and a lease have in common; what is zero in the words is left out when they are read. */
const termsOf = (kind: "job" | "lease"): fc.Arbitrary<Terms> =>
  fc.record(
    {
      owner: address,
      provider: fc.oneof(address, fc.constant(ZeroAddress)),
      price: fc.record(
        {
          amountWei: wei,
          metered: fc.boolean(),
          maximumWei: wei.map((value) => (value === 0n ? 1n : value)),
          ...(kind === "lease" ? { heartbeatSeconds: below(24), noticeSeconds: below(24) } : {}),
        },
        {
          requiredKeys: [
            "amountWei",
            "metered",
            ...(kind === "lease" ? (["heartbeatSeconds", "noticeSeconds"] as const) : []),
          ],
        },
      ),
      conditions: fc.record(
        {
          startBySeconds: below(40),
          completeBySeconds: below(40),
          durationSeconds: below(32),
          keyEpoch: below(32),
          ...(kind === "lease" ? { kind: fc.constant(Kind.Lease) } : {}),
          challengePeriodSeconds: positive(32),
          model: positive(48),
          royaltyBps: positive(16),
          isSealed: fc.constant(true),
          stopsIdle: fc.constant(true),
        },
        {
          requiredKeys: [
            ...(["startBySeconds", "completeBySeconds", "durationSeconds", "keyEpoch"] as const),
            ...(kind === "lease" ? (["kind"] as const) : []),
          ],
        },
      ),
      collateralWei: wei,
      arbiter: address.map((value) => getAddress(value)),
      salt: bytes32,
    },
    { requiredKeys: ["owner", "provider", "price", "conditions", "collateralWei", "salt"] },
  );
const terms: fc.Arbitrary<Terms> = fc.oneof(termsOf("job"), termsOf("lease"));
const plainWork: fc.Arbitrary<Work> = fc.record({
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

const work: fc.Arbitrary<Work> = fc.oneof(
  plainWork,
  fc.tuple(plainWork, address).map(([some, backup]) => ({ ...some, backup })),
);

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
        const { backup = ZeroAddress } = someWork;
        const hash = workHash(someWork);
        expect(hash).to.equal(await market.hashWork(encodeWork(someWork), backup));
        expect(taskId(domain, someTerms, someWork)).to.equal(await market.idOf(encodeTerms(someTerms), hash));
        expect(maximumCostWei(someTerms)).to.equal(await market.costOf(encodeTerms(someTerms)));
      }),
      { numRuns: 60 },
    );
  });

  it("has the contract's digest of a quote", async () => {
    const connection = await network.create();
    const market = await deployMarketAlone(connection);
    const { chainId } = await connection.ethers.provider.getNetwork();
    const domain = { chainId, market: await market.getAddress() };
    await fc.assert(
      fc.asyncProperty(bytes32, fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), below(40), async (...quote) => {
        const [task, nonce, expiresAtSeconds] = quote;
        const typed = quoteTypedData(domain, { task, nonce, expiresAtSeconds });
        expect(TypedDataEncoder.hash(typed.domain, typed.types, typed.value)).to.equal(
          await market.quoteDigest(task, nonce, expiresAtSeconds),
        );
      }),
      { numRuns: 20 },
    );
  });

  it("reckons an open task's price as a line that never falls, rounded down", () => {
    const open = fc.record({
      first: wei,
      more: wei,
      submitted: below(32),
      length: positive(20),
      at: below(21),
    });
    fc.assert(
      fc.property(open, ({ first, more, submitted, length, at }) => {
        const amountWei = first / 2n;
        const maximumWei = amountWei + more / 2n + 1n;
        const price = { amountWei, metered: true, maximumWei };
        const conditions = { ...EXAMPLE.conditions, startBySeconds: submitted + length };
        const reckon = (seconds: number): bigint =>
          priceAtWei(
            { price, conditions },
            { submittedAtSeconds: submitted, atSeconds: submitted + seconds },
          );
        expect(reckon(0)).to.equal(amountWei);
        expect(reckon(length)).to.equal(maximumWei);
        expect(reckon(at) <= reckon(at + 1)).to.equal(true);
        if (at >= length) return;
        // Below the line by less than one wei.
        const rest = (maximumWei - amountWei) * BigInt(at) - (reckon(at) - amountWei) * BigInt(length);
        expect(rest >= 0n && rest < BigInt(length)).to.equal(true);
      }),
    );
  });

  it("gives back what it encoded, terms, work and report", () => {
    fc.assert(
      fc.property(terms, plainWork, bytes32, (someTerms, someWork, id) => {
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
    // Of a job: bits of the price above 192 are for leases, as bit 144 of the conditions makes it one.
    const meanings = {
      price: (bit: number) => bit <= 192,
      conditions: (bit: number) => bit <= 144 || (bit >= 152 && bit < 250),
      assurance: () => true,
    };
    for (const name of ["price", "conditions", "assurance"] as const) {
      for (let bit = 0; bit < 256; bit++) {
        const meant = meanings[name](bit);
        const words = { ...encodeTerms({ ...EXAMPLE, collateralWei: 1n }) };
        const changed = { ...words, [name]: words[name] | (1n << BigInt(bit)) };
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
        const { amountWei, metered: isMetered } = someTerms.price;
        const live = {
          price: { amountWei, metered: isMetered },
          conditions: { ...someTerms.conditions, durationSeconds },
        };
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
      taskId({ chainId: 1n, market }, EXAMPLE, { ...someWork, backup: EXAMPLE.owner }),
    ];
    expect(new Set(ids).size).to.equal(ids.length);
  });
});
