import { isTerminal, Status } from "../market/outcome.ts";
import { isOpen, type Task } from "../market/terms.ts";
import type { TaskState, Windows } from "./chain-view.ts";

/**
 * What a task is to a provider: it is named by it, it may take it because it is open, or it is named as the backup of
 * whoever does it first.
 */
export type Role = "named" | "candidate" | "backup";

/** What a provider can do about a task now. */
export interface Standing {
  readonly role: Role;
  /** It has accepted it. */
  readonly isTaken: boolean;
  /** It may begin it: nobody else can, or nobody else has. */
  readonly isFree: boolean;
  /** There is nothing left for it to do: the task has ended, or is another's. */
  readonly isOver: boolean;
  /** The last second to accept it [Unix s]. */
  readonly acceptBySeconds: number;
  /** The last second to deliver it, or to be ready; of one that is not taken, if it is at the last moment [Unix s]. */
  readonly completeBySeconds: number;
}

/** In these somebody does the task. */
const TAKEN: ReadonlySet<Status> = new Set([
  Status.Assigned,
  Status.Active,
  Status.Delivered,
  Status.Disputed,
]);

export function roleOf({ terms }: Task, account: string): Role {
  if (terms.provider === account) return "named";
  return isOpen(terms) ? "candidate" : "backup";
}

/** Where a task that is in this state stands for `account`, at this time of the chain [Unix s]. */
export function standingOf(
  task: Task,
  state: TaskState,
  { account, windows, now }: { account: string; windows: Windows; now: number },
): Standing {
  const { terms } = task;
  const { startBySeconds, completeBySeconds } = terms.conditions;
  const { status, sinceSeconds, assignment } = state;
  const role = roleOf(task, account);
  const performer = TAKEN.has(status)
    ? (assignment?.provider ?? (isOpen(terms) ? undefined : terms.provider))
    : undefined;
  const isTaken = performer === account;
  const isStandby = status === Status.Standby;
  const acceptBySeconds =
    role === "backup" ? (isStandby ? sinceSeconds : startBySeconds) + windows.takeOver : startBySeconds;
  // Whoever is not named has as long as the named one, from its acceptance on.
  const spanSeconds = completeBySeconds - startBySeconds;
  const isRelative = role !== "named";
  const beganSeconds = isTaken && status === Status.Active ? sinceSeconds : acceptBySeconds;
  return {
    role,
    isTaken,
    isFree:
      role === "backup"
        ? isStandby || (status === Status.Funded && now > startBySeconds)
        : status === Status.Funded,
    isOver:
      status === Status.None ||
      isTerminal(status) ||
      isOthers({ role, status, isTaken, performer, isSealed: terms.conditions.isSealed === true }),
    acceptBySeconds,
    completeBySeconds: isRelative ? beganSeconds + spanSeconds : completeBySeconds,
  };
}

/** Whether it is another's for good. */
function isOthers({
  role,
  status,
  isTaken,
  performer,
  isSealed,
}: {
  role: Role;
  status: Status;
  isTaken: boolean;
  performer: string | undefined;
  isSealed: boolean;
}): boolean {
  if (isTaken) return false;
  if (role === "named") return performer !== undefined || status === Status.Standby;
  if (status === Status.Delivered || status === Status.Disputed) return true;
  // What is given up by its first provider can come to its backup.
  if (role === "backup") return false;
  // Without the key it can still be left to others.
  return performer !== undefined && !(isSealed && status === Status.Assigned);
}
