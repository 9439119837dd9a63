/** The host's imports as a package's top level meets them in the probe: they answer, and leave a trace. */

import vm from 'node:vm';
import { askFor } from './asked-imports.js';

/** What every world imports: functions, and what they answer. */
const INTERFACES: Readonly<Record<string, Record<string, unknown>>> = {
  'tasker:handler/log@0.1.0': { enabled: false, emit: undefined },
  'tasker:handler/execution@0.1.0': { remainingMs: 60_000, cancellationRequested: false, saveCheckpoint: undefined },
  'tasker:handler/config@0.1.0': { get: undefined, entries: [] },
};

/** Of the interfaces a package asks for, what a top level may well look at. */
const ANSWERS: Readonly<Record<string, unknown>> = { getEnvironment: [], getArguments: [], getDirectories: [] };

/** @param asked what the modules export that the package's grants bring */
export function hostModule(
  specifier: string,
  asked: Readonly<Record<string, readonly string[]>>,
  context: vm.Context,
  touch: (what: string) => void,
): vm.Module {
  const functions =
    INTERFACES[specifier] ??
    (asked[specifier] && Object.fromEntries(asked[specifier].map((name) => [name, ANSWERS[name]])));
  if (functions === undefined) {
    throw new Error(`the component's world does not import '${specifier}'; ${remedy(specifier, Object.keys(asked))}`);
  }
  const names = Object.keys(functions);
  return new vm.SyntheticModule(
    names,
    function () {
      for (const name of names) {
        // No arrow function: an exported resource is a class, and `instanceof` asks for a prototype.
        this.setExport(name, function called() {
          touch(`a host import, ${specifier}#${name}`);
          return functions[name];
        });
      }
    },
    { identifier: specifier, context },
  );
}

function remedy(specifier: string, asked: readonly string[]): string {
  const ask = askFor(specifier);
  return ask === undefined
    ? `it imports ${[...Object.keys(INTERFACES), ...asked].join(', ')}`
    : `ask for it in tasker.toml: under [grants], ${ask}`;
}
