import type { Log } from "ethers";

import { TaskMarket__factory } from "../../types/factories/market/TaskMarket__factory.ts";
import type {
  TaskClosedEvent,
  TaskDeliveredEvent,
  TaskSubmittedEvent,
} from "../../types/market/TaskMarket.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { decodeReport, decodeSubmitted, type Report, type Task } from "./terms.ts";

/** What a provider handed over, as the chain announced it. */
export interface DeliveryFacts extends Report {
  readonly resultHash: string;
  readonly evidenceHash: string;
  /** Where the result is. */
  readonly result: string;
}

/** What happened to a task. */
export type TaskEvent =
  | { readonly name: "TaskSubmitted"; readonly id: string; readonly task: Task }
  | { readonly name: "TaskAccepted"; readonly id: string }
  | { readonly name: "TaskDelivered"; readonly id: string; readonly delivery: DeliveryFacts }
  | { readonly name: "TaskClosed"; readonly id: string; readonly outcome: Outcome };

const INTERFACE = TaskMarket__factory.createInterface();

/** The first topic of each event of a task; the second is the task's id. */
export const TASK_TOPICS: Readonly<Record<TaskEvent["name"], string>> = {
  TaskSubmitted: INTERFACE.getEvent("TaskSubmitted").topicHash,
  TaskAccepted: INTERFACE.getEvent("TaskAccepted").topicHash,
  TaskDelivered: INTERFACE.getEvent("TaskDelivered").topicHash,
  TaskClosed: INTERFACE.getEvent("TaskClosed").topicHash,
};

/**
 * What a log of the market says about a task; `undefined` for a log that is about none.
 * Errors: `terms.unsupported`, `resources.malformed` for a task with terms that are not understood here.
 */
export function decodeTaskEvent({ topics, data }: Pick<Log, "topics" | "data">): TaskEvent | undefined {
  const [topic, id = ""] = topics;
  // The ABI that the types below were generated from decodes the log.
  const decode = (name: TaskEvent["name"]): unknown =>
    INTERFACE.decodeEventLog(name, data, topics).toObject();
  switch (topic) {
    case TASK_TOPICS.TaskSubmitted: {
      const args = decode("TaskSubmitted") as TaskSubmittedEvent.OutputObject;
      return { name: "TaskSubmitted", id, task: decodeSubmitted(args) };
    }
    case TASK_TOPICS.TaskAccepted:
      return { name: "TaskAccepted", id };
    case TASK_TOPICS.TaskDelivered: {
      const { report, resultHash, evidenceHash, result } = decode(
        "TaskDelivered",
      ) as TaskDeliveredEvent.OutputObject;
      return {
        name: "TaskDelivered",
        id,
        delivery: { ...decodeReport(report), resultHash, evidenceHash, result },
      };
    }
    case TASK_TOPICS.TaskClosed: {
      const { outcome } = decode("TaskClosed") as TaskClosedEvent.OutputObject;
      return { name: "TaskClosed", id, outcome: outcomeOf(outcome) };
    }
    default:
      return undefined;
  }
}
