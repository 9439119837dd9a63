/**
 * The publishers or the subscribers of a package: what its modules export, as classes or instances, and what they
 * registered when they loaded. A class is constructed when it is asked for, not before: constructors need not be as
 * pure as modules.
 */

import { messageOf } from '../types/thrown.js';

export interface Kind<T extends object> {
  what: 'publisher' | 'subscriber';
  /** The methods that make one: classes of another copy of the SDK are not ours, but have these. */
  methods: readonly string[];
  /** Classes of the SDK, which a package may export again. */
  notTheseClasses: readonly unknown[];
  /** Undefined where neither the object nor its class says one. */
  nameOf(object: T): string | undefined;
}

export class Found<T extends object> {
  private readonly instances: Set<T>;
  private readonly classes: Set<new () => T>;

  constructor(
    private readonly kind: Kind<T>,
    candidates: readonly unknown[],
  ) {
    this.instances = new Set(candidates.filter((value): value is T => typeof value === 'object' && this.fits(value)));
    const known = new Set([...this.instances].map((instance) => instance.constructor));
    this.classes = new Set(
      candidates.filter(
        (value): value is new () => T =>
          typeof value === 'function' &&
          this.fits(value.prototype) &&
          !known.has(value) &&
          !kind.notTheseClasses.includes(value),
      ),
    );
  }

  /**
   * All by name; of a class that cannot be constructed, its prototype: a call will say why.
   *
   * @throws Error when two have one name
   */
  all(): Map<string, T> {
    const { what } = this.kind;
    const found = new Map<string, T>();
    const add = (name: unknown, object: T) => {
      // A class without a name is one that others extend.
      if (typeof name !== 'string' || name === '') {
        return;
      }
      const other = found.get(name);
      if (other !== undefined) {
        throw new Error(
          `Two ${what}s are named '${name}': ${other.constructor.name} and ${object.constructor.name}. Give each its own ${what}Name.`,
        );
      }
      found.set(name, object);
    };
    for (const instance of this.instances) {
      add(this.nameOf(instance), instance);
    }
    for (const type of this.classes) {
      const instance = constructed(type);
      add(this.nameOfClass(type, instance), instance ?? type.prototype);
    }
    return found;
  }

  /**
   * Undefined when there is none.
   *
   * @throws Error why it cannot be constructed
   */
  named(name: string): T | undefined {
    const instance = [...this.instances].find((candidate) => this.nameOf(candidate) === name);
    if (instance !== undefined) {
      return instance;
    }
    const classes = [...this.classes];
    const type =
      classes.find((candidate) => this.nameOf(candidate.prototype) === name) ??
      classes.find((candidate) => this.nameOfClass(candidate, constructed(candidate)) === name);
    if (type === undefined) {
      return undefined;
    }
    const made = create(type);
    this.instances.add(made);
    this.classes.delete(type);
    return made;
  }

  /** Says what there is instead. */
  missing(name: string): Error {
    const names = [...this.all().keys()].join(', ');
    return new Error(`no ${this.kind.what} is called '${name}'; the component has ${names || 'none'}`);
  }

  private nameOfClass(type: new () => T, instance: T | null): string | undefined {
    return instance === null ? (this.nameOf(type.prototype) ?? type.name) : this.nameOf(instance);
  }

  /** A getter may throw, on a prototype above all: that hides one, not the others. */
  private nameOf(object: T): string | undefined {
    try {
      return this.kind.nameOf(object);
    } catch {
      return undefined;
    }
  }

  private fits(value: unknown): boolean {
    const methods = value as Record<string, unknown> | null | undefined;
    return methods != null && this.kind.methods.every((method) => typeof methods[method] === 'function');
  }
}

function constructed<T>(type: new () => T): T | null {
  try {
    return new type();
  } catch {
    return null;
  }
}

function create<T>(type: new () => T): T {
  try {
    return new type();
  } catch (error) {
    throw new Error(`${type.name} cannot be constructed: ${messageOf(error)}`);
  }
}
