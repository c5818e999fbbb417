/** Stands for a node that keeps up a lease and is killed then: `node.ts <job as JSON>`. */
import { LeaseService } from "../../../../src/provider/lease/service.ts";
import type { RunJob } from "../../../../src/provider/runner/runner.ts";
import { testRunner } from "../runner/support.ts";
import { isUp, TASK } from "./support.ts";

const [job = ""] = process.argv.slice(2);
const service = await LeaseService.start(JSON.parse(job) as RunJob, {
  runner: await testRunner(),
  taskId: TASK,
  lookMs: 50,
});
await isUp(service);
console.log("up");
