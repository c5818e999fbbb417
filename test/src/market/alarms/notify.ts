/**
 * Notices that a task failed and tells a webhook, as `alarm watch` does. With `crash-before-sending` it kills itself once
 * the alarm is noted.
 */
import { Notifier } from "../../../../src/market/alarms/notifier.ts";
import { webhookSink } from "../../../../src/market/alarms/webhook.ts";
import { ownedTask, SECRET, watched } from "./support.ts";

const [home = "", url = "", how] = process.argv.slice(2);
const sink = webhookSink({
  name: "ops",
  kinds: undefined,
  timeoutSeconds: 30,
  url: new URL(url),
  secret: SECRET,
});
const notifier = await Notifier.open({ home, sinks: [sink] });
notifier.observe(watched({ tasks: [ownedTask("Active")] }));
notifier.observe(watched({ tasks: [ownedTask("Failed")] }));
if (how === "crash-before-sending") process.kill(process.pid, "SIGKILL");
await notifier.deliver();
notifier.close();
