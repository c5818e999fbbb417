import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { type Fields, parseFields } from "../../fields.ts";
import { Secret } from "../../secret.ts";
import { ALARM_KINDS, type AlarmKind, type AlarmSettings, DEFAULT_ALARM_SETTINGS } from "../alarms.ts";
import { type CommandSink, commandSink } from "./command.ts";
import type { Sink } from "./sink.ts";
import { webhookFault, type WebhookSink, webhookSink } from "./webhook.ts";

export type SinkConfig = CommandSink | WebhookSink;

/** What `alarms.json` says. */
export interface AlarmConfig {
  readonly settings: AlarmSettings;
  readonly sinks: readonly SinkConfig[];
}

const SCHEMA = "neura/alarms/1";
const TIMEOUT_SECONDS = 10;
const MAX_TIMEOUT_SECONDS = 300;

/** The file of the alarms. */
export function alarmsPath(home: string): string {
  return join(home, "alarms.json");
}

/** Reads the file's text. Error: `alarm.bad-config`, which names all faults at once and quotes no secret. */
export function parseAlarms(text: string, source = "the alarms"): AlarmConfig {
  const next = "Correct them all; docs/alarms.md describes every field.";
  const format = { schema: SCHEMA, source, code: "alarm.bad-config", next, hasSecrets: true };
  return parseFields(text, format, (file) => {
    const defaults = DEFAULT_ALARM_SETTINGS;
    const settings: AlarmSettings = {
      challengeClosingSeconds: file.whole("challengeClosingSeconds") ?? defaults.challengeClosingSeconds,
      leaseEndingSeconds: file.whole("leaseEndingSeconds") ?? defaults.leaseEndingSeconds,
      runwaySeconds: file.whole("runwaySeconds") ?? defaults.runwaySeconds,
      gasLowWei: file.amount("gasLowWei") ?? defaults.gasLowWei,
      limitPercent: file.whole("limitPercent", { from: 1, to: 100 }) ?? defaults.limitPercent,
    };
    const names = new Set<string>();
    const sinks = (file.objects("sinks") ?? []).flatMap((fields) => {
      const sink = sinkIn(fields);
      if (sink !== undefined && names.has(sink.name)) fields.fault("has the name of another");
      if (sink !== undefined) names.add(sink.name);
      fields.end();
      return sink === undefined ? [] : [sink];
    });
    return { settings, sinks };
  });
}

/** The alarms of this machine's user; without the file, no sinks. Error: `alarm.bad-config`. */
export async function loadAlarms(home: string): Promise<AlarmConfig> {
  const path = alarmsPath(home);
  try {
    return parseAlarms(await readFile(path, "utf8"), path);
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (isMissing) return { settings: DEFAULT_ALARM_SETTINGS, sinks: [] };
    throw error;
  }
}

export function openSink(sink: SinkConfig): Sink {
  return "command" in sink ? commandSink(sink) : webhookSink(sink);
}

function sinkIn(fields: Fields): SinkConfig | undefined {
  const name = fields.text(
    "name",
    "is no name of letters, digits, dots and dashes",
    (text) => (/^[\w.-]{1,64}$/.test(text) ? text : undefined),
    { required: true },
  );
  const kinds = fields.names("kinds", (text) => kindOf(text));
  const timeoutSeconds = fields.whole("timeoutSeconds", { from: 1, to: MAX_TIMEOUT_SECONDS });
  const command = fields.names("command", (text) => text);
  const url = fields.text("webhook", "is no URL", (text) => URL.parse(text) ?? undefined);
  const secret = fields.text("secret", "is no text", (text) => new Secret(text));
  const common = {
    name: name ?? "",
    kinds: kinds === undefined ? undefined : new Set(kinds.flatMap((each) => kindOf(each) ?? [])),
    timeoutSeconds: timeoutSeconds ?? TIMEOUT_SECONDS,
  };
  if (url !== undefined && secret !== undefined && command === undefined) {
    const fault = webhookFault({ url, secret });
    if (fault !== undefined) fields.fault(fault);
    return { ...common, url, secret };
  }
  const [program, ...parameters] = command ?? [];
  if (program !== undefined && program !== "" && url === undefined && secret === undefined) {
    return { ...common, command: [program, ...parameters] };
  }
  fields.fault("has neither a command, as a list of its words, nor a webhook with its secret");
  return undefined;
}

function kindOf(text: string): AlarmKind | undefined {
  return ALARM_KINDS.find((kind) => kind === text);
}
