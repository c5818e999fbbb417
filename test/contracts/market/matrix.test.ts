import { expect } from "chai";

import { COLLATERAL_WEI, COST_WEI, DECLINE_WINDOW, deployMarket, FEE_BPS, PRICE_WEI } from "./fixture.ts";
import type { Fixture, Task } from "./fixture.ts";

// The whole (status x action x role x time) matrix of a job. What should happen comes from `expectation`, written from
// the table of the design and not from the contract; every allowed cell asserts all balances, every other one its error
// and that nothing changed.

const STATUSES = [
  "None",
  "Funded",
  "Active",
  "Settled",
  "Cancelled",
  "Expired",
  "Declined",
  "Failed",
  "Abandoned",
] as const;
const ACTIONS = ["submit", "cancel", "expire", "accept", "deliver", "decline", "abandon", "fail"] as const;
const ROLES = ["owner", "delegate", "provider", "operator", "stranger"] as const;
type StatusName = (typeof STATUSES)[number];
type Action = (typeof ACTIONS)[number];
type Role = (typeof ROLES)[number];

const STATUS_NUMBER: Record<StatusName, bigint> = {
  None: 0n,
  Funded: 1n,
  Active: 2n,
  Settled: 5n,
  Cancelled: 6n,
  Expired: 7n,
  Declined: 8n,
  Failed: 9n,
  Abandoned: 10n,
};
const OUTCOME = {
  Completed: 1,
  PolicyRefused: 9,
  OwnerCancelled: 15,
  NotAccepted: 16,
  ProviderLate: 17,
  ProviderAbandoned: 18,
};
const USED_SECONDS = 5n;

/** Moments at which a cell is tried, named by the deadline they stand at. */
type Moment = "early" | "startBy" | "startBy+1" | "window" | "window+1" | "completeBy" | "completeBy+1";
const MOMENTS: Moment[] = [
  "early",
  "startBy",
  "startBy+1",
  "window",
  "window+1",
  "completeBy",
  "completeBy+1",
];

type Expected = { to: StatusName; outcome: number } | { error: string };

function expectation(status: StatusName, action: Action, role: Role, moment: Moment): Expected {
  const at = MOMENTS.indexOf(moment);
  const until = (deadline: Moment): boolean => at <= MOMENTS.indexOf(deadline);
  const asProvider = role === "provider" || role === "operator";
  const asOwner = role === "owner" || role === "delegate";
  const wrong = { error: "TaskMarket_WrongStatus" };
  switch (action) {
    case "submit":
      if (!asOwner) return { error: "Escrow_NotDelegate" };
      if (!until("startBy")) return { error: "Tasks_InvalidSchedule" };
      return status === "None" ? { to: "Funded", outcome: 0 } : { error: "TaskMarket_TaskExists" };
    case "cancel":
      if (!asOwner) return { error: "TaskMarket_NotOwner" };
      if (status !== "Funded") return wrong;
      return until("startBy")
        ? { to: "Cancelled", outcome: OUTCOME.OwnerCancelled }
        : { error: "TaskMarket_TooLate" };
    case "expire":
      if (status !== "Funded") return wrong;
      return until("startBy")
        ? { error: "TaskMarket_TooEarly" }
        : { to: "Expired", outcome: OUTCOME.NotAccepted };
    case "accept":
      if (!asProvider) return { error: "TaskMarket_NotProvider" };
      if (status !== "Funded") return wrong;
      return until("startBy") ? { to: "Active", outcome: 0 } : { error: "TaskMarket_TooLate" };
    case "deliver":
      if (!asProvider) return { error: "TaskMarket_NotProvider" };
      if (status !== "Funded" && status !== "Active") return wrong;
      return until(status === "Active" ? "completeBy" : "startBy")
        ? { to: "Settled", outcome: OUTCOME.Completed }
        : { error: "TaskMarket_TooLate" };
    case "decline":
      if (!asProvider) return { error: "TaskMarket_NotProvider" };
      if (status !== "Funded" && status !== "Active") return wrong;
      return until(status === "Active" ? "window" : "startBy")
        ? { to: "Declined", outcome: OUTCOME.PolicyRefused }
        : { error: "TaskMarket_TooLate" };
    case "abandon":
      if (!asProvider) return { error: "TaskMarket_NotProvider" };
      if (status !== "Active") return wrong;
      if (until("window")) return { error: "TaskMarket_TooEarly" };
      return until("completeBy")
        ? { to: "Abandoned", outcome: OUTCOME.ProviderAbandoned }
        : { error: "TaskMarket_TooLate" };
    case "fail":
      if (status !== "Active") return wrong;
      return until("completeBy")
        ? { error: "TaskMarket_TooEarly" }
        : { to: "Failed", outcome: OUTCOME.ProviderLate };
  }
}

for (const collateral of [0n, COLLATERAL_WEI]) {
  describe(`TaskMarket matrix, collateral ${String(collateral)} wei (A13, A14, A18, I-1, I-2, I-3)`, function () {
    this.timeout(300_000);
    let fixture: Fixture;
    let task: Task;

    const rpc = async <T>(method: string, params: unknown[] = []): Promise<T> =>
      (await fixture.connection.provider.request({ method, params })) as T;

    async function momentSeconds(moment: Moment): Promise<bigint> {
      const { since } = await fixture.market.taskOf(task.id);
      const window = since + DECLINE_WINDOW;
      const seconds: Record<Moment, bigint> = {
        early: 0n,
        startBy: task.startBy,
        "startBy+1": task.startBy + 1n,
        window,
        "window+1": window + 1n,
        completeBy: task.completeBy,
        "completeBy+1": task.completeBy + 1n,
      };
      return seconds[moment];
    }

    /** Sends the action at the moment, unless that would be in the past of this status. */
    async function act(action: Action, role: Role, moment: Moment) {
      const { market, parties, deliveryOf } = fixture;
      const as = market.connect(parties[role]);
      const at = await momentSeconds(moment);
      const head = BigInt(await fixture.networkHelpers.time.latest());
      // "early" leaves just the seconds that a delivery charges.
      await fixture.networkHelpers.time.setNextBlockTimestamp(moment === "early" ? head + USED_SECONDS : at);
      switch (action) {
        case "submit":
          return as.submit(task.terms, task.work, { value: role === "owner" ? COST_WEI : 0n });
        case "deliver":
          return as.deliver(task.terms, task.workHash, deliveryOf(OUTCOME.Completed, USED_SECONDS));
        case "decline":
          return as.decline(task.terms, task.workHash, OUTCOME.PolicyRefused);
        case "cancel":
        case "expire":
        case "accept":
        case "abandon":
        case "fail":
          return as[action](task.terms, task.workHash);
      }
    }

    async function money() {
      const { market, registry, ethers, parties } = fixture;
      const ledger: Record<string, bigint> = {};
      for (const [name, party] of Object.entries(parties))
        ledger[name] = await market.balanceOf(party.address);
      const { stake, locked } = await registry.providerOf(parties.provider.address);
      return {
        ledger,
        feesDue: await market.feesDue(parties.provider.address),
        market: await ethers.provider.getBalance(await market.getAddress()),
        registry: await ethers.provider.getBalance(await registry.getAddress()),
        stake,
        locked,
      };
    }
    type Money = Awaited<ReturnType<typeof money>>;

    /** What the money must be after a move, from what it was before. */
    function moneyAfter(before: Money, from: StatusName, to: StatusName, role: Role): Money {
      const after: Money = { ...before, ledger: { ...before.ledger } };
      const credit = (name: string, amount: bigint) =>
        (after.ledger[name] = (after.ledger[name] ?? 0n) + amount);
      const unlock = () => {
        if (from === "Active") after.locked -= collateral;
      };
      const slash = (amount: bigint) => {
        after.stake -= amount;
        after.registry -= amount;
        after.market += amount;
      };
      switch (to) {
        case "Funded":
          if (role === "owner") after.market += COST_WEI;
          else credit("owner", -COST_WEI);
          break;
        case "Active":
          after.locked += collateral;
          break;
        case "Settled": {
          const paid = PRICE_WEI * USED_SECONDS;
          const fee = (paid * FEE_BPS) / 10_000n;
          credit("provider", paid - fee);
          after.feesDue += fee;
          credit("owner", COST_WEI - paid);
          unlock();
          break;
        }
        case "Cancelled":
        case "Expired":
        case "Declined":
          credit("owner", COST_WEI);
          unlock();
          break;
        case "Abandoned": {
          const slashed = (collateral * 2_500n + 9_999n) / 10_000n;
          credit("owner", COST_WEI + slashed);
          unlock();
          slash(slashed);
          break;
        }
        case "Failed": {
          const bounty = (collateral * 500n) / 10_000n;
          credit("owner", COST_WEI + collateral - bounty);
          credit(role, bounty);
          unlock();
          slash(collateral);
          break;
        }
        case "None":
          break;
      }
      return after;
    }

    before(async () => {
      fixture = await deployMarket();
      const { market, parties } = fixture;
      await market.connect(parties.owner).deposit(5n * COST_WEI, { value: 5n * COST_WEI });
      await market.connect(parties.owner).setDelegate(parties.delegate.address, {
        limitWei: 3n * COST_WEI,
        provider: parties.provider.address,
        expiresAt: 2n ** 40n - 1n,
        model: 0n,
      });
      task = await fixture.makeTask({ collateral });
      base = await rpc<string>("evm_snapshot");
    });

    let base = "";
    const PATHS: Record<StatusName, [Action, Role, Moment][]> = {
      None: [],
      Funded: [["submit", "owner", "early"]],
      Active: [
        ["submit", "owner", "early"],
        ["accept", "provider", "early"],
      ],
      Settled: [
        ["submit", "owner", "early"],
        ["accept", "provider", "early"],
        ["deliver", "provider", "window"],
      ],
      Cancelled: [
        ["submit", "owner", "early"],
        ["cancel", "owner", "early"],
      ],
      Expired: [
        ["submit", "owner", "early"],
        ["expire", "stranger", "startBy+1"],
      ],
      Declined: [
        ["submit", "owner", "early"],
        ["accept", "provider", "early"],
        ["decline", "provider", "early"],
      ],
      Failed: [
        ["submit", "owner", "early"],
        ["accept", "provider", "early"],
        ["fail", "stranger", "completeBy+1"],
      ],
      Abandoned: [
        ["submit", "owner", "early"],
        ["accept", "provider", "early"],
        ["abandon", "provider", "window+1"],
      ],
    };

    for (const status of STATUSES) {
      describe(`from ${status}`, () => {
        let snapshot = "";
        before(async () => {
          await rpc("evm_revert", [base]);
          base = await rpc<string>("evm_snapshot");
          for (const [action, role, moment] of PATHS[status]) await (await act(action, role, moment)).wait();
          expect((await fixture.market.taskOf(task.id)).status).to.equal(STATUS_NUMBER[status]);
          snapshot = await rpc<string>("evm_snapshot");
        });

        for (const action of ACTIONS) {
          it(`${action}, by everybody at every moment`, async () => {
            let tried = 0;
            for (const role of ROLES) {
              for (const moment of MOMENTS) {
                // A moment counts where it lies ahead of the status; "early" always is the next block.
                if (await cell(status, action, role, moment)) tried++;
                await rpc("evm_revert", [snapshot]);
                snapshot = await rpc<string>("evm_snapshot");
              }
            }
            expect(tried).to.be.at.least(ROLES.length);
          });
        }
      });
    }

    async function cell(status: StatusName, action: Action, role: Role, moment: Moment): Promise<boolean> {
      const name = `${status} ${action} ${role} ${moment}`;
      const head = BigInt(await fixture.networkHelpers.time.latest());
      const at = await momentSeconds(moment);
      if (moment !== "early" && at <= head) return false;
      const effective = moment === "early" ? momentNow(head + USED_SECONDS) : moment;
      const expected = expectation(status, action, role, effective);
      const before = await money();
      const stateBefore = await fixture.market.taskOf(task.id);
      if ("error" in expected) {
        const error = await act(action, role, moment).then(
          () => "nothing",
          (reason: unknown) => (reason instanceof Error ? reason.message : String(reason)),
        );
        expect(error, name).to.contain(expected.error);
        expect(await money(), name).to.deep.equal(before);
        expect(await fixture.market.taskOf(task.id), name).to.deep.equal(stateBefore);
        return true;
      }
      await act(action, role, moment);
      const state = await fixture.market.taskOf(task.id);
      expect(state.status, name).to.equal(STATUS_NUMBER[expected.to]);
      expect(state.outcome, name).to.equal(BigInt(expected.outcome));
      const after = await money();
      expect(after, name).to.deep.equal(moneyAfter(before, status, expected.to, role));
      // I-1: what is in the contract covers the ledger, the fees due and the live escrow, to the wei (I-19: no dust).
      const ledger = Object.values(after.ledger).reduce((sum, value) => sum + value, 0n);
      const live = expected.to === "Funded" || expected.to === "Active" ? COST_WEI : 0n;
      expect(after.market, name).to.equal(ledger + after.feesDue + live);
      return true;
    }

    /** The moment that a block at `seconds` stands at, for a status that was entered earlier. */
    function momentNow(seconds: bigint): Moment {
      if (seconds > task.completeBy) return "completeBy+1";
      return seconds > task.startBy ? "startBy+1" : "early";
    }
  });
}
