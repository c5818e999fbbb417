import { expect } from "chai";
import fc from "fast-check";

import { Kind } from "../../../src/market/outcome.ts";
import { NO_RESOURCES } from "../../../src/market/resources.ts";
import type { Task } from "../../../src/market/terms.ts";
import {
  confirmationsFor,
  DEFAULT_POLICY,
  gasOfTask,
  judgeManifest,
  judgeTerms,
  parsePolicy,
  type Policy,
} from "../../../src/provider/policy.ts";
import { gpuClassIn } from "../../../src/provider/hardware.ts";
import { gpuClassName } from "../../../src/market/resources.ts";
import { parseManifest } from "../../../src/manifest.ts";
import { MACHINE } from "../market/support.ts";
import { verificationBy } from "../../../src/verify/calibration.ts";
import { knowsTolerance, OCR_CALIBRATION } from "../../../src/verify/known.ts";

const OWNER = "0x1111111111111111111111111111111111111111";
const OFFER = { shape: MACHINE, rateWei: 100n, slots: 1, freeStakeWei: 1_000n };

function taskWith(change: { amountWei?: bigint; metered?: boolean; collateralWei?: bigint } = {}): Task {
  const { amountWei = 100n, metered = true, collateralWei = 0n } = change;
  return {
    id: `0x${"22".repeat(32)}`,
    terms: {
      owner: OWNER,
      provider: OWNER,
      price: { amountWei, metered },
      conditions: { startBySeconds: 10, completeBySeconds: 100, durationSeconds: 50, keyEpoch: 1 },
      collateralWei,
      salt: `0x${"33".repeat(32)}`,
    },
    work: { resources: NO_RESOURCES, payloadHash: `0x${"44".repeat(32)}`, payload: "ar://x" },
  };
}

describe("parsePolicy", () => {
  it("takes the defaults for what is left out", () => {
    expect(parsePolicy('{"schema":"neura/provider-policy/1"}')).to.deep.equal(DEFAULT_POLICY);
  });

  it("reads every field", () => {
    const policy: Policy = {
      owners: { allow: [OWNER], deny: [] },
      arbiters: [OWNER],
      applications: { allow: undefined, deny: ["ocr"] },
      maxPayloadMiB: 5,
      minRateWei: 10n ** 20n,
      coverGas: false,
      maxGasWei: 7n,
      slots: 3,
      marginSeconds: 4,
      payloadWaitSeconds: 9,
      decline: false,
      confirmations: [
        { fromWei: 0n, blocks: 1 },
        { fromWei: 1_000n, blocks: 12 },
      ],
      accept: { afterSeconds: 2, always: true, fromWei: 5n, withCollateral: false },
      failAfter: 2,
      minFreeDiskMiB: 8,
      keepSeconds: 60,
      machine: { region: "eu-west", bandwidthMbps: 1000 },
      accessUrl: "https://leases.example.org",
      quotes: { listen: { host: "127.0.0.1", port: 99 }, url: undefined, validSeconds: 30, usd: undefined },
      open: false,
      backup: false,
      appeal: false,
      calibrations: ["/srv/calibrations"],
      leases: {
        listen: { host: "::1", port: 0 },
        tls: { key: "/etc/neura/key.pem", cert: "/etc/neura/cert.pem" },
        maxGasBps: 500,
        draw: { afterWei: 10n ** 18n, afterSeconds: 600 },
      },
      jury: { maxUnits: 3, maxSeconds: 600, finishSeconds: 60 },
    };
    const file = {
      schema: "neura/provider-policy/1",
      ...policy,
      quotes: { listen: "127.0.0.1:99", validSeconds: 30 },
      leases: { ...policy.leases, listen: "[::1]:0" },
      jury: { serve: true, ...policy.jury },
    };
    const text = JSON.stringify(file, (_, value: unknown) =>
      typeof value === "bigint" ? value.toString() : value,
    );
    expect(parsePolicy(text)).to.deep.equal(policy);
    expect([0n, 999n, 1_000n, 10n ** 9n].map((costWei) => confirmationsFor(policy, costWei))).to.deep.equal([
      1, 1, 12, 12,
    ]);
  });

  it("serves as juror only where that is said", () => {
    const jury = (field: unknown) =>
      parsePolicy(JSON.stringify({ schema: "neura/provider-policy/1", jury: field })).jury;
    expect(jury({ maxUnits: 3 })).to.equal(undefined);
    expect(jury({ serve: false })).to.equal(undefined);
    expect(jury({ serve: true })).to.deep.equal({
      ...{ maxUnits: undefined, maxSeconds: undefined, finishSeconds: 300 },
    });
    expect(() => jury({ serve: true, maxUnits: 0, swift: true })).to.throw("jury.maxUnits");
  });

  it("names all faults at once", () => {
    const text = JSON.stringify({
      schema: "neura/provider-policy/2",
      owners: { allow: ["0x12", 5], whom: [] },
      maxPayloadMiB: 0,
      minRateWei: 1.5,
      slots: "many",
      confirmations: [{ blocks: -1 }],
      accept: { always: "yes" },
      open: "no",
      leases: { listen: "here", tls: { key: "key.pem" }, maxGasBps: 0, draw: { afterSeconds: 0 } },
      calibrations: ["here"],
      surprise: true,
    });
    expect(() => parsePolicy(text, "policy.json"))
      .to.throw()
      .with.property("message")
      .that.matches(/^policy\.json has 17 faults: /)
      .and.includes("schema is not neura/provider-policy/1")
      .and.includes('owners.allow has "0x12"')
      .and.includes("owners.allow has 5")
      .and.includes("owners.whom is unknown")
      .and.includes("maxPayloadMiB is no whole number from 1")
      .and.includes("minRateWei is no amount in wei as text")
      .and.includes("slots is no whole number")
      .and.includes("confirmations[0].blocks is no whole number")
      .and.includes("accept.always is neither true nor false")
      .and.includes("open is neither true nor false")
      .and.includes("leases.listen is no address such as 127.0.0.1:4281")
      .and.includes("leases.tls.key is no absolute path")
      .and.includes("leases.tls.cert is no absolute path")
      .and.includes("leases.maxGasBps is no whole number from 1 to 10000")
      .and.includes("leases.draw.afterSeconds is no whole number from 1")
      .and.includes("surprise is unknown");
    expect(() => parsePolicy("{"))
      .to.throw()
      .with.property("code", "provider.bad-policy");
    expect(() => parsePolicy("[]"))
      .to.throw()
      .with.property("code", "provider.bad-policy");
  });
});

describe("judgeTerms", () => {
  const judge = (task: Task, change: Partial<Policy> = {}, gasPriceWei: bigint | undefined = 0n) => {
    const policy = { ...DEFAULT_POLICY, ...change };
    return judgeTerms(task, { policy, offer: OFFER, feeBps: 250, gasPriceWei })?.reason;
  };

  it("takes what pays the registered rate, by the second or for the whole", () => {
    expect(judge(taskWith())).to.be.undefined;
    expect(judge(taskWith({ amountWei: 99n }))).to.equal("PriceTooLow");
    expect(judge(taskWith({ amountWei: 5_000n, metered: false }))).to.be.undefined;
    expect(judge(taskWith({ amountWei: 4_999n, metered: false }))).to.equal("PriceTooLow");
    expect(judge(taskWith({ amountWei: 99n }), { minRateWei: 99n })).to.be.undefined;
  });

  it("takes nothing that earns no more, after fee and royalty, than its gas", () => {
    fc.assert(
      fc.property(
        fc.bigInt(100n, 10n ** 12n),
        fc.integer({ min: 0, max: 8_000 }),
        fc.bigInt(1n, 10n ** 6n),
        (amountWei, royaltyBps, gasPriceWei) => {
          const plain = taskWith({ amountWei });
          const conditions = { ...plain.terms.conditions, model: 1, royaltyBps };
          const task = { ...plain, terms: { ...plain.terms, conditions } };
          const earnedWei = (50n * amountWei * BigInt(10_000 - 250 - royaltyBps)) / 10_000n;
          const pays = earnedWei > gasOfTask(task) * gasPriceWei;
          expect(judge(task, {}, gasPriceWei)).to.equal(pays ? undefined : "PriceTooLow");
          expect(judge(task, { coverGas: false }, gasPriceWei)).to.be.undefined;
          expect(judge(task, {}, undefined)).to.be.undefined;
        },
      ),
    );
  });

  it("counts what is sent for a task: more for one that can be challenged, most for a lease that beats often", () => {
    const gasWith = (change: Partial<Task["terms"]["conditions"]>, heartbeatSeconds?: number): bigint => {
      const { terms } = taskWith();
      const price = heartbeatSeconds === undefined ? terms.price : { ...terms.price, heartbeatSeconds };
      return gasOfTask({ terms: { ...terms, price, conditions: { ...terms.conditions, ...change } } });
    };
    const lease = { kind: Kind.Lease, durationSeconds: 3600 };
    const costs = [
      gasWith({}),
      gasWith({ challengePeriodSeconds: 60 }),
      gasWith(lease, 1200),
      gasWith(lease, 60),
      gasWith(lease, 10),
    ];
    expect(costs).to.deep.equal(costs.toSorted((one, other) => (one < other ? -1 : 1)));
    // 3,600 s in steps of 8 s.
    expect(gasWith(lease, 10) - gasWith(lease, 1200)).to.equal((450n - 4n) * 36_000n);
  });

  it("keeps leases up only where it is to, for an owner with a key, and where gas is a small part of them", () => {
    const plain = taskWith({ amountWei: 1_000n });
    const lease = (change: Partial<Task["terms"]["conditions"]> = {}): Task => {
      const conditions = { ...plain.terms.conditions, kind: Kind.Lease, durationSeconds: 1_000, ...change };
      const price = { ...plain.terms.price, heartbeatSeconds: 1_000 };
      return { ...plain, terms: { ...plain.terms, conditions, price } };
    };
    const leases = {
      listen: { host: "127.0.0.1", port: 0 },
      tls: undefined,
      maxGasBps: 1_000,
      draw: { afterWei: undefined, afterSeconds: 60 },
    };
    expect(judge(lease())).to.equal("RequirementsUnmet");
    expect(judge(lease(), { leases })).to.be.undefined;
    expect(judge(lease({ keyEpoch: 0 }), { leases })).to.equal("RequirementsUnmet");
    // Of 975,000 wei, a tenth; the gas is 322,000.
    expect(judge(lease(), { leases }, 1n)).to.equal("PriceTooLow");
    expect(judge(lease(), { leases: { ...leases, maxGasBps: 4_000 } }, 1n)).to.be.undefined;
  });

  it("judges an open task by the price at which it can be had", () => {
    const open = taskWith({ amountWei: 10n });
    const at = (priceWei: bigint) =>
      judgeTerms(open, { policy: DEFAULT_POLICY, offer: OFFER, feeBps: 250, gasPriceWei: 0n, priceWei })
        ?.reason;
    expect(at(99n)).to.equal("PriceTooLow");
    expect(at(100n)).to.be.undefined;
  });

  it("serves the owners that it is told to", () => {
    expect(judge(taskWith(), { owners: { allow: [OWNER], deny: [] } })).to.be.undefined;
    expect(judge(taskWith(), { owners: { allow: [], deny: [] } })).to.equal("PolicyRefused");
    expect(judge(taskWith(), { owners: { allow: undefined, deny: [OWNER] } })).to.equal("PolicyRefused");
  });

  it("A22_ takes no task that is judged by whom it does not trust", () => {
    const plain = taskWith();
    const judged = { ...plain, terms: { ...plain.terms, arbiter: OWNER } };
    expect(judge(judged)).to.equal("PolicyRefused");
    expect(judge(judged, { arbiters: [OWNER] })).to.be.undefined;
    expect(judge(judged, { arbiters: "any" })).to.be.undefined;
    const text = (arbiters: unknown) => JSON.stringify({ schema: "neura/provider-policy/1", arbiters });
    expect(parsePolicy(text([OWNER.toLowerCase()])).arbiters).to.deep.equal([OWNER]);
    expect(parsePolicy(text(["any"])).arbiters).to.equal("any");
    expect(() => parsePolicy(text(["0x12"]))).to.throw('"0x12"');
  });

  it("puts at stake no more than is free", () => {
    expect(judge(taskWith({ collateralWei: 1_000n }))).to.be.undefined;
    expect(judge(taskWith({ collateralWei: 1_001n }))).to.equal("RequirementsUnmet");
  });
});

describe("judgeManifest", () => {
  const judge = (change: Record<string, unknown>, policy: Partial<Policy> = {}, isLease = false) => {
    const manifest = parseManifest({
      schema: "neura/manifest/1",
      application: "ocr",
      inputs: [],
      parameters: {},
      limits: { seconds: 1, ramMiB: 100, outputMiB: 1 },
      ...change,
    });
    const machine = { cpuArchitecture: process.arch };
    const context = {
      policy: { ...DEFAULT_POLICY, ...policy },
      offer: OFFER,
      applications: ["ocr"],
      machine,
    };
    return judgeManifest(manifest, { ...context, isLease })?.reason;
  };

  it("takes applications that are there and allowed, within the machine", () => {
    expect(judge({})).to.be.undefined;
    expect(judge({ application: "video" })).to.equal("RequirementsUnmet");
    expect(judge({}, { applications: { allow: undefined, deny: ["ocr"] } })).to.equal("PolicyRefused");
    expect(judge({ limits: { seconds: 1, ramMiB: MACHINE.ramMiB + 1, outputMiB: 1 } })).to.equal(
      "RequirementsUnmet",
    );
    expect(judge({ needs: { cpuArchitecture: process.arch } })).to.be.undefined;
    expect(judge({ needs: { cpuArchitecture: "pdp11" } })).to.equal("RequirementsUnmet");
  });

  it("refuses tolerances that it does not know", () => {
    const known = verificationBy(OCR_CALIBRATION);
    const own = { ...OCR_CALIBRATION, tolerance: 0.5 };
    expect(judge({ verification: known })).to.be.undefined;
    expect(judge({ verification: { method: "exact/1" } })).to.be.undefined;
    expect(judge({ verification: verificationBy(own) })).to.equal("RequirementsUnmet");
    // Known, but measured by another method, or with other parameters.
    expect(judge({ verification: { ...known, method: "embedding/1", parameters: {} } })).to.equal(
      "RequirementsUnmet",
    );
    expect(judge({ verification: { ...known, parameters: {} } })).to.equal("RequirementsUnmet");
    expect(knowsTolerance([OCR_CALIBRATION, own], verificationBy(own))).to.be.true;
  });

  it("keeps up what is a lease, and nothing else", () => {
    const service = { maxRequestMiB: 1, timeoutSeconds: 1, concurrency: 1 };
    expect(judge({ service }, {}, true)).to.be.undefined;
    expect(judge({ service })).to.equal("PayloadUnreadable");
    expect(judge({}, {}, true)).to.equal("PayloadUnreadable");
  });
});

describe("gpuClassIn", () => {
  it("knows the class behind a driver's name", () => {
    const names = {
      "NVIDIA H200": "H200",
      "NVIDIA H100 80GB HBM3": "H100",
      "NVIDIA GeForce RTX 4090": "RTX-4090",
      "NVIDIA RTX 6000 Ada Generation": "RTX-6000-Ada",
      "Tesla T4": "T4",
      "NVIDIA L40S": "L40S",
      "NVIDIA A100-SXM4-80GB": "A100",
      "Quadro 600": "any",
    };
    for (const [name, expected] of Object.entries(names)) {
      expect(gpuClassName(gpuClassIn(name)), name).to.equal(expected);
    }
  });
});
