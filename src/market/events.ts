import { AbiCoder, type Log, toUtf8String, Utf8ErrorFuncs } from "ethers";

import { TaskMarket__factory } from "../../types/factories/market/TaskMarket__factory.ts";
import type { TaskClosedEvent, TaskSubmittedEvent } from "../../types/market/TaskMarket.ts";
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
    case TASK_TOPICS.TaskAccepted:
      return { name: "TaskAccepted", id };
    case TASK_TOPICS.TaskDelivered:
      return { name: "TaskDelivered", id, delivery: decodeDelivery(data) };
    case TASK_TOPICS.TaskClosed: {
      const { outcome } = fieldsOf("TaskClosed") as TaskClosedEvent.OutputObject;
      return { name: "TaskClosed", id, outcome: outcomeOf(outcome) };
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
