/** Stands for a node that starts a run and is killed then: `node.ts <job as JSON> [sandbox]`. */
import type { RunJob } from "../../../../src/provider/runner/runner.ts";
import { SANDBOXES } from "../../../../src/provider/runner/sandbox.ts";
import { running, testRunner } from "./support.ts";

const [job = "", sandbox] = process.argv.slice(2);
const runner = await testRunner(SANDBOXES.find((name) => name === sandbox));
await running(await runner.start(JSON.parse(job) as RunJob));
console.log("running");
setInterval(() => undefined, 1000);
