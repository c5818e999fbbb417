import { registerHooks } from "node:module";

/**
 * To be imported before a module that runs from source: has Node find the contracts' types, which are generated as
 * TypeScript that imports `.js`. In the package they are JavaScript, and this is not needed.
 */
registerHooks({
  resolve(specifier, context, next) {
    if (!/^\.{1,2}\/.*\.js$/.test(specifier) || context.parentURL?.endsWith(".ts") !== true)
      return next(specifier, context);
    return next(specifier.replace(/js$/, "ts"), context);
  },
});
