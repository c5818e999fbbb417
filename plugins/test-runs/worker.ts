/**
 * Loaded in each of mocha's processes. What a test compared goes to the main process as JSON, which has no bigints: without
 * this the run would end there, and not say what failed.
 */
const send = process.send?.bind(process);

if (send !== undefined) {
  process.send = (message: unknown, ...rest: unknown[]): boolean => {
    const legible: unknown = JSON.parse(
      JSON.stringify(message, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value)),
    );
    const sent: unknown = Reflect.apply(send, process, [legible, ...rest]);
    return sent === true;
  };
}
