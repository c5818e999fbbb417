import { expect } from "chai";

import { NO_RESOURCES } from "../../../src/market/resources.ts";
import type { Task } from "../../../src/market/terms.ts";
import {
  confirmationsFor,
  DEFAULT_POLICY,
  judgeManifest,
  judgeTerms,
  parsePolicy,
  type Policy,
} from "../../../src/provider/policy.ts";
import { gpuClassIn } from "../../../src/provider/hardware.ts";
import { gpuClassName } from "../../../src/market/resources.ts";
import { parseManifest } from "../../../src/manifest.ts";
import { MACHINE } from "../market/support.ts";

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
    };
    const text = JSON.stringify({ schema: "neura/provider-policy/1", ...policy }, (_, value: unknown) =>
      typeof value === "bigint" ? value.toString() : value,
    );
    expect(parsePolicy(text)).to.deep.equal(policy);
    expect([0n, 999n, 1_000n, 10n ** 9n].map((costWei) => confirmationsFor(policy, costWei))).to.deep.equal([
      1, 1, 12, 12,
    ]);
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
      surprise: true,
    });
    expect(() => parsePolicy(text, "policy.json"))
      .to.throw()
      .with.property("message")
      .that.matches(/^policy\.json has 10 faults: /)
      .and.includes("schema is not neura/provider-policy/1")
      .and.includes('owners.allow has "0x12"')
      .and.includes("owners.allow has 5")
      .and.includes("owners.whom is unknown")
      .and.includes("maxPayloadMiB is no whole number from 1")
      .and.includes("minRateWei is no amount in wei as text")
      .and.includes("slots is no whole number")
      .and.includes("confirmations[0].blocks is no whole number")
      .and.includes("accept.always is neither true nor false")
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
  const judge = (task: Task, change: Partial<Policy> = {}, gasWei: bigint | undefined = 0n) =>
    judgeTerms(task, { policy: { ...DEFAULT_POLICY, ...change }, offer: OFFER, feeBps: 250, gasWei })?.reason;

  it("takes what pays the registered rate, by the second or for the whole", () => {
    expect(judge(taskWith())).to.be.undefined;
    expect(judge(taskWith({ amountWei: 99n }))).to.equal("PriceTooLow");
    expect(judge(taskWith({ amountWei: 5_000n, metered: false }))).to.be.undefined;
    expect(judge(taskWith({ amountWei: 4_999n, metered: false }))).to.equal("PriceTooLow");
    expect(judge(taskWith({ amountWei: 99n }), { minRateWei: 99n })).to.be.undefined;
  });

  it("takes nothing that earns less, after the fee, than its gas", () => {
    // 50 s at 100 wei, less 2.5 %: 4,875 wei.
    expect(judge(taskWith(), {}, 4_874n)).to.be.undefined;
    expect(judge(taskWith(), {}, 4_875n)).to.equal("PriceTooLow");
    expect(judge(taskWith(), { coverGas: false }, 4_875n)).to.be.undefined;
    expect(judge(taskWith(), {}, undefined)).to.be.undefined;
  });

  it("serves the owners that it is told to", () => {
    expect(judge(taskWith(), { owners: { allow: [OWNER], deny: [] } })).to.be.undefined;
    expect(judge(taskWith(), { owners: { allow: [], deny: [] } })).to.equal("PolicyRefused");
    expect(judge(taskWith(), { owners: { allow: undefined, deny: [OWNER] } })).to.equal("PolicyRefused");
  });

  it("puts at stake no more than is free", () => {
    expect(judge(taskWith({ collateralWei: 1_000n }))).to.be.undefined;
    expect(judge(taskWith({ collateralWei: 1_001n }))).to.equal("RequirementsUnmet");
  });
});

describe("judgeManifest", () => {
  const judge = (change: Record<string, unknown>, policy: Partial<Policy> = {}) => {
    const manifest = parseManifest({
      schema: "neura/manifest/1",
      application: "ocr",
      inputs: [],
      parameters: {},
      limits: { seconds: 1, ramMiB: 100, outputMiB: 1 },
      ...change,
    });
    const context = { policy: { ...DEFAULT_POLICY, ...policy }, offer: OFFER, applications: ["ocr"] };
    return judgeManifest(manifest, context)?.reason;
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
