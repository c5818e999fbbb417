import { alarmsPath, loadAlarms, type SinkConfig } from "../../src/market/alarms/config.ts";
import { Notifier } from "../../src/market/alarms/notifier.ts";
import { offlineAction, publicUrl } from "../context.ts";
import { formatDuration } from "../duration.ts";
import { fields } from "../output.ts";

export default offlineAction("neura/alarm-show/1", async (_: object, { home }) => {
  const { settings, sinks } = await loadAlarms(home);
  const notifier = await Notifier.open({ home, sinks: [] });
  const undelivered = notifier.undelivered();
  notifier.close();
  const shown = sinks.map(withoutSecrets);
  return {
    data: { path: alarmsPath(home), settings, sinks: shown, undelivered },
    text: fields([
      ["Settings", alarmsPath(home)],
      ["Challenge closing", `${formatDuration(settings.challengeClosingSeconds)} before`],
      ["Lease ending", `${formatDuration(settings.leaseEndingSeconds)} before`],
      ["Runway low", `below ${formatDuration(settings.runwaySeconds)}`],
      ["Gas low", `below ${settings.gasLowWei} wei`],
      ["Limit reached", `at ${settings.limitPercent} %`],
      ...(sinks.length === 0 ? [["Sinks", "none: alarms go nowhere"] as const] : []),
      ...shown.map(({ name, to, kinds }) => [name, `${to}; ${kinds?.join(", ") ?? "all kinds"}`] as const),
      ...undelivered.map(
        ({ alarm, sink, attempts, error, isGivenUp }) =>
          [
            isGivenUp ? "Given up" : "Not arrived yet",
            `${alarm.kind} to ${sink}, attempts ${attempts}: ${error ?? "none failed"}`,
          ] as const,
      ),
    ]),
  };
});

/** Neither the arguments of a command nor the path of a URL: both may be keys. */
function withoutSecrets(sink: SinkConfig) {
  const { name, kinds, timeoutSeconds } = sink;
  const to =
    "command" in sink
      ? `${sink.command[0]} with ${sink.command.length - 1} arguments`
      : `${publicUrl(sink.url.href)}, signed with ${sink.secret.toString()}`;
  return { name, to, kinds: kinds && [...kinds], timeoutSeconds };
}
