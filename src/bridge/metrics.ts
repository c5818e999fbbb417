/** A number that is watched, with what tells it from others of its name. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly value: number | bigint;
  readonly labels?: Readonly<Record<string, string | number>>;
}

/** In Prometheus' text format, version 0.0.4. */
export function metricsText(metrics: readonly Metric[]): string {
  const named = new Set<string>();
  const lines = metrics.flatMap(({ name, help, value, labels = {} }) => {
    const pairs = Object.entries(labels).map(([label, each]) => `${label}="${each}"`);
    const line = `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`;
    if (named.has(name)) return [line];
    named.add(name);
    return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, line];
  });
  return `${lines.join("\n")}\n`;
}
