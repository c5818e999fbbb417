import { expect } from "chai";
import type { ContractTransactionResponse } from "ethers";
import fc from "fast-check";

import { DAY, DECLINE_WINDOW, deployMarket, METERED } from "./fixture.ts";
import type { Fixture } from "./fixture.ts";

// A random walk of several owners and providers through the market, next to a model of it in plain numbers. The model
// is written from the design: it says before each call whether the call is allowed, by the name of the error if not,
// and afterwards everybody's money, stake, record and tasks have to be the model's.

const NAMES = ["ann", "ben", "cat", "dan"] as const;
type Name = (typeof NAMES)[number];
/** Who has stake; the others work without. */
const STAKED: readonly Name[] = ["ann", "ben"];

const FUNDS_WEI = 1_000_000n;
const STARTING_STAKE_WEI = 20_000n;
const DELAY = 7n * DAY;

const Status = {
  Funded: 1n,
  Active: 3n,
  Settled: 7n,
  Cancelled: 8n,
  Expired: 9n,
  Declined: 10n,
  Failed: 11n,
  Abandoned: 12n,
} as const;

// ---- Steps ----

const who = fc.nat({ max: NAMES.length - 1 });
const KINDS = [
  "deposit",
  "withdraw",
  "submit",
  "submit",
  "submit",
  "cancel",
  "expire",
  "accept",
  "accept",
  "accept",
  "deliver",
  "deliver",
  "decline",
  "abandon",
  "fail",
  "fail",
  "payout",
  "collect",
  "delegate",
  "scheduleFee",
] as const;

/** One call: its numbers are brought into range when it is made. */
const step = fc.record({
  kind: fc.constantFrom(...KINDS),
  caller: who,
  other: who,
  provider: who,
  task: fc.nat(),
  /** Whether the task is one that the call is for, where there is any. */
  apt: fc.integer({ min: 0, max: 9 }).map((draw) => draw > 0),
  /** Whether the caller is one who may. */
  entitled: fc.integer({ min: 0, max: 9 }).map((draw) => draw > 0),
  amount: fc.bigInt(1n, 3_000n),
  duration: fc.bigInt(20n, 300n),
  metered: fc.boolean(),
  collateral: fc.oneof(fc.constant(0n), fc.bigInt(1n, 15_000n)),
  /** What is sent along, in tenths of the cost. */
  tenths: fc.oneof(fc.constant(10n), fc.bigInt(0n, 12n)),
  /** What is charged, in tenths of the time that can be. */
  used: fc.bigInt(0n, 11n),
  outcome: fc.integer({ min: 1, max: 5 }),
  /** Seconds to wait, or the last second of the task for the call, or the one after. */
  wait: fc.oneof(
    { weight: 3, arbitrary: fc.bigInt(1n, 30n) },
    { weight: 1, arbitrary: fc.constantFrom("last", "after") },
  ),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

// ---- Model ----

interface Person {
  wallet: bigint;
  ledger: bigint;
  fees: bigint;
  completed: bigint;
  seconds: bigint;
  stake: bigint;
  locked: bigint;
}

interface ModelTask {
  owner: Name;
  provider: Name;
  amount: bigint;
  metered: boolean;
  cost: bigint;
  duration: bigint;
  collateral: bigint;
  startBy: bigint;
  completeBy: bigint;
  status: bigint;
  since: bigint;
  feeBps: bigint;
  call: { terms: Parameters<Fixture["market"]["accept"]>[0]; workHash: string; id: string };
}

interface Model {
  people: Record<Name, Person>;
  treasury: bigint;
  fee: { bps: bigint; next: bigint; at: bigint };
  /** What an owner lets another spend, by "owner>delegate". */
  limits: Map<string, bigint>;
  tasks: ModelTask[];
}

const feeAt = ({ fee }: Model, at: bigint) => (at < fee.at ? fee.bps : fee.next);
const isLive = ({ status }: ModelTask) => status === Status.Funded || status === Status.Active;
const windowOf = ({ since, completeBy }: ModelTask) =>
  since + DECLINE_WINDOW < completeBy ? since + DECLINE_WINDOW : completeBy;

/** The task that a step is about. */
function taskOf({ tasks }: Model, { kind, task, apt }: Step): ModelTask | undefined {
  const wanted = tasks.filter(({ status }) => {
    if (kind === "cancel" || kind === "expire" || kind === "accept") return status === Status.Funded;
    if (kind === "abandon" || kind === "fail") return status === Status.Active;
    return status === Status.Funded || status === Status.Active;
  });
  const among = apt && wanted.length > 0 ? wanted : tasks;
  return among[task % among.length];
}

function collect(model: Model, name: Name) {
  model.treasury += model.people[name].fees;
  model.people[name].fees = 0n;
}

function close(model: Model, task: ModelTask, status: bigint, at: bigint) {
  if (task.status === Status.Active) model.people[task.provider].locked -= task.collateral;
  model.people[task.owner].ledger += task.cost;
  Object.assign(task, { status, since: at });
}

// ---- Walk ----

async function open(token: boolean) {
  const fixture = await deployMarket(token ? { token: "MockERC20" } : {});
  const { market, registry, erc20, ethers, networkHelpers, valueOf } = fixture;
  const signers = (await ethers.getSigners()).slice(10, 10 + NAMES.length);
  const people = new Map(NAMES.map((name, i) => [name, signers[i]!]));
  for (const [name, signer] of people) {
    if (erc20 === undefined) {
      await networkHelpers.setBalance(signer.address, FUNDS_WEI + STARTING_STAKE_WEI);
    } else {
      await erc20.mint(signer.address, FUNDS_WEI + STARTING_STAKE_WEI);
      for (const spender of [market, registry])
        await erc20.connect(signer).approve(await spender.getAddress(), 2n ** 256n - 1n);
    }
    if (!STAKED.includes(name)) continue;
    const asProvider = registry.connect(signer);
    await asProvider.register(signer.address, signer.address, {
      shape: 0n,
      rateWei: 1n,
      slots: 1n,
      metadata: "",
    });
    await asProvider.stake(STARTING_STAKE_WEI, { value: valueOf(STARTING_STAKE_WEI) });
  }
  const model: Model = {
    people: {} as Record<Name, Person>,
    treasury: 0n,
    fee: { bps: 250n, next: 250n, at: 0n },
    limits: new Map(),
    tasks: [],
  };
  for (const name of NAMES) {
    const stake = STAKED.includes(name) ? STARTING_STAKE_WEI : 0n;
    model.people[name] = {
      wallet: FUNDS_WEI + STARTING_STAKE_WEI - stake,
      ledger: 0n,
      fees: 0n,
      completed: 0n,
      seconds: 0n,
      stake,
      locked: 0n,
    };
  }
  return { fixture, model, signerOf: (name: Name) => people.get(name)! };
}
type Walk = Awaited<ReturnType<typeof open>>;

/** What a step comes to: the call, and the error that it has to end with or what it does to the model. */
interface Move {
  send: () => Promise<ContractTransactionResponse>;
  error?: string | undefined;
  apply: () => void;
}

async function plan({ fixture, model, signerOf }: Walk, it: Step, at: bigint): Promise<Move | undefined> {
  const { market, valueOf, deliveryOf, ethers, erc20 } = fixture;
  const caller = NAMES[it.caller]!;
  const other = NAMES[it.other]!;
  const me = model.people[caller];
  const as = (name: Name) => market.connect(signerOf(name));
  const task = taskOf(model, it);
  const by = (name: Name) => (it.entitled ? name : caller);

  switch (it.kind) {
    case "deposit":
      return {
        send: () => as(caller).depositFor(signerOf(other).address, it.amount, { value: valueOf(it.amount) }),
        apply: () => {
          me.wallet -= it.amount;
          model.people[other].ledger += it.amount;
        },
      };
    case "withdraw": {
      const amount = (it.amount * me.ledger) / 2_000n;
      return {
        send: () => as(caller).withdraw(amount),
        error:
          amount === 0n ? "Escrow_ZeroAmount" : amount > me.ledger ? "Escrow_InsufficientBalance" : undefined,
        apply: () => {
          collect(model, caller);
          me.ledger -= amount;
          me.wallet += amount;
        },
      };
    }
    case "payout": {
      const staked = STAKED.includes(caller);
      return {
        send: () => as(caller).payout(signerOf(caller).address),
        error: !staked ? "Escrow_ZeroAddress" : me.ledger === 0n ? "Escrow_ZeroAmount" : undefined,
        apply: () => {
          collect(model, caller);
          me.wallet += me.ledger;
          me.ledger = 0n;
        },
      };
    }
    case "collect":
      return {
        send: () => as(caller).collectFees([signerOf(other).address, signerOf(caller).address]),
        apply: () => [other, caller].forEach((name) => collect(model, name)),
      };
    case "delegate":
      return {
        send: () =>
          as(caller).setDelegate(signerOf(other).address, {
            limitWei: 100n * it.amount,
            provider: ethers.ZeroAddress,
            expiresAt: 2n ** 40n - 1n,
            model: 0n,
          }),
        apply: () => model.limits.set(`${caller}>${other}`, 100n * it.amount),
      };
    case "scheduleFee": {
      const bps = it.amount % 1_001n;
      return {
        send: () => market.connect(fixture.parties.admin).scheduleFee(bps),
        apply: () => (model.fee = { bps: feeAt(model, at), next: bps, at: at + DELAY }),
      };
    }
    case "submit": {
      const owner = it.entitled ? caller : other;
      const provider = NAMES[it.provider]!;
      const startBy = at + it.duration;
      const completeBy = startBy + 2n * it.duration;
      const amount = it.metered ? it.amount / 20n + 1n : it.amount;
      const made = await fixture.makeTask({
        owner: signerOf(owner).address,
        provider: signerOf(provider).address,
        price: it.metered ? amount | METERED : amount,
        duration: it.duration,
        collateral: it.collateral,
        salt: ethers.id(`task ${model.tasks.length}`),
        startBy,
        completeBy,
      });
      const cost = it.metered ? amount * it.duration : amount;
      const payer = model.people[owner];
      const asDelegate = caller !== owner;
      const value = asDelegate ? 0n : valueOf((cost * it.tenths) / 10n);
      const limit = model.limits.get(`${owner}>${caller}`);
      // A token's owner transfers what is missing, in coin it has to be sent along.
      const reach = payer.ledger + (asDelegate || erc20 === undefined ? value : payer.wallet);
      const error = asDelegate
        ? limit === undefined
          ? "Escrow_NotDelegate"
          : limit < cost
            ? "Escrow_DelegationLimit"
            : undefined
        : undefined;
      return {
        send: () => as(caller).submit(made.terms, made.work, { value }),
        error:
          error ??
          (reach >= cost
            ? undefined
            : erc20 === undefined || asDelegate
              ? "Escrow_InsufficientBalance"
              : "ERC20InsufficientBalance"),
        apply: () => {
          if (asDelegate) model.limits.set(`${owner}>${caller}`, limit! - cost);
          const brought =
            erc20 === undefined || asDelegate ? value : cost > payer.ledger ? cost - payer.ledger : 0n;
          payer.wallet -= brought;
          payer.ledger += brought - cost;
          model.tasks.push({
            owner,
            provider,
            amount,
            metered: it.metered,
            cost,
            duration: it.duration,
            collateral: it.collateral,
            startBy,
            completeBy,
            status: Status.Funded,
            since: at,
            feeBps: feeAt(model, at),
            call: { terms: made.terms, workHash: made.workHash, id: made.id },
          });
        },
      };
    }
    default:
      return task === undefined ? undefined : planForTask(it, task, by);
  }

  function planForTask(step: Step, task: ModelTask, by: (name: Name) => Name): Move {
    const { terms, workHash } = task.call;
    const provider = model.people[task.provider];
    const funded = task.status === Status.Funded;
    const active = task.status === Status.Active;
    const asProvider = by(task.provider);
    const foreign = asProvider === task.provider ? undefined : "TaskMarket_NotProvider";
    const wrong = "TaskMarket_WrongStatus";
    const late = (deadline: bigint) => (at > deadline ? "TaskMarket_TooLate" : undefined);
    const early = (deadline: bigint) => (at <= deadline ? "TaskMarket_TooEarly" : undefined);
    const slash = (amount: bigint, bounty: bigint) => {
      provider.stake -= amount;
      model.people[task.owner].ledger += amount - bounty;
      me.ledger += bounty;
    };
    switch (step.kind) {
      case "cancel": {
        const canceller = by(task.owner);
        const allowed = canceller === task.owner || model.limits.has(`${task.owner}>${canceller}`);
        return {
          send: () => as(canceller).cancel(terms, workHash),
          error: !allowed ? "TaskMarket_NotOwner" : !funded ? wrong : late(task.startBy),
          apply: () => close(model, task, Status.Cancelled, at),
        };
      }
      case "expire":
        return {
          send: () => as(caller).expire(terms, workHash),
          error: !funded ? wrong : early(task.startBy),
          apply: () => close(model, task, Status.Expired, at),
        };
      case "accept":
        return {
          send: () => as(asProvider).accept(terms, workHash),
          error:
            foreign ??
            (!funded ? wrong : late(task.startBy)) ??
            (task.collateral === 0n
              ? undefined
              : !STAKED.includes(task.provider)
                ? "ProviderRegistry_NotRegistered"
                : provider.stake - provider.locked < task.collateral
                  ? "ProviderRegistry_InsufficientFreeStake"
                  : undefined),
          apply: () => {
            provider.locked += task.collateral;
            Object.assign(task, { status: Status.Active, since: at });
          },
        };
      case "deliver": {
        const passed = at - task.since;
        const allowed = passed < task.duration ? passed : task.duration;
        const used = (allowed * step.used + 9n) / 10n;
        const paid = task.metered
          ? task.amount * used
          : step.outcome === 1
            ? task.amount
            : (task.amount * used) / task.duration;
        return {
          send: () => as(asProvider).deliver(terms, workHash, deliveryOf(step.outcome, used)),
          error:
            foreign ??
            (!isLive(task) ? wrong : late(active ? task.completeBy : task.startBy)) ??
            (used > allowed ? "TaskMarket_TooManySeconds" : undefined),
          apply: () => {
            const fee = (paid * task.feeBps) / 10_000n;
            close(model, task, Status.Settled, at);
            model.people[task.owner].ledger -= paid;
            provider.ledger += paid - fee;
            provider.fees += fee;
            provider.completed += 1n;
            provider.seconds += used;
          },
        };
      }
      case "decline":
        return {
          send: () => as(asProvider).decline(terms, workHash, 9),
          error: foreign ?? (!isLive(task) ? wrong : late(active ? windowOf(task) : task.startBy)),
          apply: () => close(model, task, Status.Declined, at),
        };
      case "abandon":
        return {
          send: () => as(asProvider).abandon(terms, workHash),
          error: foreign ?? (!active ? wrong : (early(windowOf(task)) ?? late(task.completeBy))),
          apply: () => {
            close(model, task, Status.Abandoned, at);
            slash((task.collateral * 2_500n + 9_999n) / 10_000n, 0n);
          },
        };
      case "fail":
        return {
          send: () => as(caller).fail(terms, workHash),
          error: !active ? wrong : early(task.completeBy),
          apply: () => {
            close(model, task, Status.Failed, at);
            slash(task.collateral, (task.collateral * 500n) / 10_000n);
          },
        };
      default:
        throw new Error(`${step.kind} is not for a task`);
    }
  }
}

/** When the step is made: after its wait, or at the task's deadline for it if that is still ahead. */
function timeOf({ model }: Walk, it: Step, head: bigint): bigint {
  if (typeof it.wait === "bigint") return head + it.wait;
  const task = taskOf(model, it);
  if (task === undefined || !isLive(task)) return head + 1n;
  let deadline = task.status === Status.Funded ? task.startBy : task.completeBy;
  if (it.kind === "abandon" || (it.kind === "decline" && task.status === Status.Active))
    deadline = windowOf(task);
  const at = it.wait === "last" ? deadline : deadline + 1n;
  return at > head ? at : head + 1n;
}

async function expectModel({ fixture, model, signerOf }: Walk, what: string) {
  const { market, registry, erc20, ethers, parties } = fixture;
  const wallet = (address: string) =>
    erc20 === undefined ? ethers.provider.getBalance(address) : erc20.balanceOf(address);
  const actual: Record<string, unknown> = {};
  const expected: Record<string, unknown> = {};
  for (const name of NAMES) {
    const { address } = signerOf(name);
    const [completed, seconds] = await market.recordOf(address);
    const staked = STAKED.includes(name) ? await registry.providerOf(address) : { stake: 0n, locked: 0n };
    actual[name] = {
      wallet: await wallet(address),
      ledger: await market.balanceOf(address),
      fees: await market.feesDue(address),
      completed,
      seconds,
      stake: staked.stake,
      locked: staked.locked,
    };
    expected[name] = model.people[name];
  }
  actual["treasury"] = await market.balanceOf(parties.treasury.address);
  expected["treasury"] = model.treasury;
  // I-1, I-2: the market holds just what it owes.
  actual["market"] = await wallet(await market.getAddress());
  expected["market"] =
    model.treasury +
    NAMES.reduce((sum, name) => sum + model.people[name].ledger + model.people[name].fees, 0n) +
    model.tasks.filter(isLive).reduce((sum, { cost }) => sum + cost, 0n);
  for (const [i, task] of model.tasks.slice(-6).entries()) {
    const { status, since, feeBps } = await market.taskOf(task.call.id);
    actual[`task ${i}`] = { status, since, feeBps };
    expected[`task ${i}`] = { status: task.status, since: task.since, feeBps: task.feeBps };
  }
  expect(actual, what).to.deep.equal(expected);
}

for (const token of [false, true]) {
  describe(`TaskMarket next to its model, in ${token ? "a token" : "the native coin"}`, function () {
    this.timeout(300_000);

    it("testFuzz_I01_I02_I03_I05_a hundred random calls end as the model says", async () => {
      const walk = await open(token);
      const { networkHelpers } = walk.fixture;
      const start = await networkHelpers.takeSnapshot();
      const fresh = structuredClone({ ...walk.model });
      const ended = new Map<string, number>();
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 100, maxLength: 100 }), async (steps) => {
          await start.restore();
          Object.assign(walk.model, structuredClone(fresh));
          for (const it of steps) {
            const at = timeOf(walk, it, BigInt(await networkHelpers.time.latest()));
            const move = await plan(walk, it, at);
            if (move === undefined) continue;
            const what = `${it.kind} at ${at}, expected ${move.error ?? "to be done"}`;
            await networkHelpers.time.setNextBlockTimestamp(at);
            const outcome = await move.send().then(
              () => "done",
              (error: unknown) => (error instanceof Error ? error.message : String(error)),
            );
            if (move.error === undefined) {
              expect(outcome, what).to.equal("done");
              move.apply();
              ended.set(it.kind, (ended.get(it.kind) ?? 0) + 1);
            } else {
              expect(outcome, what).to.contain(move.error);
            }
            await expectModel(walk, what);
          }
        }),
        { seed: token ? 20_261 : 20_260, numRuns: 4, endOnFailure: true },
      );
      // Each kind of call went through at least once.
      for (const kind of KINDS) expect(ended.get(kind), kind).to.be.greaterThan(0);
    });
  });
}
