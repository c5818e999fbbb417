import { expect } from "chai";
import { toQuantity, ZeroAddress } from "ethers";
import type { Interface } from "ethers";

import { Outcome, Status } from "../../../src/market/outcome.ts";
import type { OutcomeName, StatusName } from "../../../src/market/outcome.ts";
import { Prober__factory } from "../../../types/index.ts";
import type { IOrders, Prober } from "../../../types/index.ts";
import { WINDOWS } from "./deploy.ts";
import { COLLATERAL_WEI, deployMarket, DURATION, FEE_BPS, Flag, PRICE_WEI } from "./fixture.ts";
import type { Fixture, Task, TaskOptions } from "./fixture.ts";
import { orderOf, signOrder, signQuote } from "./signatures.ts";

// The whole (status x action x role x time) matrix of the market. What may happen is TABLE, written from the design and
// not from the contracts: who can do what from where, from when until when, where it leads and what it moves. Every
// other cell has to be refused, with an error that names a condition it violates. The cells are generated: each
// situation of a task, each action, each role, and the second before, of and after each deadline. Whether each is done or
// refused is asked in a few large calls; what is allowed is then sent, at both ends of the time for it, and all money
// compared.

const ROLES = [
  "owner",
  "delegate",
  "provider",
  "operator",
  "backup",
  "arbiter",
  "payer",
  "stranger",
] as const;
type Role = (typeof ROLES)[number];
const ANYONE: readonly Role[] = ROLES;
const OWNERS: readonly Role[] = ["owner", "delegate"];

const HEARTBEAT = 60n;
const NOTICE = 30n;
const CHALLENGE = 400n;
const RULING = 5_000n;
const USED = 5n;
const TOP_UP = 100n;
const RULED_BPS = 4_000n;
const REST = { resultHash: `0x${"11".repeat(32)}`, evidenceHash: `0x${"22".repeat(32)}` };
const DELIVERED = { report: BigInt(Outcome.Completed) | (USED << 8n), ...REST };
/** Money that everybody has in the market beforehand, and its delegate's limit [wei]. */
const LEDGER_WEI = 10n ** 19n;
const STAKE_WEI = 10n ** 18n;

// ---- Kinds of tasks ----

type Variant = "plain" | "backed" | "open" | "sealed" | "judged" | "lease";

/** Who pays where it is not the owner. */
const SPONSORED: readonly Variant[] = ["backed", "judged"];
const isOpen = (variant: Variant) => variant === "open" || variant === "sealed";

function optionsOf(variant: Variant, { backup, arbiter }: Record<Role, string>): TaskOptions {
  const open = { provider: ZeroAddress, maximum: 2n * PRICE_WEI };
  return {
    plain: {},
    backed: { backup },
    open,
    sealed: { ...open, flags: Flag.Sealed },
    judged: { arbiter, challengePeriod: CHALLENGE },
    lease: { heartbeat: HEARTBEAT, notice: NOTICE, flags: Flag.IdleStop },
  }[variant];
}

// ---- Situations ----

/** A step on the way into a situation: who does what, so many seconds after the step before or at a clock. */
type Step = [action: Action, role: Role, at: bigint | ((task: Task) => bigint)];

interface Situation {
  variant: Variant;
  status: StatusName;
  path: readonly Step[];
  /** Whose task it is: the provider's side. */
  taker?: "provider" | "backup" | "nobody";
}

const late = (task: Task) => task.startBy - 10n;
const afterStart = (task: Task) => task.startBy + 1n;
const afterEnd = (task: Task) => task.completeBy + 1n;
const FUND: Record<Variant, Step> = {
  plain: ["submit", "owner", 1n],
  backed: ["sponsor", "payer", 1n],
  open: ["order", "stranger", 1n],
  sealed: ["submit", "delegate", 1n],
  judged: ["sponsor", "payer", 1n],
  lease: ["order", "owner", 1n],
};
const { plain, backed, open, sealed, judged, lease } = FUND;
const ACCEPT: Step = ["accept", "provider", 10n];
const OPEN: Step = ["acceptOpen", "operator", late];
const READY: Step = ["ready", "operator", 10n];
const BEAT: Step = ["heartbeat", "provider", 50n];
const beats = (count: number): Step[] => Array.from({ length: count }, () => BEAT);
const UP: Step[] = [lease, ACCEPT, READY, BEAT];

const SITUATIONS = {
  "none, plain": { variant: "plain", status: "None", path: [] },
  "none, backed": { variant: "backed", status: "None", path: [] },
  "none, open": { variant: "open", status: "None", path: [], taker: "nobody" },
  "none, sealed": { variant: "sealed", status: "None", path: [], taker: "nobody" },
  "none, judged": { variant: "judged", status: "None", path: [] },
  "none, lease": { variant: "lease", status: "None", path: [] },
  "funded, plain": { variant: "plain", status: "Funded", path: [plain] },
  "funded, backed": { variant: "backed", status: "Funded", path: [backed] },
  "funded, open": { variant: "open", status: "Funded", path: [open], taker: "nobody" },
  "funded, sealed": { variant: "sealed", status: "Funded", path: [sealed], taker: "nobody" },
  "funded, judged": { variant: "judged", status: "Funded", path: [judged] },
  "funded, lease": { variant: "lease", status: "Funded", path: [lease] },
  "funded, reopened": {
    variant: "sealed",
    status: "Funded",
    path: [sealed, ["acceptOpen", "provider", 10n], ["decline", "operator", 10n]],
    taker: "nobody",
  },
  assigned: { variant: "sealed", status: "Assigned", path: [sealed, OPEN] },
  "active, plain": { variant: "plain", status: "Active", path: [plain, ACCEPT] },
  "active, backed": { variant: "backed", status: "Active", path: [backed, ACCEPT] },
  "active, quoted": { variant: "plain", status: "Active", path: [["quoted", "stranger", 10n]] },
  "active, open": { variant: "open", status: "Active", path: [open, OPEN] },
  "active, sealed": {
    variant: "sealed",
    status: "Active",
    path: [sealed, OPEN, ["publishPayloadKey", "delegate", 2n]],
  },
  "active, judged": { variant: "judged", status: "Active", path: [judged, ACCEPT] },
  "active, taken over": {
    variant: "backed",
    status: "Active",
    path: [backed, ["decline", "provider", 10n], ["takeOver", "backup", 10n]],
    taker: "backup",
  },
  "active, taken over late": {
    variant: "backed",
    status: "Active",
    path: [backed, ["takeOver", "backup", afterStart]],
    taker: "backup",
  },
  standby: { variant: "backed", status: "Standby", path: [backed, ACCEPT, ["fail", "stranger", afterEnd]] },
  delivered: { variant: "judged", status: "Delivered", path: [judged, ACCEPT, ["deliver", "operator", 20n]] },
  disputed: {
    variant: "judged",
    status: "Disputed",
    path: [judged, ACCEPT, ["deliver", "provider", 20n], ["dispute", "owner", 10n]],
  },
  "lease, not ready": { variant: "lease", status: "Active", path: [lease, ACCEPT] },
  "lease, up": { variant: "lease", status: "Active", path: UP },
  "lease, near its end": { variant: "lease", status: "Active", path: [...UP, ...beats(10)] },
  "lease, leaving": {
    variant: "lease",
    status: "Active",
    path: [...UP, ["closeByProvider", "operator", 5n]],
  },
  "lease, left": { variant: "lease", status: "Active", path: [...UP, ["closeByOwner", "delegate", 5n]] },
  "lease, idle": { variant: "lease", status: "Active", path: [...UP, ["closeIdle", "provider", 5n]] },
  revoked: { variant: "plain", status: "Cancelled", path: [["revokeOrder", "owner", 1n]] },
  cancelled: { variant: "plain", status: "Cancelled", path: [plain, ["cancel", "delegate", 10n]] },
  expired: {
    variant: "open",
    status: "Expired",
    path: [open, ["expire", "stranger", afterStart]],
    taker: "nobody",
  },
  declined: { variant: "plain", status: "Declined", path: [plain, ["decline", "operator", 10n]] },
  failed: { variant: "plain", status: "Failed", path: [plain, ACCEPT, ["fail", "stranger", afterEnd]] },
  abandoned: { variant: "open", status: "Abandoned", path: [open, OPEN, ["abandon", "provider", 5n]] },
  settled: { variant: "plain", status: "Settled", path: [plain, ["deliver", "operator", 20n]] },
  resolved: {
    variant: "judged",
    status: "Resolved",
    path: [
      judged,
      ACCEPT,
      ["deliver", "provider", 20n],
      ["dispute", "owner", 9n],
      ["concede", "provider", 9n],
    ],
  },
  "lease, ended": {
    variant: "lease",
    status: "Settled",
    path: [...UP, ["closeByOwner", "owner", 5n], ["endLease", "operator", 5n]],
  },
} as const satisfies Record<string, Situation>;
type SituationName = keyof typeof SITUATIONS;
const NAMES = Object.keys(SITUATIONS).filter((name): name is SituationName => name in SITUATIONS);

// ---- What is known of a task in its situation ----

interface Meter {
  readyAt: bigint;
  endsAt: bigint;
  last: bigint;
  up: bigint;
  drawn: bigint;
}

interface Known {
  name: SituationName;
  variant: Variant;
  task: Task;
  /** When the status was entered [s]. */
  since: bigint;
  openedAt: bigint;
  /** What the provider gets a second [wei]. */
  price: bigint;
  escrow: bigint;
  collateral: bigint;
  /** Of the collateral at stake now [wei]. */
  locked: bigint;
  payer: "owner" | "payer";
  taker: "provider" | "backup" | "nobody";
  taken: boolean;
  meter: Meter;
}

/** Deadlines: each is the last second of something. */
const CLOCKS = {
  startBy: ({ task }: Known) => task.startBy,
  takeOverStart: ({ task }: Known) => task.startBy + WINDOWS.takeOverWindow,
  completeBy: ({ task, taken, since }: Known) =>
    taken ? since + task.completeBy - task.startBy : task.completeBy,
  decline: (known: Known): bigint => {
    const [window, end] = [known.since + WINDOWS.declineWindow, CLOCKS.completeBy(known)];
    return window < end ? window : end;
  },
  key: ({ since }: Known) => since + WINDOWS.keyWindow,
  takeOver: ({ since }: Known) => since + WINDOWS.takeOverWindow,
  challenge: ({ since }: Known) => since + CHALLENGE,
  concession: ({ since }: Known) => since + WINDOWS.concessionWindow,
  ruling: ({ since }: Known) => since + RULING,
  heartbeat: ({ meter }: Known) => meter.last + HEARTBEAT,
  /** The last second before it counts as down; never, where it ends before that. */
  down: ({ meter }: Known) =>
    meter.endsAt > meter.last + 3n * HEARTBEAT ? meter.last + 3n * HEARTBEAT : FOREVER,
  endsAt: ({ meter }: Known) => meter.endsAt,
  beforeEnd: ({ meter }: Known) => meter.endsAt - 1n,
  beatAfterEnd: ({ meter }: Known) => meter.endsAt + HEARTBEAT,
} satisfies Record<string, (known: Known) => bigint>;
type Clock = keyof typeof CLOCKS;
const FOREVER = 2n ** 40n;

// ---- Money ----

type Moves = Record<string, bigint>;
const add = (...parts: Moves[]): Moves => {
  const sum: Moves = {};
  for (const part of parts)
    for (const [name, amount] of Object.entries(part)) sum[name] = (sum[name] ?? 0n) + amount;
  return sum;
};
const ceil = (amount: bigint, bps: bigint) => (amount * bps + 9_999n) / 10_000n;
const part = (amount: bigint, bps: bigint) => (amount * bps) / 10_000n;

const unlock = ({ taker, locked }: Known): Moves => (locked === 0n ? {} : { [`locked.${taker}`]: -locked });
const lock = ({ collateral }: Known, who = "provider"): Moves => ({ [`locked.${who}`]: collateral });
const back = (known: Known): Moves => ({ [`ledger.${known.payer}`]: known.escrow });
const recorded = ({ taker }: Known, what: string): Moves => ({ [`${what}.${taker}`]: 1n });
/** Of the collateral, to the market's ledger. */
const slash = ({ taker }: Known, amount: bigint): Moves => ({
  [`stake.${taker}`]: -amount,
  "wallet.registry": -amount,
  "wallet.market": amount,
});
/** An open task holds one of its provider's slots. */
const slot = ({ variant, taken, taker }: Known): Moves =>
  isOpen(variant) && taken ? { [`assigned.${taker}`]: -1n } : {};
/** `paid` of `escrow`, the rest goes back. */
const pay = ({ taker, payer }: Known, paid: bigint, used: bigint, escrow: bigint, tasks = 1n): Moves => {
  const fee = part(paid, FEE_BPS);
  return {
    [`ledger.${taker}`]: paid - fee,
    [`fees.${taker}`]: fee,
    [`completed.${taker}`]: tasks,
    [`seconds.${taker}`]: used,
    ...(escrow === paid ? {} : { [`ledger.${payer}`]: escrow - paid }),
  };
};
const from = (role: Role, amount: bigint): Moves => ({
  [`wallet.${role}`]: -amount,
  "wallet.market": amount,
});

const bondOf = ({ escrow }: Known) => ({ fee: part(escrow, 500n), own: ceil(escrow, 500n) });
/** Ends a dispute: the rest of the moves of a ruling that gives the provider `bps` of what is due. */
function ruled(known: Known, bps: bigint): Moves {
  const { fee, own } = bondOf(known);
  const slashed = ceil(known.collateral, 10_000n - bps);
  let byProvider = fee - part(fee, bps);
  if (byProvider > slashed) byProvider = slashed;
  const penalty = part(own, bps);
  const compensation = (slashed - byProvider) / 2n;
  const paid = part(known.price * USED, bps);
  return add(
    unlock(known),
    slash(known, slashed),
    { "ledger.arbiter": fee, "ledger.provider": penalty },
    { "ledger.owner": own + fee - (fee - byProvider) - penalty + compensation },
    { "ledger.treasury": slashed - byProvider - compensation },
    paid === 0n ? back(known) : pay(known, paid, USED, known.escrow),
    bps < 5_000n ? recorded(known, "disputed") : {},
  );
}

/** What ends a lease: `up` seconds paid in all. */
function ended(known: Known, up: bigint, { slashed = 0n, tasks = 1n } = {}): Moves {
  const { price, escrow, meter } = known;
  const due = up - meter.drawn;
  return add(
    pay(known, price * due, due, escrow - price * meter.drawn, tasks),
    unlock(known),
    slash(known, slashed),
  );
}
/** The seconds up if it beats at `now`. */
function beaten({ meter }: Known, now: bigint): bigint {
  const time = now < meter.endsAt ? now : meter.endsAt;
  return time > meter.last && time - meter.last <= HEARTBEAT ? meter.up + time - meter.last : meter.up;
}

// ---- The table ----

interface Row {
  action: Action;
  from: readonly SituationName[];
  who: readonly Role[] | "taker";
  /** Possible from the second after this on. */
  after?: Clock;
  /** Possible until this second. */
  until?: Clock;
  to: StatusName;
  outcome: OutcomeName;
  moves: (known: Known, role: Role, now: bigint) => Moves;
  /** What a lease's meter shows afterwards. */
  lease?: (known: Known, now: bigint) => Partial<Meter & { closing: OutcomeName }>;
  /** Whether the status is not entered anew. */
  stays?: boolean;
}

const NONE = [
  "none, plain",
  "none, backed",
  "none, open",
  "none, sealed",
  "none, judged",
  "none, lease",
] as const;
const UNTAKEN = ["funded, open", "funded, sealed", "funded, reopened"] as const;
const NAMED = ["funded, plain", "funded, judged", "funded, lease"] as const;
const JOBS = ["active, plain", "active, quoted", "active, taken over", "active, taken over late"] as const;
const UPS = ["lease, up", "lease, near its end", "lease, leaving", "lease, left", "lease, idle"] as const;
const RUNNING = ["lease, up", "lease, near its end"] as const;
/** Accepted, and not a lease that is up. */
const BEGUN = [...JOBS, "active, judged", "active, sealed", "active, open", "lease, not ready"] as const;

const funding = (action: Action, money: Row["moves"], names: readonly SituationName[] = NONE): Row => ({
  action,
  from: names,
  who: action === "submit" ? OWNERS : ANYONE,
  until: "startBy",
  to: action === "quoted" ? "Active" : "Funded",
  outcome: "None",
  moves: money,
});
const fromLedger = ({ escrow }: Known): Moves => ({ "ledger.owner": -escrow });
const abandoned = (known: Known) =>
  add(
    unlock(known),
    slot(known),
    recorded(known, "abandoned"),
    slash(known, ceil(known.collateral, 2_500n)),
    {
      "ledger.owner": ceil(known.collateral, 2_500n),
    },
  );
const failed = (known: Known, role: Role) => {
  const bounty = part(known.collateral, 500n);
  return add(
    add(unlock(known), slot(known), recorded(known, "failed"), slash(known, known.collateral)),
    { "ledger.owner": known.collateral - bounty },
    { [`ledger.${role}`]: bounty },
  );
};

const TABLE: readonly Row[] = [
  // ---- Paid for ----
  funding(
    "submit",
    (known, role) => (role === "owner" ? from(role, known.escrow) : fromLedger(known)),
    NONE.filter((name) => name !== "none, backed"),
  ),
  funding("order", fromLedger),
  funding("sponsor", ({ escrow }, role) => from(role, escrow)),
  funding(
    "quoted",
    (known) => add(fromLedger(known), lock(known)),
    NONE.filter((name) => !isOpen(SITUATIONS[name].variant)),
  ),
  {
    ...{ action: "revokeOrder", from: NONE, who: ["owner"], to: "Cancelled", outcome: "OwnerCancelled" },
    moves: () => ({}),
  },
  // ---- Before it begins ----
  ...(
    [
      [[...NAMED, ...UNTAKEN], "startBy", "NotAccepted"],
      [["funded, backed"], "takeOverStart", "NotAccepted"],
      [["standby"], "takeOver", "NotAccepted"],
      [["assigned"], "key", "KeyWithheld"],
    ] as const
  ).flatMap(([names, clock, outcome]): Row[] => {
    const moves = (known: Known) => add(back(known), unlock(known), slot(known));
    return [
      {
        ...{ action: "cancel", from: names, who: OWNERS, until: clock, to: "Cancelled" },
        ...{ outcome: "OwnerCancelled", moves },
      },
      {
        ...{ action: "expire", from: names, who: ANYONE, after: clock, to: "Expired" },
        ...{ outcome, moves },
      },
    ];
  }),
  {
    ...{ action: "accept", from: [...NAMED, "funded, backed"], who: "taker", until: "startBy", to: "Active" },
    ...{ outcome: "None", moves: (known) => lock(known) },
  },
  {
    ...{ action: "acceptOpen", from: ["funded, open"], who: ["provider", "operator"], until: "startBy" },
    ...{ to: "Active", outcome: "None" },
    moves: (known) => add(lock(known), { "assigned.provider": 1n }),
  },
  {
    ...{ action: "acceptOpen", from: ["funded, sealed", "funded, reopened"], who: ["provider", "operator"] },
    ...{ until: "startBy", to: "Assigned", outcome: "None" },
    moves: (known) => add(lock(known), { "assigned.provider": 1n }),
  },
  {
    ...{ action: "publishPayloadKey", from: ["assigned"], who: OWNERS, until: "key", to: "Active" },
    ...{ outcome: "None", moves: () => ({}) },
  },
  {
    ...{ action: "takeOver", from: ["funded, backed"], who: ["backup"], after: "startBy" },
    ...{ until: "takeOverStart", to: "Active", outcome: "None", moves: (known) => lock(known, "backup") },
  },
  {
    ...{ action: "takeOver", from: ["standby"], who: ["backup"], until: "takeOver", to: "Active" },
    ...{ outcome: "None", moves: (known) => lock(known, "backup") },
  },
  // ---- Declined ----
  {
    ...{ action: "decline", from: NAMED, who: "taker", until: "startBy", to: "Declined" },
    ...{ outcome: "PolicyRefused", moves: (known) => back(known) },
  },
  {
    ...{ action: "decline", from: ["funded, backed"], who: "taker", until: "startBy", to: "Standby" },
    ...{ outcome: "PolicyRefused", moves: () => ({}) },
  },
  {
    ...{ action: "decline", from: ["active, backed"], who: "taker", until: "decline", to: "Standby" },
    ...{ outcome: "PolicyRefused", moves: (known) => add(unlock(known), recorded(known, "declined")) },
  },
  {
    ...{ action: "decline", from: [...JOBS, "active, judged", "lease, not ready"], who: "taker" },
    ...{ until: "decline", to: "Declined", outcome: "PolicyRefused" },
    moves: (known) => add(back(known), unlock(known), recorded(known, "declined")),
  },
  ...(["key", "decline"] as const).flatMap((clock): Row[] => {
    const left: Pick<Row, "action" | "from" | "who" | "outcome"> = {
      action: "decline",
      from: [clock === "key" ? "assigned" : "active, sealed"],
      who: "taker",
      outcome: "PolicyRefused",
    };
    const moves = (known: Known) => add(unlock(known), slot(known), recorded(known, "declined"));
    return [
      { ...left, until: "startBy", to: "Funded", moves },
      { ...left, after: "startBy", until: clock, to: "Declined", moves: (it) => add(moves(it), back(it)) },
    ];
  }),
  // ---- Delivered ----
  {
    ...{ action: "deliver", from: ["funded, plain", "funded, backed"], who: "taker", until: "startBy" },
    ...{ to: "Settled", outcome: "Completed" },
    moves: (known) => pay(known, known.price * USED, USED, known.escrow),
  },
  {
    action: "deliver",
    from: [...JOBS, "active, backed", "active, open", "active, sealed"],
    ...{ who: "taker", until: "completeBy", to: "Settled", outcome: "Completed" },
    moves: (known) => add(pay(known, known.price * USED, USED, known.escrow), unlock(known), slot(known)),
  },
  {
    ...{ action: "deliver", from: ["funded, judged"], who: "taker", until: "startBy", to: "Delivered" },
    ...{ outcome: "Completed", moves: (known) => lock(known) },
  },
  {
    ...{ action: "deliver", from: ["active, judged"], who: "taker", until: "completeBy", to: "Delivered" },
    ...{ outcome: "Completed", moves: () => ({}) },
  },
  ...(["until", "after"] as const).map((side): Row => {
    return {
      ...{ action: "settle", from: ["delivered"], who: side === "until" ? ["owner", "arbiter"] : ANYONE },
      ...{ [side]: "challenge", to: "Settled", outcome: "Completed" },
      moves: (known) => add(pay(known, known.price * USED, USED, known.escrow), unlock(known)),
    };
  }),
  // ---- The provider's fault ----
  {
    action: "abandon",
    from: BEGUN.filter((name) => name !== "active, open"),
    ...{ who: "taker", after: "decline", until: "completeBy", to: "Abandoned" },
    ...{ outcome: "ProviderAbandoned", moves: (known) => add(abandoned(known), back(known)) },
  },
  {
    ...{ action: "abandon", from: ["active, open"], who: "taker", until: "completeBy", to: "Abandoned" },
    ...{ outcome: "ProviderAbandoned", moves: (known) => add(abandoned(known), back(known)) },
  },
  {
    ...{ action: "abandon", from: ["active, backed"], who: "taker", after: "decline", until: "completeBy" },
    ...{ to: "Standby", outcome: "ProviderAbandoned", moves: abandoned },
  },
  {
    action: "fail",
    from: BEGUN.filter((name) => name !== "lease, not ready"),
    ...{ who: ANYONE, after: "completeBy", to: "Failed", outcome: "ProviderLate" },
    moves: (known, role) => add(failed(known, role), back(known)),
  },
  {
    ...{ action: "fail", from: ["lease, not ready"], who: ANYONE, after: "completeBy", to: "Failed" },
    ...{ outcome: "ProviderNotReady", moves: (known, role) => add(failed(known, role), back(known)) },
  },
  {
    ...{ action: "fail", from: ["active, backed"], who: ANYONE, after: "completeBy", to: "Standby" },
    ...{ outcome: "ProviderLate", moves: failed },
  },
  // ---- Disputes ----
  {
    ...{ action: "dispute", from: ["delivered"], who: OWNERS, until: "challenge", to: "Disputed" },
    outcome: "Completed",
    moves: (known, role) => {
      const bond = bondOf(known).fee + bondOf(known).own;
      return role === "owner" ? from(role, bond) : { "ledger.owner": -bond };
    },
  },
  {
    ...{ action: "concede", from: ["disputed"], who: "taker", until: "concession", to: "Resolved" },
    outcome: "Conceded",
    moves: (known) => {
      const slashed = ceil(known.collateral, 5_000n);
      const bond = bondOf(known).fee + bondOf(known).own;
      return add(back(known), unlock(known), slash(known, slashed), recorded(known, "disputed"), {
        "ledger.owner": bond + slashed,
      });
    },
  },
  ...(
    [
      ["ruleForProvider", "RuledForProvider", 10_000n],
      ["ruleInPart", "RuledInPart", RULED_BPS],
      ["ruleForOwner", "RuledForOwner", 0n],
    ] as const
  ).map(([action, outcome, bps]): Row => ({
    ...{ action, from: ["disputed"], who: ["arbiter"], after: "concession", until: "ruling" },
    ...{ to: "Resolved", outcome, moves: (known) => ruled(known, bps) },
  })),
  {
    ...{ action: "resolve", from: ["disputed"], who: ANYONE, after: "ruling", to: "Resolved" },
    outcome: "ArbiterSilent",
    moves: (known) =>
      add(pay(known, known.price * USED, USED, known.escrow), unlock(known), {
        "ledger.owner": bondOf(known).fee + bondOf(known).own,
      }),
  },
  // ---- Leases ----
  {
    ...{ action: "ready", from: ["lease, not ready"], who: "taker", until: "completeBy", to: "Active" },
    ...{ outcome: "None", stays: true, moves: () => ({}) },
    lease: (_, now) => ({ readyAt: now, endsAt: now + DURATION, last: now, up: 0n, closing: "None" }),
  },
  {
    ...{ action: "heartbeat", from: UPS, who: "taker", until: "down", to: "Active", outcome: "None" },
    ...{ stays: true, moves: () => ({}) },
    lease: (known, now) => {
      const time = now < known.meter.endsAt ? now : known.meter.endsAt;
      return { up: beaten(known, now), last: time > known.meter.last ? time : known.meter.last };
    },
  },
  {
    ...{ action: "draw", from: UPS, who: ANYONE, to: "Active", outcome: "None", stays: true },
    moves: (known) => {
      const due = known.meter.up - known.meter.drawn;
      return pay(known, known.price * due, due, known.price * due, 0n);
    },
    lease: ({ meter }) => ({ drawn: meter.up }),
  },
  ...(["endsAt", "down"] as const).map((clock): Row => {
    return {
      ...{ action: "topUp", from: [clock === "endsAt" ? "lease, near its end" : "lease, up"], who: ANYONE },
      ...{ until: clock, to: "Active", outcome: "None", stays: true },
      moves: ({ price }, role) => from(role, price * TOP_UP),
      lease: ({ meter }) => ({ endsAt: meter.endsAt + TOP_UP }),
    };
  }),
  {
    ...{ action: "closeByOwner", from: RUNNING, who: OWNERS, until: "endsAt", to: "Active", outcome: "None" },
    ...{ stays: true, moves: () => ({}) },
    lease: (_, now) => ({ endsAt: now, closing: "OwnerClosed" }),
  },
  {
    ...{ action: "closeByOwner", from: ["lease, leaving"], who: OWNERS, until: "endsAt", to: "Active" },
    ...{ outcome: "None", stays: true, moves: () => ({}) },
    lease: (_, now) => ({ endsAt: now, closing: "ProviderClosed" }),
  },
  {
    ...{ action: "closeByProvider", from: RUNNING, who: "taker", until: "endsAt", to: "Active" },
    ...{ outcome: "None", stays: true, moves: () => ({}) },
    lease: ({ meter }, now) => {
      const endsAt = now + NOTICE < meter.endsAt ? now + NOTICE : meter.endsAt;
      // It agreed to the duration, and leaves for nothing once it has served that.
      return { endsAt, closing: endsAt >= meter.readyAt + DURATION ? "Completed" : "ProviderClosed" };
    },
  },
  {
    ...{ action: "closeIdle", from: RUNNING, who: "taker", until: "endsAt", to: "Active", outcome: "None" },
    ...{ stays: true, moves: () => ({}) },
    lease: (_, now) => ({ endsAt: now, closing: "OwnerIdle" }),
  },
  ...(
    [
      [["lease, near its end"], "Completed", 0n],
      [["lease, left"], "OwnerClosed", 0n],
      [["lease, idle"], "OwnerIdle", 0n],
      [["lease, leaving"], "ProviderClosed", 2_500n],
    ] as const
  ).flatMap(([names, outcome, bps]): Row[] => {
    const row = { action: "endLease", from: names, to: "Settled", outcome } as const;
    const moves = (known: Known, up: bigint) => {
      const slashed = ceil(known.collateral, bps);
      return add(ended(known, up, { slashed }), {
        "ledger.owner": slashed,
        "abandoned.provider": bps === 0n ? 0n : 1n,
      });
    };
    return [
      // The end is its provider's last heartbeat.
      {
        ...row,
        who: "taker",
        after: "beforeEnd",
        moves: (known, _, now) => moves(known, beaten(known, now)),
      },
      {
        ...row,
        who: ANYONE.filter((role) => role !== "provider" && role !== "operator"),
        after: "beatAfterEnd",
        moves: (known) => moves(known, known.meter.up),
      },
    ];
  }),
  {
    ...{ action: "endLease", from: ["lease, up"], who: ANYONE, after: "down", to: "Failed" },
    ...{
      outcome: "ProviderDown",
      // The lock is given back once; a lease that failed is not a completed one.
      moves: (known, role) =>
        add(ended(known, known.meter.up, { tasks: 0n }), failed({ ...known, locked: 0n }, role)),
    },
  },
];

// ---- What a refusal is called ----

interface Refusals {
  /** The task is in a situation without this action. */
  wrong: readonly string[];
  /** Somebody else's action. */
  foreign: readonly string[];
  early: readonly string[];
  late: readonly string[];
}

const refusals = ({
  wrong = ["TaskMarket_WrongStatus"],
  foreign = [],
  early = ["TaskMarket_TooEarly"],
  late = ["TaskMarket_TooLate"],
}: Partial<Refusals> = {}): Refusals => ({ wrong, foreign, early, late });
const OWNERS_ONLY = { foreign: ["TaskMarket_NotOwner"] };
const PROVIDERS_ONLY = { foreign: ["TaskMarket_NotProvider"] };
const FUNDED = { wrong: ["TaskMarket_TaskExists"], late: ["Tasks_InvalidSchedule"] };
const OF_JOBS = { wrong: ["TaskMarket_WrongStatus", "TaskMarket_WrongKind"] };
const OF_LEASES = { wrong: ["TaskMarket_WrongStatus", "Leases_NotReady"] };
const CLOSING = {
  wrong: [...OF_LEASES.wrong, "Leases_AlreadyClosing", "TaskMarket_TooLate"],
  late: ["TaskMarket_TooLate", "Leases_NotReady"],
};

const ACTIONS = {
  submit: refusals({ ...FUNDED, foreign: ["Escrow_NotDelegate"] }),
  order: refusals(FUNDED),
  sponsor: refusals(FUNDED),
  quoted: refusals(FUNDED),
  revokeOrder: refusals(OWNERS_ONLY),
  cancel: refusals(OWNERS_ONLY),
  expire: refusals(),
  accept: refusals(PROVIDERS_ONLY),
  acceptOpen: refusals({ wrong: ["TaskMarket_WrongStatus", "Orders_NotOpen"], ...PROVIDERS_ONLY }),
  publishPayloadKey: refusals(OWNERS_ONLY),
  takeOver: refusals({ foreign: ["Orders_NotBackup"] }),
  deliver: refusals({ ...OF_JOBS, ...PROVIDERS_ONLY }),
  decline: refusals({ ...OF_JOBS, ...PROVIDERS_ONLY }),
  settle: refusals(OWNERS_ONLY),
  abandon: refusals({ ...OF_JOBS, ...PROVIDERS_ONLY }),
  fail: refusals(OF_JOBS),
  dispute: refusals({ foreign: ["Escrow_NotDelegate"] }),
  concede: refusals(PROVIDERS_ONLY),
  ruleForProvider: refusals({ foreign: ["Disputes_NotArbiter"] }),
  ruleInPart: refusals({ foreign: ["Disputes_NotArbiter"] }),
  ruleForOwner: refusals({ foreign: ["Disputes_NotArbiter"] }),
  resolve: refusals(),
  ready: refusals({
    wrong: ["TaskMarket_WrongStatus", "Leases_NotALease", "Leases_AlreadyReady"],
    ...PROVIDERS_ONLY,
  }),
  // Never refused: what it cannot meter is passed over.
  heartbeat: refusals({ wrong: ["skipped"], foreign: ["skipped"], late: ["skipped"] }),
  draw: refusals(OF_LEASES),
  topUp: refusals(CLOSING),
  closeByOwner: refusals({ ...CLOSING, ...OWNERS_ONLY }),
  closeByProvider: refusals({ ...CLOSING, ...PROVIDERS_ONLY }),
  closeIdle: refusals({ ...CLOSING, ...PROVIDERS_ONLY }),
  endLease: refusals({ ...OF_LEASES, early: ["Leases_StillUp"], foreign: ["Leases_StillUp"] }),
} satisfies Record<string, Refusals>;
type Action = keyof typeof ACTIONS;
const ACTION_NAMES = Object.keys(ACTIONS).filter((name): name is Action => name in ACTIONS);

const whoOf = ({ who }: Row, { taker }: Known): readonly Role[] =>
  who !== "taker"
    ? who
    : taker === "backup"
      ? ["backup"]
      : taker === "nobody"
        ? []
        : ["provider", "operator"];

/** Who could accept: who is named, whoever has taken it. */
const namedOf = ({ variant }: Known): readonly Role[] => (isOpen(variant) ? [] : ["provider", "operator"]);

const rowsOf = (known: Known, action: Action) =>
  TABLE.filter((row) => row.action === action && row.from.includes(known.name));

/** The row of a cell, or what its refusal may be called: each names a condition that the cell violates. */
function expectation(known: Known, action: Action, role: Role, now: bigint): Row | string[] {
  const { wrong, foreign, early, late } = ACTIONS[action];
  const rows = rowsOf(known, action);
  const names = new Set<string>();
  if (rows.length === 0) wrong.forEach((name) => names.add(name));
  for (const row of rows) {
    const before = row.after !== undefined && now <= CLOCKS[row.after](known);
    const behind = row.until !== undefined && now > CLOCKS[row.until](known);
    const mine = whoOf(row, known).includes(role);
    if (mine && !before && !behind) return row;
    if (!mine) foreign.forEach((name) => names.add(name));
    if (before) early.forEach((name) => names.add(name));
    if (behind) late.forEach((name) => names.add(name));
  }
  // Whose action it never is, whatever the situation.
  const possible = TABLE.filter((row) => row.action === action).flatMap((row) =>
    action === "accept" ? namedOf(known) : whoOf(row, known),
  );
  if (rows.length === 0 && !possible.includes(role)) foreign.forEach((name) => names.add(name));
  // A funding that is late is so in any status.
  if (FUNDED.wrong === wrong && now > known.task.startBy) names.add("Tasks_InvalidSchedule");
  return [...names];
}

// ---- The cells ----

/** In which word of a provider they stand. */
const FIELDS = {
  ...{ declined: 6, abandoned: 7, failed: 8, disputed: 9 },
  ...{ assigned: 10, stake: 11, locked: 12 },
};
interface Answer {
  done: boolean;
  returned: string;
}

interface Probe {
  from: string;
  target: string;
  /** [wei] */
  value: bigint | string;
  data: string;
}

const PROBE = Prober__factory.createInterface().getFunction("probe").selector;

/** The argument of `probe`; an encoder for everything takes a while for each. */
function encodeProbes(probes: readonly Probe[]): string {
  const word = (value: bigint | number | string) => BigInt(value).toString(16).padStart(64, "0");
  const tuples = probes.map(({ from, target, value, data }) => {
    const bytes = data.slice(2);
    return [
      ...[from, target, value].map(word),
      word(32 * 4),
      word(bytes.length / 2),
      bytes.padEnd(Math.ceil(bytes.length / 64) * 64, "0"),
    ].join("");
  });
  let offset = 32 * tuples.length;
  const offsets = tuples.map((tuple) => {
    const at = word(offset);
    offset += tuple.length / 2;
    return at;
  });
  return [word(32), word(tuples.length), ...offsets, ...tuples].join("");
}

/** What the prober answered; a decoder for everything takes as long as all the calls. */
function answersOf(returned: string): Answer[] {
  const at = (word: number) => Number(wordAt(returned, word));
  return Array.from({ length: at(1) }, (_, i) => {
    const answer = 2 + at(2 + i) / 32;
    const bytes = answer + at(answer + 1) / 32;
    const from = 2 + 64 * (bytes + 1);
    return { done: at(answer) === 1, returned: `0x${returned.slice(from, from + 2 * at(bytes))}` };
  });
}

/** Word number `place` of what a call returned. */
const wordAt = (returned: string, place: number) =>
  BigInt(`0x${returned.slice(2 + 64 * place, 2 + 64 * (place + 1))}`);
const LIVE: readonly StatusName[] = ["Funded", "Assigned", "Active", "Standby", "Delivered", "Disputed"];
const AT_STAKE: readonly StatusName[] = ["Assigned", "Active", "Delivered", "Disputed"];

/** What moves by the second. */
const METERED_BY: readonly Action[] = ["heartbeat", "endLease"];
/** What is called with the terms alone. */
type PlainCall = "cancel" | "expire" | "accept" | "abandon" | "fail" | "revokeOrder" | "draw" | "endLease";

interface Pass {
  collateral: bigint;
  /** Tries everything; else only what is allowed, once for each row. */
  whole: boolean;
}

for (const { collateral, whole } of [
  { collateral: COLLATERAL_WEI, whole: true },
  { collateral: 1n, whole: false },
  { collateral: 0n, whole: false },
] satisfies Pass[]) {
  describe(`TaskMarket matrix, collateral ${String(collateral)} wei (A13, A14, A18, I-1 to I-4, I-11)`, function () {
    this.timeout(300_000);
    let fixture: Fixture;
    let addresses: Record<Role, string>;
    let base = "";
    const errors = new Map<string, string>();
    let cells = 0;
    let allowed = 0;

    const rpc = async <T>(method: string, params: unknown[] = []): Promise<T> =>
      (await fixture.connection.provider.request({ method, params })) as T;
    const at = async (seconds: bigint) => rpc("evm_setNextBlockTimestamp", [toQuantity(seconds)]);
    const head = async () =>
      BigInt((await rpc<{ timestamp: string }>("eth_getBlockByNumber", ["latest", false])).timestamp);
    let target = { market: "", registry: "" };
    let prober: Prober;
    let proberAt = "";
    /** Gives everybody the code that the prober calls them by. */
    const actors: Record<string, { code: string | null }> = {};

    before(async () => {
      fixture = await deployMarket({ standing: true });
      const { ethers, market, registry, parties, networkHelpers } = fixture;
      const [backup, payer] = (await ethers.getSigners()).slice(10, 12);
      if (!backup || !payer) throw new Error("the simulated network has too few accounts");
      const judge = await ethers.deployContract("OddArbiter");
      await judge.ask(0n, part(PRICE_WEI * DURATION, 500n), RULING);
      const arbiter = await judge.getAddress();
      prober = await ethers.deployContract("Prober");
      proberAt = await prober.getAddress();
      const actor = await (await ethers.deployContract("Actor")).getDeployedCode();
      await networkHelpers.impersonateAccount(arbiter);
      await networkHelpers.setBalance(arbiter, LEDGER_WEI);
      const { owner, delegate, provider, operator, stranger } = parties;
      addresses = {
        owner: owner.address,
        delegate: delegate.address,
        provider: provider.address,
        operator: operator.address,
        backup: backup.address,
        arbiter,
        payer: payer.address,
        stranger: stranger.address,
      };
      for (const role of ROLES) if (role !== "arbiter") actors[addresses[role]] = { code: actor };
      target = { market: await market.getAddress(), registry: await registry.getAddress() };
      await registry
        .connect(backup)
        .register(backup.address, backup.address, { shape: 0n, rateWei: 1n, slots: 1n, metadata: "" });
      await registry.connect(backup).stake(STAKE_WEI, { value: STAKE_WEI });
      await market.connect(owner).deposit(LEDGER_WEI, { value: LEDGER_WEI });
      await market.connect(owner).setDelegate(delegate.address, {
        limitWei: LEDGER_WEI,
        provider: ZeroAddress,
        expiresAt: FOREVER - 1n,
        model: 0n,
      });
      for (const contract of [market, registry])
        contract.interface.forEachError(({ selector, name }) => errors.set(selector, name));
      base = await rpc<string>("evm_snapshot");
    });

    after(() => {
      // Not a matrix in which nothing is tried.
      if (whole) expect(cells).to.be.greaterThan(80_000);
      expect(allowed).to.be.greaterThan(whole ? 1_000 : 100);
    });

    // ---- Calls ----

    /** The data of each action for a task, and the value that a role sends along. */
    async function callsOf(known: Known) {
      const { market, parties } = fixture;
      const { task, variant, escrow } = known;
      const { terms, work, workHash, id } = task;
      const signature = await signOrder(fixture, parties.owner, task);
      const order = (how: { sponsored?: boolean; quote?: IOrders.QuoteStruct } = {}) =>
        encode("order", [orderOf(task, { signature, ...how })]);
      const quote = await signQuote(fixture, parties.provider, id);
      const bond = bondOf(known).fee + bondOf(known).own;
      const encode = market.interface.encodeFunctionData.bind(market.interface);
      const untyped: Interface = market.interface;
      const plainCall = (name: PlainCall) => untyped.encodeFunctionData(name, [terms, workHash]);
      const rule = (bps: bigint) => encode("rule", [terms, workHash, DELIVERED, bps]);
      const close = (reason: number) => encode("close", [terms, workHash, reason]);
      const data: Record<Action, string> = {
        submit: encode("submit", [terms, work]),
        order: order(),
        sponsor: order({ sponsored: true }),
        quoted: order({ quote }),
        revokeOrder: plainCall("revokeOrder"),
        cancel: plainCall("cancel"),
        expire: plainCall("expire"),
        accept: plainCall("accept"),
        acceptOpen: encode("acceptOpen", [terms, work, addresses.provider]),
        publishPayloadKey: encode("publishPayloadKey", [terms, workHash, "0xabcd"]),
        takeOver: encode("takeOver", [terms, work, addresses.backup]),
        deliver: encode("deliver", [terms, workHash, { ...DELIVERED, result: "ar://result" }]),
        decline: encode("decline", [terms, workHash, Outcome.PolicyRefused]),
        settle: encode("settle", [terms, workHash, DELIVERED]),
        abandon: plainCall("abandon"),
        fail: plainCall("fail"),
        dispute: encode("dispute", [terms, workHash, DELIVERED, 3n, `0x${"00".repeat(32)}`, bond]),
        concede: encode("concede", [terms, workHash, DELIVERED]),
        ruleForProvider: rule(10_000n),
        ruleInPart: rule(RULED_BPS),
        ruleForOwner: rule(0n),
        resolve: encode("resolve", [terms, workHash, DELIVERED]),
        ready: encode("ready", [terms, workHash, "0xabcd"]),
        heartbeat: encode("heartbeat", [[id]]),
        draw: plainCall("draw"),
        topUp: encode("topUp", [terms, workHash, TOP_UP]),
        closeByOwner: close(Outcome.OwnerClosed),
        closeByProvider: close(Outcome.ProviderClosed),
        closeIdle: close(Outcome.OwnerIdle),
        endLease: plainCall("endLease"),
      };
      const valueOf = (action: Action, role: Role): bigint => {
        if (action === "submit") return role === "owner" ? escrow : 0n;
        if (action === "dispute") return role === "owner" && variant === "judged" ? bond : 0n;
        if (action === "sponsor") return escrow;
        return action === "topUp" ? PRICE_WEI * TOP_UP : 0n;
      };
      return (action: Action, role: Role) => ({
        from: addresses[role],
        to: target.market,
        data: data[action],
        value: toQuantity(valueOf(action, role)),
        gas: "0x200000",
      });
    }
    type Calls = Awaited<ReturnType<typeof callsOf>>;

    async function send(transaction: ReturnType<Calls>): Promise<string> {
      return rpc<string>("eth_sendTransaction", [{ ...transaction, gasPrice: "0x0" }]);
    }

    // ---- What is there ----

    const PROBES = 80;
    /** The data of calls of the prober that make all of these calls, in as few as the gas of one allows. */
    function probesOf(probes: readonly Probe[]): string[] {
      const calls: string[] = [];
      for (let at = 0; at < probes.length; at += PROBES)
        calls.push(PROBE + encodeProbes(probes.slice(at, at + PROBES)));
      return calls;
    }

    /** What comes of them, each in the state of now. */
    async function probe(calls: readonly string[]): Promise<Answer[]> {
      const answers: Answer[] = [];
      for (const data of calls) {
        const call = { from: addresses.stranger, to: proberAt, data, gas: toQuantity(16_000_000n) };
        answers.push(...answersOf(await rpc<string>("eth_call", [call, "latest", actors])));
      }
      return answers;
    }

    /** A look at everybody's money, the providers' stakes and records, and the task. */
    function lookerAt(id: string) {
      const { market, registry, parties } = fixture;
      const asked: Probe[] = [];
      const takers: ((returned: string, seen: Seen) => void)[] = [];
      const ask = (target: string, data: string, take: (returned: string, seen: Seen) => void) => {
        asked.push({ from: ZeroAddress, target, value: 0n, data });
        takers.push(take);
      };
      const amount = (name: string, of: string, data: string) =>
        ask(of, data, (returned, { books }) => (books[name] = BigInt(returned)));
      const wallet = (name: string, address: string) =>
        amount(`wallet.${name}`, proberAt, prober.interface.encodeFunctionData("balanceOf", [address]));
      for (const [name, address] of [
        ...Object.entries(addresses),
        ["treasury", parties.treasury.address] as const,
      ]) {
        wallet(name, address);
        amount(`ledger.${name}`, target.market, market.interface.encodeFunctionData("balanceOf", [address]));
      }
      wallet("market", target.market);
      wallet("registry", target.registry);
      for (const name of ["provider", "backup"] as const) {
        const address = addresses[name];
        amount(`fees.${name}`, target.market, market.interface.encodeFunctionData("feesDue", [address]));
        ask(
          target.market,
          market.interface.encodeFunctionData("recordOf", [address]),
          (returned, { books }) => {
            books[`completed.${name}`] = wordAt(returned, 0);
            books[`seconds.${name}`] = wordAt(returned, 1);
          },
        );
        const provider = registry.interface.encodeFunctionData("providerOf", [address]);
        ask(target.registry, provider, (returned, { books }) => {
          for (const [field, place] of Object.entries(FIELDS))
            books[`${field}.${name}`] = wordAt(returned, place);
        });
      }
      ask(target.market, market.interface.encodeFunctionData("taskOf", [id]), (returned, seen) => {
        const word = (place: number) => wordAt(returned, place);
        seen.state = { status: word(0), outcome: word(1), since: word(2) };
      });
      ask(target.market, market.interface.encodeFunctionData("leaseOf", [id]), (returned, seen) => {
        const word = (place: number) => wordAt(returned, place);
        seen.meter = {
          ...{ readyAt: word(1), endsAt: word(2), last: word(3) },
          ...{ up: word(4), drawn: word(5), closing: word(7) },
        };
      });
      const calls = probesOf(asked);
      return async (): Promise<Seen> => {
        const seen: Seen = {
          books: {},
          state: { status: 0n, outcome: 0n, since: 0n },
          meter: { readyAt: 0n, endsAt: 0n, last: 0n, up: 0n, drawn: 0n, closing: 0n },
        };
        const answers = await probe(calls);
        for (const [i, take] of takers.entries()) take(answers[i]!.returned, seen);
        return seen;
      };
    }

    /** Brings a task into a situation. */
    async function enter(name: SituationName) {
      await rpc("evm_revert", [base]);
      base = await rpc<string>("evm_snapshot");
      const { variant, path, status, taker = "provider" }: Situation = SITUATIONS[name];
      const start = await head();
      const task = await fixture.makeTask({
        ...optionsOf(variant, addresses),
        collateral,
        startBy: start + 200n,
        completeBy: start + 1_200n,
      });
      const escrow = (isOpen(variant) ? 2n : 1n) * PRICE_WEI * DURATION;
      const known: Known = {
        ...{ name, variant, task, escrow, collateral, taker, price: PRICE_WEI },
        ...{ since: 0n, openedAt: 0n, locked: AT_STAKE.includes(status) ? collateral : 0n },
        payer: SPONSORED.includes(variant) ? "payer" : "owner",
        taken: (isOpen(variant) && taker !== "nobody") || taker === "backup",
        meter: { readyAt: 0n, endsAt: 0n, last: 0n, up: 0n, drawn: 0n },
      };
      const calls = await callsOf(known);
      const look = lookerAt(task.id);
      for (const [action, role, when] of path) {
        const seconds = typeof when === "bigint" ? (await head()) + when : when(task);
        await at(seconds);
        await send(calls(action, role));
        if (known.openedAt === 0n) known.openedAt = seconds;
        if (action === "acceptOpen")
          known.price =
            PRICE_WEI + (PRICE_WEI * (seconds - known.openedAt)) / (task.startBy - known.openedAt);
      }
      if (taker === "nobody") known.price = PRICE_WEI;
      const { state, meter } = await look();
      expect(state.status, name).to.equal(BigInt(Status[status]));
      return { known: { ...known, since: state.since, meter }, calls, look };
    }

    /** The second before, of and after each deadline of the situation that is still ahead, and one soon. */
    function momentsOf(known: Known, now: bigint): bigint[] {
      const moments = new Set([now + USED]);
      const clocks: Clock[] = ["startBy", "completeBy"];
      for (const row of TABLE) {
        if (!row.from.includes(known.name)) continue;
        clocks.push(...[row.after, row.until].filter((clock) => clock !== undefined));
      }
      for (const clock of clocks) {
        const deadline = CLOCKS[clock](known);
        if (deadline >= FOREVER - 1n) continue;
        for (const moment of [deadline - 1n, deadline, deadline + 1n])
          if (moment >= now + USED) moments.add(moment);
      }
      if (UPS.some((name) => name === known.name))
        for (const moment of [-1n, 0n, 1n])
          if (CLOCKS.heartbeat(known) + moment >= now + USED) moments.add(CLOCKS.heartbeat(known) + moment);
      return [...moments].sort((a, b) => (a < b ? -1 : 1));
    }

    // ---- One cell ----

    type Entered = Awaited<ReturnType<typeof enter>>;

    async function allow({ known, calls, look }: Entered, row: Row, role: Role, now: bigint, before: Seen) {
      const what = `${known.name} ${row.action} ${role} at ${now}`;
      await at(now);
      await send(calls(row.action, role));
      const { books, state, meter } = await look();
      expect(state, what).to.deep.equal(
        row.stays === true
          ? before.state
          : { status: BigInt(Status[row.to]), outcome: BigInt(Outcome[row.outcome]), since: now },
      );
      expect(books, what).to.deep.equal(add(before.books, row.moves(known, role, now)));
      if (row.lease !== undefined) {
        const { closing, ...shown } = row.lease(known, now);
        expect(meter, what).to.deep.equal({
          ...before.meter,
          ...shown,
          ...(closing === undefined ? {} : { closing: BigInt(Outcome[closing]) }),
        });
      }
      // I-1, I-2, I-19: what the market has is the ledger, the fees due and what is escrowed, to the wei.
      let owed = 0n;
      for (const [name, amount] of Object.entries(books)) if (/^(ledger|fees)\./.test(name)) owed += amount;
      if (LIVE.includes(row.to)) {
        owed += known.escrow - known.price * meter.drawn;
        if (row.action === "topUp") owed += known.price * TOP_UP;
      }
      if (row.to === "Disputed") owed += bondOf(known).fee + bondOf(known).own;
      expect(books["wallet.market"], what).to.equal(owed);
      // I-11
      const held = (books["locked.provider"] ?? 0n) + (books["locked.backup"] ?? 0n);
      expect(held, what).to.equal(AT_STAKE.includes(row.to) ? collateral : 0n);
    }

    /** Compares what came of a call with what the table says. */
    function judge({ action, role, expected }: Cell, known: Known, now: bigint, { done, returned }: Answer) {
      const refusal = done ? "done" : (errors.get(returned.slice(0, 10)) ?? returned);
      const names = !Array.isArray(expected) || action === "heartbeat" ? ["done"] : expected;
      const what = () => `${known.name} ${action} ${role} at ${now}`;
      if (!names.includes(refusal)) expect.fail(`${what()}: ${refusal}, expected ${names.join(" or ")}`);
      if (done || names.length > 1) return;
      // What is only a matter of time says when.
      const [row, ...others] = rowsOf(known, action);
      if (row === undefined || others.length > 0) return;
      // Behind the selector and the id.
      const told = () => [1, 2].map((place) => wordAt(`0x${returned.slice(10)}`, place));
      if (refusal === "TaskMarket_TooLate" && row.until !== undefined)
        expect(told(), what()).to.deep.equal([CLOCKS[row.until](known), now]);
      if (refusal === "TaskMarket_TooEarly" && row.after !== undefined)
        expect(told(), what()).to.deep.equal([CLOCKS[row.after](known) + 1n, now]);
    }

    /** A heartbeat that is not the table's is passed over with an event, and meters nothing. */
    async function skip({ known, calls, look }: Entered, role: Role, now: bigint, before: Seen) {
      await at(now);
      const hash = await send(calls("heartbeat", role));
      const receipt = await rpc<{ logs: { topics: string[] }[] }>("eth_getTransactionReceipt", [hash]);
      const { topicHash } = fixture.market.interface.getEvent("HeartbeatSkipped");
      expect(receipt.logs.map(({ topics }) => topics)).to.deep.equal([[topicHash, known.task.id]]);
      expect(await look(), `${known.name} heartbeat ${role} at ${now}`).to.deep.equal(before);
    }

    for (const name of NAMES) {
      if (collateral === 0n && isOpen(SITUATIONS[name].variant)) continue;
      it(`from ${name}`, async () => {
        const entered = await enter(name);
        const { known, calls, look } = entered;
        const before = await look();
        const start = await head();
        const done = new Set<Row>();
        // The calls are the same at each moment.
        const asked = probesOf(
          cellsOf(known, start).map(({ action, role }) => {
            const { from: caller, to, value, data } = calls(action, role);
            return { from: caller, target: to, value, data };
          }),
        );
        const moments = momentsOf(known, start);
        for (const [i, now] of moments.entries()) {
          const snapshot = await rpc<string>("evm_snapshot");
          await at(now);
          await rpc("evm_mine");
          const tried = cellsOf(known, now);
          if (whole) {
            const answers = await probe(asked);
            for (const [i, cell] of tried.entries()) judge(cell, known, now, answers[i]!);
          }
          cells += whole ? tried.length : 0;
          let moment = await rpc<string>("evm_snapshot");
          for (const { action, role, expected } of tried) {
            if (Array.isArray(expected)) {
              if (action !== "heartbeat" || !whole || role !== "provider") continue;
              await skip(entered, role, now, before);
            } else {
              const [earlier, later] = [moments[i - 1], moments[i + 1]].map(
                (moment) => moment !== undefined && expectation(known, action, role, moment) === expected,
              );
              const inside = earlier === true && later === true && !METERED_BY.includes(action);
              if (whole ? inside : done.has(expected)) continue;
              done.add(expected);
              allowed++;
              await allow(entered, expected, role, now, before);
            }
            await rpc("evm_revert", [moment]);
            moment = await rpc<string>("evm_snapshot");
          }
          await rpc("evm_revert", [snapshot]);
        }
        // Each row that starts here was tried.
        for (const row of TABLE) if (row.from.includes(name)) expect(done, row.action).to.include(row);
      });
    }
  });
}

interface Seen {
  books: Moves;
  state: { status: bigint; outcome: bigint; since: bigint };
  meter: Meter & { closing: bigint };
}

interface Cell {
  action: Action;
  role: Role;
  expected: Row | string[];
}

function cellsOf(known: Known, now: bigint): Cell[] {
  const cells: Cell[] = [];
  for (const action of ACTION_NAMES) {
    // Orders for a backup are not submitted, and nobody quotes an open task.
    if (action === "submit" && known.variant === "backed") continue;
    if (action === "quoted" && isOpen(known.variant)) continue;
    for (const role of ROLES) cells.push({ action, role, expected: expectation(known, action, role, now) });
  }
  return cells;
}
