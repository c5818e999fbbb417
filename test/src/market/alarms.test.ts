import { expect } from "chai";
import fc from "fast-check";

import {
  alarmsOf,
  DEFAULT_ALARM_SETTINGS,
  type Watched,
  type WatchedLease,
  type WatchedTask,
} from "../../../src/market/alarms.ts";
import { Outcome, Status } from "../../../src/market/outcome.ts";
import { NOW, TASK, watched } from "./alarms/support.ts";

const OWNED: WatchedTask = { id: TASK, role: "owner", status: "Funded", outcome: "None" };
const HOUR = 3600;

const leaseWith = (change: Partial<WatchedLease>): Partial<WatchedTask> => ({
  status: "Active",
  lease: {
    endsAtSeconds: NOW + 100 * HOUR,
    remainingWei: 100n * 3600n,
    rateWei: 1n,
    fundedWei: 400n * 3600n,
    ...change,
  },
});

/** The kinds of alarms of one task, from one state of it to the next. */
function kinds(before: Partial<WatchedTask>, after: Partial<WatchedTask>): string[] {
  const [one, other] = [before, after].map((change) => watched({ tasks: [{ ...OWNED, ...change }] }));
  return alarmsOf(one, other!).map(({ kind }) => kind);
}

describe("alarmsOf", () => {
  it("tells an owner of each turn of a task, and when a dispute has to be raised", () => {
    expect(kinds({}, {})).to.deep.equal([]);
    expect(kinds({}, { status: "Active" })).to.deep.equal(["accepted"]);
    const delivered = { status: "Delivered", outcome: "Completed" } as const;
    const far = { ...delivered, challengeEndsAtSeconds: NOW + HOUR + 1 };
    const near = { ...delivered, challengeEndsAtSeconds: NOW + HOUR };
    expect(kinds({ status: "Active" }, far)).to.deep.equal(["delivered"]);
    expect(kinds({ status: "Active" }, near)).to.deep.equal(["delivered", "challenge-closing"]);
    expect(kinds(near, near)).to.deep.equal([]);
    expect(kinds(near, { status: "Settled", outcome: "Completed" })).to.deep.equal([]);
    expect(kinds({}, { status: "Settled", outcome: "OwnerExitCode" })).to.deep.equal(["delivered"]);
    expect(kinds(near, { status: "Disputed", outcome: "Completed" })).to.deep.equal(["disputed"]);
    expect(kinds({ status: "Disputed" }, { status: "Resolved", outcome: "Completed" })).to.deep.equal([
      "resolved",
    ]);
    for (const status of ["Expired", "Declined", "Failed", "Abandoned"] as const)
      expect(kinds({ status: "Active" }, { status, outcome: "ProviderLate" })).to.deep.equal(["failed"]);
    expect(kinds({}, { status: "Cancelled", outcome: "OwnerCancelled" }), "its own doing").to.deep.equal([]);
  });

  it("says that a challenge period closes when its time has come, without any change of the task", () => {
    const task = {
      ...OWNED,
      status: "Delivered",
      outcome: "Completed",
      challengeEndsAtSeconds: NOW + 2 * HOUR,
    } as const;
    const [then, now] = [NOW, NOW + HOUR].map((atSeconds) => watched({ atSeconds, tasks: [task] }));
    const [alarm] = alarmsOf(then, now!);
    expect(alarm).to.deep.include({
      kind: "challenge-closing",
      task: TASK,
      atSeconds: NOW + HOUR,
      details: {
        role: "owner",
        status: "Delivered",
        outcome: "Completed",
        challengeEndsAtSeconds: NOW + 2 * HOUR,
      },
    });
    expect(alarm?.message).to.contain(new Date((NOW + 2 * HOUR) * 1000).toISOString().slice(0, 19));
    const over = watched({ atSeconds: NOW + 2 * HOUR + 1, tasks: [task] });
    expect(alarmsOf(then, over), "too late to act").to.deep.equal([]);
  });

  it("tells a provider of disputes and of what was its own fault", () => {
    const provider = { role: "provider", status: "Active" } as const;
    expect(kinds({ role: "provider" }, provider)).to.deep.equal([]);
    expect(kinds(provider, { ...provider, status: "Disputed" })).to.deep.equal(["disputed"]);
    const failed = { role: "provider", status: "Failed", outcome: "ProviderLate" } as const;
    expect(kinds(provider, failed)).to.deep.equal(["failed"]);
    const declined = { role: "provider", status: "Declined", outcome: "PayloadMissing" } as const;
    expect(kinds(provider, declined)).to.deep.equal([]);
  });

  it("N09_watches a lease: its end, its money, each time it goes down", () => {
    const up = leaseWith({});
    expect(kinds(up, leaseWith({ endsAtSeconds: NOW + HOUR }))).to.deep.equal(["lease-ending"]);
    const low = leaseWith({ remainingWei: 3_599n });
    expect(kinds(up, low)).to.deep.equal(["runway-low"]);
    expect(kinds(low, leaseWith({ remainingWei: 3_000n })), "the same shortage").to.deep.equal([]);
    const topped = leaseWith({ remainingWei: 3_500n, fundedWei: 500n * 3600n });
    expect(kinds(low, topped), "short again").to.deep.equal(["runway-low"]);
    const down = leaseWith({ downSinceSeconds: NOW - 60 });
    expect(kinds(up, down)).to.deep.equal(["lease-down"]);
    expect(kinds(down, down)).to.deep.equal([]);
    expect(kinds(down, leaseWith({ downSinceSeconds: NOW }))).to.deep.equal(["lease-down"]);
    const provider = { ...low, role: "provider" } as const;
    expect(kinds({ ...up, role: "provider" }, provider), "not the provider's money").to.deep.equal([]);
  });

  it("watches stake, gas and limits", () => {
    const change = (before: Partial<Watched>, after: Partial<Watched>) =>
      alarmsOf(watched(before), watched(after)).map(({ kind, details }) => ({ kind, ...details }));
    const stake = (lockedWei: bigint, slashedWei: bigint) => ({ stake: { lockedWei, slashedWei } });
    expect(change(stake(5n, 0n), stake(8n, 2n))).to.deep.equal([
      { kind: "stake-locked", addedWei: "3", lockedWei: "8" },
      { kind: "stake-slashed", addedWei: "2", slashedWei: "2" },
    ]);
    expect(change(stake(8n, 2n), stake(5n, 2n))).to.deep.equal([]);
    const gas = (balanceWei: bigint) => ({
      gas: { account: "0x2", balanceWei, coin: { symbol: "ANKR", decimals: 18 } },
    });
    const { gasLowWei } = DEFAULT_ALARM_SETTINGS;
    expect(change(gas(gasLowWei), gas(gasLowWei - 1n))).to.have.length(1);
    expect(change(gas(5n), gas(4n))).to.deep.equal([]);
    const spending = (hour: bigint, month: bigint) => ({
      spending: {
        hour: { usedWei: hour, limitWei: 100n },
        month: { usedWei: month, limitWei: 1_000n },
      },
    });
    expect(change(spending(89n, 899n), spending(90n, 900n)).map(({ kind }) => kind)).to.deep.equal([
      "limit-reached",
      "limit-reached",
    ]);
  });

  it("takes at the first look only what can still be acted on", () => {
    const tasks: WatchedTask[] = [
      { ...OWNED, status: "Settled", outcome: "Completed" },
      { ...OWNED, id: "0x01", status: "Failed", outcome: "ProviderLate" },
      { ...OWNED, id: "0x02", status: "Active" },
      { ...OWNED, id: "0x03", status: "Disputed", outcome: "Completed" },
      {
        ...OWNED,
        id: "0x04",
        status: "Delivered",
        outcome: "Completed",
        challengeEndsAtSeconds: NOW + 9 * HOUR,
      },
    ];
    const alarms = alarmsOf(undefined, watched({ tasks, stake: { lockedWei: 9n, slashedWei: 9n } }));
    expect(alarms.map(({ kind, task }) => `${kind} ${task}`)).to.deep.equal([
      "disputed 0x03",
      "delivered 0x04",
    ]);
    const fresh = alarmsOf(watched({}), watched({ tasks }));
    expect(fresh, "all of it is news where the list was empty").to.have.length(5);
  });

  it("brings to light what new settings make an alarm", () => {
    const gas = { account: "0x2", balanceWei: 3n, coin: { symbol: "ANKR", decimals: 18 } };
    const [lax, strict] = [2n, 4n].map((gasLowWei) => ({ ...DEFAULT_ALARM_SETTINGS, gasLowWei }));
    const at = watched({ gas });
    expect(alarmsOf(at, at, lax, lax)).to.deep.equal([]);
    expect(alarmsOf(at, at, strict, lax)).to.have.length(1);
    expect(alarmsOf(at, at, strict, strict)).to.deep.equal([]);
  });

  it("gives one occurrence one id, whenever and by whomever it is noticed", () => {
    const low = { ...OWNED, ...leaseWith({ remainingWei: 60n }) };
    const gas = { account: "0x2", balanceWei: 3n, coin: { symbol: "ANKR", decimals: 18 } };
    const ids = (change: Partial<Watched>) =>
      Object.fromEntries(
        alarmsOf(undefined, watched({ tasks: [low], gas, ...change })).map(({ kind, id }) => [kind, id]),
      );
    const first = ids({});
    expect(first).to.have.keys("runway-low", "gas-low");
    const later = ids({ atSeconds: NOW + 5, account: watched({}).account.toUpperCase().replace("X", "x") });
    expect(later["runway-low"]).to.equal(first["runway-low"]);
    expect(later["gas-low"], "it may have been filled up meanwhile").not.to.equal(first["gas-low"]);
    expect(ids({ chainId: 1 })["runway-low"]).not.to.equal(first["runway-low"]);
    expect(ids({ account: `0x${"cd".repeat(20)}` })["runway-low"]).not.to.equal(first["runway-low"]);
  });

  it("is silent without a change, gives no two alarms one id, and none that JSON cannot carry", () => {
    fc.assert(
      fc.property(anyWatched(), anyWatched(), (before, after) => {
        expect(alarmsOf(after, after)).to.deep.equal([]);
        const alarms = alarmsOf(before, after);
        expect(new Set(alarms.map(({ id }) => id)).size).to.equal(alarms.length);
        expect(JSON.parse(JSON.stringify(alarms))).to.deep.equal(alarms);
      }),
    );
  });
});

function anyWatched(): fc.Arbitrary<Watched> {
  const seconds = fc.integer({ min: NOW - 2 * HOUR, max: NOW + 2 * HOUR });
  const wei = fc.bigInt({ min: 0n, max: 10_000n });
  const lease = fc.record(
    { endsAtSeconds: seconds, remainingWei: wei, rateWei: wei, fundedWei: wei, downSinceSeconds: seconds },
    { requiredKeys: ["endsAtSeconds", "remainingWei", "rateWei", "fundedWei"] },
  );
  const task = fc.record(
    {
      id: fc.constantFrom("0x01", "0x02", "0x03"),
      role: fc.constantFrom("owner", "provider"),
      status: fc.constantFrom(...namesOf(Status)),
      outcome: fc.constantFrom(...namesOf(Outcome)),
      challengeEndsAtSeconds: seconds,
      lease,
    },
    { requiredKeys: ["id", "role", "status", "outcome"] },
  );
  const usage = fc.record({ usedWei: wei, limitWei: wei });
  return fc
    .record({
      atSeconds: seconds,
      tasks: fc.uniqueArray(task, { maxLength: 5, selector: ({ id, role }) => `${id} ${role}` }),
      stake: fc.record({ lockedWei: wei, slashedWei: wei }),
      gas: fc.record({
        account: fc.constant("0x2"),
        balanceWei: wei,
        coin: fc.constant({ symbol: "ANKR", decimals: 18 }),
      }),
      spending: fc.record({ hour: usage, month: usage }),
    })
    .map(watched);
}

function namesOf<N extends string>(members: Record<N, number>): N[] {
  return Object.keys(members) as N[];
}
