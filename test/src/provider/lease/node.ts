/** Stands for a node that keeps up a lease and is killed then: `node.ts <job as JSON>`. */
import { LeaseService } from "../../../../src/provider/lease/service.ts";
import type { RunJob } from "../../../../src/provider/runner/runner.ts";
import { testRunner, until } from "../runner/support.ts";
import { TASK } from "./support.ts";

const [job = ""] = process.argv.slice(2);
const service = await LeaseService.start(JSON.parse(job) as RunJob, {
  runner: await testRunner(),
  taskId: TASK,
  lookMs: 50,
});
// At the second look the first one is on record.
await until(() => service.status().uptime.upMs > 0);
console.log("up");
