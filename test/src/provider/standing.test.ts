import { expect } from "chai";
import fc from "fast-check";
import { getAddress, ZeroAddress } from "ethers";

import { isTerminal, Outcome, Status } from "../../../src/market/outcome.ts";
import type { Task } from "../../../src/market/terms.ts";
import { standingOf } from "../../../src/provider/standing.ts";
import { MACHINE } from "../market/support.ts";

const OWN = getAddress(`0x${"11".repeat(20)}`);
const OTHER = getAddress(`0x${"22".repeat(20)}`);
const WINDOWS = { decline: 120, key: 90, takeOver: 150, concession: 240 };

function taskOf({
  provider,
  backup,
  isSealed,
}: {
  provider: string;
  backup?: string;
  isSealed?: boolean;
}): Task {
  return {
    id: `0x${"33".repeat(32)}`,
    terms: {
      owner: OTHER,
      provider,
      price: { amountWei: 1n, metered: true },
      conditions: {
        startBySeconds: 1_000,
        completeBySeconds: 1_300,
        durationSeconds: 100,
        keyEpoch: 1,
        ...(isSealed === true ? { isSealed } : {}),
      },
      collateralWei: 1n,
      salt: `0x${"44".repeat(32)}`,
    },
    work: {
      resources: MACHINE,
      payloadHash: `0x${"55".repeat(32)}`,
      payload: "ar://x",
      ...(backup ? { backup } : {}),
    },
  };
}

const TASKS = {
  named: taskOf({ provider: OWN, backup: OTHER }),
  open: taskOf({ provider: ZeroAddress }),
  sealed: taskOf({ provider: ZeroAddress, isSealed: true }),
  backup: taskOf({ provider: OTHER, backup: OWN }),
};

function at(
  task: Task,
  status: Status,
  { by, since = 900, now = 900 }: { by?: string; since?: number; now?: number } = {},
) {
  const assignment = by === undefined ? {} : { assignment: { provider: by, priceWei: 1n } };
  const state = { status, outcome: Outcome.None, sinceSeconds: since, feeBps: 0, ...assignment };
  return standingOf(task, state, { account: OWN, windows: WINDOWS, now });
}

describe("standingOf", () => {
  it("a named provider may begin until startBy, and has until completeBy", () => {
    expect(at(TASKS.named, Status.Funded)).to.deep.equal({
      role: "named",
      isTaken: false,
      isFree: true,
      isOver: false,
      acceptBySeconds: 1_000,
      completeBySeconds: 1_300,
    });
    expect(at(TASKS.named, Status.Active, { since: 950 })).to.include({
      isTaken: true,
      completeBySeconds: 1_300,
    });
    // What it gave up is its backup's.
    expect(at(TASKS.named, Status.Standby)).to.include({ isTaken: false, isOver: true });
    expect(at(TASKS.named, Status.Active, { by: OTHER })).to.include({ isTaken: false, isOver: true });
  });

  it("who takes an open task has as long from then on as a named one from startBy on", () => {
    expect(at(TASKS.open, Status.Funded)).to.include({
      role: "candidate",
      isFree: true,
      acceptBySeconds: 1_000,
    });
    expect(at(TASKS.open, Status.Active, { by: OWN, since: 700 })).to.include({
      isTaken: true,
      completeBySeconds: 1_000,
    });
    expect(at(TASKS.open, Status.Active, { by: OTHER })).to.include({ isOver: true });
    // The chain was asked in two questions, between which a block came.
    expect(at(TASKS.open, Status.Active)).to.include({ isTaken: false, isFree: false, isOver: false });
  });

  it("a sealed task that another has can come back until that one has its key", () => {
    expect(at(TASKS.sealed, Status.Assigned, { by: OTHER })).to.include({ isFree: false, isOver: false });
    expect(at(TASKS.sealed, Status.Active, { by: OTHER })).to.include({ isOver: true });
    expect(at(TASKS.sealed, Status.Assigned, { by: OWN })).to.include({ isTaken: true, isOver: false });
  });

  it("a backup's turn comes when the first provider is out of it, or was not in it by startBy", () => {
    expect(at(TASKS.backup, Status.Funded, { now: 1_000 })).to.include({ isFree: false, isOver: false });
    expect(at(TASKS.backup, Status.Funded, { now: 1_001 })).to.include({
      isFree: true,
      acceptBySeconds: 1_150,
    });
    expect(at(TASKS.backup, Status.Active, { now: 1_200 })).to.include({ isFree: false, isOver: false });
    expect(at(TASKS.backup, Status.Standby, { since: 500 })).to.include({
      isFree: true,
      acceptBySeconds: 650,
    });
    expect(at(TASKS.backup, Status.Active, { by: OWN, since: 600 })).to.include({
      isTaken: true,
      completeBySeconds: 900,
    });
    expect(at(TASKS.backup, Status.Delivered)).to.include({ isOver: true });
  });

  it("never has a task at once free and taken, nor taken and over before its end", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(TASKS)),
        fc.constantFrom(...Object.values(Status)),
        fc.constantFrom(undefined, OWN, OTHER),
        fc.integer({ min: 0, max: 3_000 }),
        fc.integer({ min: 0, max: 3_000 }),
        (task, status, by, since, now) => {
          const standing = at(task, status, { ...(by === undefined ? {} : { by }), since, now });
          expect(standing.isFree && standing.isTaken).to.be.false;
          if (isTerminal(status) || status === Status.None) expect(standing.isOver).to.be.true;
          else if (standing.isTaken) expect(standing.isOver).to.be.false;
          if (standing.isFree) expect(standing.isOver && standing.role === "backup").to.be.false;
          expect(standing.completeBySeconds).to.be.at.least(standing.isTaken ? 0 : standing.acceptBySeconds);
        },
      ),
    );
  });
});
