import { requireLease } from "../../src/market/leasing.ts";
import type { TaskStatus } from "../../src/market/status.ts";

/** The status of a lease. Error: `lease.not-a-lease`. */
export function requireKind(status: TaskStatus): TaskStatus {
  if (status.kind === "job") requireLease(status);
  return status;
}
