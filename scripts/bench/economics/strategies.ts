/** How a provider plays; nothing set: honestly. */
export interface ProviderPlay {
  /** Of all providers. */
  readonly share: number;
  /** In words, for the table. */
  readonly is: string;
  /** Places that it offers: who does no work has room for more. */
  readonly slots?: number;
  readonly stalls?: boolean;
  /** Delivers something that took no work: always, or where it cannot be challenged. */
  readonly fakes?: "always" | "unchallenged";
  /** Gives in when it is disputed. */
  readonly concedes?: boolean;
  readonly dealsWithItself?: "rewards" | "record";
  /** Delivers, and bills, at the last second that the terms allow. */
  readonly isLast?: boolean;
  readonly fakesLeases?: boolean;
  /** Waits for the highest price of open tasks. */
  readonly snipes?: boolean;
  readonly rotates?: boolean;
}

/** How an owner plays; nothing set: honestly. */
export interface OwnerPlay {
  readonly share: number;
  readonly is: string;
  /** What it orders; default: what honest owners do. */
  readonly only?: "challenged" | "withheld" | "unreadable" | "flood" | "dust" | "missing" | "probe";
  /** Looks at nothing that it gets. */
  readonly isBlind?: boolean;
  /** Disputes what it knows to be good. */
  readonly accuses?: boolean;
  /** Aims all at one honest provider. */
  readonly hasVictim?: boolean;
  /** Names an arbiter that never rules. */
  readonly silentArbiter?: boolean;
}

export const PROVIDERS: Readonly<Record<string, ProviderPlay>> = {
  honest: { share: 0, is: "does its work" },
  stall: { share: 0.04, is: "accepts, and does nothing", stalls: true, slots: 20 },
  rubbish: {
    share: 0.04,
    is: "fakes all, concedes",
    fakes: "always",
    fakesLeases: true,
    concedes: true,
    slots: 20,
  },
  contested: {
    share: 0.04,
    is: "fakes all, lets the arbiter rule",
    fakes: "always",
    fakesLeases: true,
    slots: 20,
  },
  boughtRecord: {
    ...{ share: 0.04, is: "fakes all, concedes, and orders a record from itself", slots: 20 },
    ...{ fakes: "always", fakesLeases: true, concedes: true, dealsWithItself: "record" },
  },
  unchallenged: { share: 0.04, is: "fakes what cannot be challenged", fakes: "unchallenged" },
  selfDealing: { share: 0.04, is: "orders from itself for the rewards", dealsWithItself: "rewards" },
  lastSecond: { share: 0.04, is: "delivers and bills at the last second", isLast: true },
  emptyBeat: { share: 0.04, is: "beats for leases that it does not serve", fakesLeases: true },
  sniper: { share: 0.04, is: "waits for the highest price", snipes: true },
  rotation: { share: 0.04, is: "changes its key in the middle of each job", rotates: true },
};

export const OWNERS: Readonly<Record<string, OwnerPlay>> = {
  honest: { share: 0, is: "pays, checks, disputes what is wrong" },
  blind: { share: 0.08, is: "never looks", isBlind: true },
  accuser: { share: 0.04, is: "disputes what it knows to be good", accuses: true },
  griefer: {
    share: 0.04,
    is: "disputes all of one provider",
    only: "challenged",
    accuses: true,
    hasVictim: true,
  },
  silentArbiter: { share: 0.04, is: "names an arbiter that never rules", silentArbiter: true },
  withheld: { share: 0.03, is: "never publishes the key of sealed tasks", only: "withheld" },
  unreadable: { share: 0.03, is: "opens tasks that nobody can read", only: "unreadable" },
  missing: {
    share: 0.03,
    is: "orders without a payload from one provider",
    only: "missing",
    hasVictim: true,
  },
  dust: { share: 0.03, is: "floods with tasks at no price", only: "dust" },
  flood: { share: 0.03, is: "floods with open tasks at no price", only: "flood" },
  probe: { share: 0.03, is: "orders and takes back", only: "probe" },
};
