import { AbiCoder, type Log, toUtf8String, Utf8ErrorFuncs } from "ethers";

import { ITaskMarket__factory } from "../../types/factories/interfaces/ITaskMarket__factory.ts";
import type {
  BackupNamedEvent,
  LeaseClosingEvent,
  LeaseDrawnEvent,
  LeaseEndedEvent,
  LeaseReadyEvent,
  LeaseToppedUpEvent,
  PayloadKeyPublishedEvent,
  TaskAssignedEvent,
  TaskClosedEvent,
  TaskDisputedEvent,
  TaskPassedOnEvent,
  TaskReopenedEvent,
  TaskResolvedEvent,
  TaskSponsoredEvent,
  TaskSubmittedEvent,
} from "../../types/interfaces/ITaskMarket.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { decodeReport, decodeSubmitted, type Report, type Task } from "./terms.ts";

/** What a provider handed over, as the chain announced it. */
export interface DeliveryFacts extends Report {
  readonly resultHash: string;
  readonly evidenceHash: string;
  /** Where the provider says that the result is; what of it is not UTF-8 stands as U+FFFD. */
  readonly result: string;
}

/** What happened to a task. */
export type TaskEvent =
  | { readonly name: "TaskSubmitted"; readonly id: string; readonly task: Task }
  | { readonly name: "TaskSponsored"; readonly id: string; readonly payer: string }
  | { readonly name: "BackupNamed"; readonly id: string; readonly backup: string }
  | { readonly name: "TaskAccepted"; readonly id: string }
  | {
      readonly name: "TaskAssigned";
      readonly id: string;
      readonly provider: string;
      readonly priceWei: bigint;
    }
  | { readonly name: "PayloadKeyPublished"; readonly id: string; readonly header: string }
  | {
      readonly name: "TaskReopened";
      readonly id: string;
      readonly provider: string;
      readonly reason: Outcome;
    }
  | { readonly name: "TaskPassedOn"; readonly id: string; readonly outcome: Outcome }
  | { readonly name: "TaskDelivered"; readonly id: string; readonly delivery: DeliveryFacts }
  | { readonly name: "TaskSettled"; readonly id: string }
  | { readonly name: "TaskDisputed"; readonly id: string; readonly dispute: DisputeFacts }
  | { readonly name: "TaskResolved"; readonly id: string; readonly resolution: ResolutionFacts }
  | { readonly name: "TaskClosed"; readonly id: string; readonly outcome: Outcome }
  | {
      readonly name: "LeaseReady";
      readonly id: string;
      readonly provider: string;
      readonly endsAtSeconds: number;
      /** How the owner reaches it, encrypted, as hex. */
      readonly ticket: string;
    }
  | {
      readonly name: "LeaseDrawn";
      readonly id: string;
      readonly secondsUp: number;
      readonly paidWei: bigint;
    }
  | {
      readonly name: "LeaseToppedUp";
      readonly id: string;
      readonly payer: string;
      readonly secondsAdded: number;
      readonly endsAtSeconds: number;
    }
  | {
      readonly name: "LeaseClosing";
      readonly id: string;
      readonly reason: Outcome;
      readonly endsAtSeconds: number;
    }
  | {
      readonly name: "LeaseEnded";
      readonly id: string;
      readonly outcome: Outcome;
      readonly upSeconds: number;
    };

/** What an owner disputes. */
export interface DisputeFacts {
  readonly arbiter: string;
  /** The first unit of work that it says is wrong. */
  readonly unit: bigint;
  /** What the salt of the terms is the hash of; 32 zero bytes where the owner keeps it. */
  readonly auditSeed: string;
  readonly bondWei: bigint;
  /** The arbiter's fee, a part of the bond. */
  readonly feeWei: bigint;
  /** The arbiter's last second [Unix s]. */
  readonly rulingBySeconds: number;
}

/** How a dispute ended. */
export interface ResolutionFacts {
  /** The provider's share of what the delivery costs [bps]. */
  readonly providerBps: number;
  readonly slashedWei: bigint;
  readonly bondBackWei: bigint;
}

const INTERFACE = ITaskMarket__factory.createInterface();

const topicOf = (name: TaskEvent["name"]): string => {
  const event = INTERFACE.getEvent(name);
  return event.topicHash;
};

/** The first topic of each event of a task; the second is the task's id. */
export const TASK_TOPICS: Readonly<Record<TaskEvent["name"], string>> = {
  TaskSubmitted: topicOf("TaskSubmitted"),
  TaskSponsored: topicOf("TaskSponsored"),
  BackupNamed: topicOf("BackupNamed"),
  TaskAccepted: topicOf("TaskAccepted"),
  TaskAssigned: topicOf("TaskAssigned"),
  PayloadKeyPublished: topicOf("PayloadKeyPublished"),
  TaskReopened: topicOf("TaskReopened"),
  TaskPassedOn: topicOf("TaskPassedOn"),
  TaskDelivered: topicOf("TaskDelivered"),
  TaskSettled: topicOf("TaskSettled"),
  TaskDisputed: topicOf("TaskDisputed"),
  TaskResolved: topicOf("TaskResolved"),
  TaskClosed: topicOf("TaskClosed"),
  LeaseReady: topicOf("LeaseReady"),
  LeaseDrawn: topicOf("LeaseDrawn"),
  LeaseToppedUp: topicOf("LeaseToppedUp"),
  LeaseClosing: topicOf("LeaseClosing"),
  LeaseEnded: topicOf("LeaseEnded"),
};

/**
 * What a log of the market says about a task; `undefined` for a log that is about none. Contracts take any bytes
 * as text, so anybody can have a task announced that nobody can read.
 *
 * Errors: `task.malformed`; `terms.unsupported`, `resources.malformed` for terms that are not understood here.
 */
export function decodeTaskEvent(log: Pick<Log, "topics" | "data">): TaskEvent | undefined {
  try {
    return decode(log);
  } catch (error) {
    if (isNeuraError(error)) throw error;
    const id = log.topics[1] ?? "";
    throw new NeuraError("task.malformed", `What the chain says of task ${id} cannot be read.`, {
      next: "Leave that task alone.",
      // Its first line names the field; the rest repeats the bytes.
      details: { id, reason: messageOf(error).split("\n", 1)[0]?.slice(0, 200) ?? "" },
      cause: error,
    });
  }
}

function decode({ topics, data }: Pick<Log, "topics" | "data">): TaskEvent | undefined {
  const [topic, id = ""] = topics;
  // The ABI that the types below were generated from decodes the log.
  const fieldsOf = (name: TaskEvent["name"]): unknown =>
    INTERFACE.decodeEventLog(name, data, topics).toObject();
  switch (topic) {
    case TASK_TOPICS.TaskSubmitted: {
      const args = fieldsOf("TaskSubmitted") as TaskSubmittedEvent.OutputObject;
      return { name: "TaskSubmitted", id, task: decodeSubmitted(args) };
    }
    case TASK_TOPICS.TaskSponsored: {
      const { payer } = fieldsOf("TaskSponsored") as TaskSponsoredEvent.OutputObject;
      return { name: "TaskSponsored", id, payer };
    }
    case TASK_TOPICS.BackupNamed: {
      const { backup } = fieldsOf("BackupNamed") as BackupNamedEvent.OutputObject;
      return { name: "BackupNamed", id, backup };
    }
    case TASK_TOPICS.TaskAccepted:
      return { name: "TaskAccepted", id };
    case TASK_TOPICS.TaskAssigned: {
      const { provider, priceWei } = fieldsOf("TaskAssigned") as TaskAssignedEvent.OutputObject;
      return { name: "TaskAssigned", id, provider, priceWei };
    }
    case TASK_TOPICS.PayloadKeyPublished: {
      const { header } = fieldsOf("PayloadKeyPublished") as PayloadKeyPublishedEvent.OutputObject;
      return { name: "PayloadKeyPublished", id, header };
    }
    case TASK_TOPICS.TaskReopened: {
      const { provider, reason } = fieldsOf("TaskReopened") as TaskReopenedEvent.OutputObject;
      return { name: "TaskReopened", id, provider, reason: outcomeOf(reason) };
    }
    case TASK_TOPICS.TaskPassedOn: {
      const { outcome } = fieldsOf("TaskPassedOn") as TaskPassedOnEvent.OutputObject;
      return { name: "TaskPassedOn", id, outcome: outcomeOf(outcome) };
    }
    case TASK_TOPICS.TaskDelivered:
      return { name: "TaskDelivered", id, delivery: decodeDelivery(data) };
    case TASK_TOPICS.TaskSettled:
      return { name: "TaskSettled", id };
    case TASK_TOPICS.TaskDisputed: {
      const { rulingBy, ...facts } = fieldsOf("TaskDisputed") as TaskDisputedEvent.OutputObject;
      const { arbiter, unit, auditSeed, bondWei, feeWei } = facts;
      const dispute = { arbiter, unit, auditSeed, bondWei, feeWei, rulingBySeconds: Number(rulingBy) };
      return { name: "TaskDisputed", id, dispute };
    }
    case TASK_TOPICS.TaskResolved: {
      const { providerBps, slashedWei, bondBackWei } = fieldsOf(
        "TaskResolved",
      ) as TaskResolvedEvent.OutputObject;
      return {
        name: "TaskResolved",
        id,
        resolution: { providerBps: Number(providerBps), slashedWei, bondBackWei },
      };
    }
    case TASK_TOPICS.TaskClosed: {
      const { outcome } = fieldsOf("TaskClosed") as TaskClosedEvent.OutputObject;
      return { name: "TaskClosed", id, outcome: outcomeOf(outcome) };
    }
    case TASK_TOPICS.LeaseReady: {
      const { provider, endsAt, ticket } = fieldsOf("LeaseReady") as LeaseReadyEvent.OutputObject;
      return { name: "LeaseReady", id, provider, endsAtSeconds: Number(endsAt), ticket };
    }
    case TASK_TOPICS.LeaseDrawn: {
      const { secondsUp, paidWei } = fieldsOf("LeaseDrawn") as LeaseDrawnEvent.OutputObject;
      return { name: "LeaseDrawn", id, secondsUp: Number(secondsUp), paidWei };
    }
    case TASK_TOPICS.LeaseToppedUp: {
      const { payer, secondsAdded, endsAt } = fieldsOf("LeaseToppedUp") as LeaseToppedUpEvent.OutputObject;
      return {
        name: "LeaseToppedUp",
        id,
        payer,
        secondsAdded: Number(secondsAdded),
        endsAtSeconds: Number(endsAt),
      };
    }
    case TASK_TOPICS.LeaseClosing: {
      const { reason, endsAt } = fieldsOf("LeaseClosing") as LeaseClosingEvent.OutputObject;
      return { name: "LeaseClosing", id, reason: outcomeOf(reason), endsAtSeconds: Number(endsAt) };
    }
    case TASK_TOPICS.LeaseEnded: {
      const { outcome, upSeconds } = fieldsOf("LeaseEnded") as LeaseEndedEvent.OutputObject;
      return { name: "LeaseEnded", id, outcome: outcomeOf(outcome), upSeconds: Number(upSeconds) };
    }
    default:
      return undefined;
  }
}

/** As the ABI has it, but with the reference as bytes: whatever they are, the owner learns that it was delivered. */
function decodeDelivery(data: string): DeliveryFacts {
  const [report, resultHash, evidenceHash, result] = AbiCoder.defaultAbiCoder().decode(
    ["uint256", "bytes32", "bytes32", "bytes"],
    data,
  ) as unknown as [bigint, string, string, string];
  return {
    ...decodeReport(report),
    resultHash,
    evidenceHash,
    result: toUtf8String(result, Utf8ErrorFuncs.replace),
  };
}
