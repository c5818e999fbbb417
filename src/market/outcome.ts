/**
 * The enumerations of `contracts/market/Tasks.sol`, number for number. Their names are the same everywhere: on the
 * chain, in the node, on the command line and in JSON.
 */

/** What kind of work a task is. */
export const Kind = { Job: 0, Lease: 1 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Where a task stands. From `Settled` on nothing changes any more. */
export const Status = {
  None: 0,
  /** Paid for; waits for its provider, or for any where it is open. */
  Funded: 1,
  /** Accepted by a provider that cannot read the payload yet. */
  Assigned: 2,
  Active: 3,
  /** Given up by its first provider; the backup may take it. */
  Standby: 4,
  Delivered: 5,
  Disputed: 6,
  Settled: 7,
  Cancelled: 8,
  Expired: 9,
  Declined: 10,
  Failed: 11,
  Abandoned: 12,
  Resolved: 13,
} as const;
export type Status = (typeof Status)[keyof typeof Status];
export type StatusName = keyof typeof Status;

/** Why a task ended. */
export const Outcome = {
  None: 0,
  // Delivered: the used seconds are paid.
  Completed: 1,
  OwnerExitCode: 2,
  OwnerOutOfMemory: 3,
  OwnerTimeLimit: 4,
  OwnerBadInput: 5,
  // Declined: all goes back, nobody pays.
  PayloadMissing: 6,
  PayloadUnreadable: 7,
  PayloadMismatch: 8,
  PolicyRefused: 9,
  RequirementsUnmet: 10,
  PriceTooLow: 11,
  NoCapacity: 12,
  KeyRevoked: 13,
  InfrastructureFault: 14,
  // Ended without the provider's work: all goes back.
  OwnerCancelled: 15,
  NotAccepted: 16,
  ProviderLate: 17,
  ProviderAbandoned: 18,
  KeyWithheld: 19,
  // Ends of leases: the seconds that were up are paid.
  OwnerClosed: 20,
  OwnerIdle: 21,
  ProviderClosed: 22,
  ProviderDown: 23,
  ProviderNotReady: 24,
  // Ends of disputes.
  Conceded: 25,
  RuledForProvider: 26,
  RuledForOwner: 27,
  RuledInPart: 28,
  ArbiterSilent: 29,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];
export type OutcomeName = keyof typeof Outcome;

/** The side at fault. */
export const Fault = { None: 0, Owner: 1, Provider: 2 } as const;
export type Fault = (typeof Fault)[keyof typeof Fault];
export type FaultName = keyof typeof Fault;

const FAULTS = {
  None: Fault.None,
  Completed: Fault.None,
  OwnerExitCode: Fault.Owner,
  OwnerOutOfMemory: Fault.Owner,
  OwnerTimeLimit: Fault.Owner,
  OwnerBadInput: Fault.Owner,
  PayloadMissing: Fault.Owner,
  PayloadUnreadable: Fault.Owner,
  PayloadMismatch: Fault.Owner,
  PolicyRefused: Fault.None,
  RequirementsUnmet: Fault.None,
  PriceTooLow: Fault.None,
  NoCapacity: Fault.None,
  KeyRevoked: Fault.Owner,
  InfrastructureFault: Fault.Provider,
  OwnerCancelled: Fault.None,
  NotAccepted: Fault.None,
  ProviderLate: Fault.Provider,
  ProviderAbandoned: Fault.Provider,
  KeyWithheld: Fault.Owner,
  OwnerClosed: Fault.None,
  OwnerIdle: Fault.None,
  ProviderClosed: Fault.Provider,
  ProviderDown: Fault.Provider,
  ProviderNotReady: Fault.Provider,
  Conceded: Fault.Provider,
  RuledForProvider: Fault.Owner,
  RuledForOwner: Fault.Provider,
  RuledInPart: Fault.None,
  ArbiterSilent: Fault.None,
} as const satisfies Record<OutcomeName, Fault>;

/** The side that an outcome is the fault of: the contract's `faultOf`. */
export function faultOf(outcome: Outcome): Fault {
  return FAULTS[outcomeName(outcome)];
}

/** Whether a delivery can carry this outcome. */
export function isDelivered(outcome: Outcome): boolean {
  return outcome >= Outcome.Completed && outcome <= Outcome.OwnerBadInput;
}

/** Whether a provider can decline a task for this reason. */
export function isDecline(outcome: Outcome): boolean {
  return outcome >= Outcome.PayloadMissing && outcome <= Outcome.InfrastructureFault;
}

/** Whether a task in this status stays as it is for ever. */
export function isTerminal(status: Status): boolean {
  return status >= Status.Settled;
}

/** The status of this number as the chain gives it. Throws `RangeError` for one that is none. */
export function statusOf(value: bigint | number): Status {
  return memberOf(Status, value, "status");
}

/** The outcome of this number as the chain gives it. Throws `RangeError` for one that is none. */
export function outcomeOf(value: bigint | number): Outcome {
  return memberOf(Outcome, value, "outcome");
}

export function statusName(status: Status): StatusName {
  return nameIn(Status, status);
}

export function outcomeName(outcome: Outcome): OutcomeName {
  return nameIn(Outcome, outcome);
}

export function faultName(fault: Fault): FaultName {
  return nameIn(Fault, fault);
}

function memberOf<T extends number>(members: Record<string, T>, value: bigint | number, what: string): T {
  const found = Object.values(members).find((member) => member === Number(value));
  if (found === undefined) throw new RangeError(`${value} is no ${what}`);
  return found;
}

function nameIn<N extends string>(members: Record<N, number>, value: number): N {
  for (const name in members) if (members[name] === value) return name;
  throw new RangeError(`${value} has no name`);
}
