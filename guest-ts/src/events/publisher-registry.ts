/**
 * Publishers by name. In a component, publishers that a module registers when it loads are found beside those it
 * exports.
 */

import {
  DuplicatePublisherError,
  PublisherNotFoundError,
  PublisherValidationError,
  RegistryFrozenError,
} from './errors.js';
import { eventLogger } from './logger.js';
import { nameOf } from './publication.js';
import { type BasePublisher, DefaultPublisher } from './publisher.js';

const DEFAULT = 'default';

let shared: PublisherRegistry | null = null;

/** Publishers by name; there is one registry. */
export class PublisherRegistry {
  private readonly publishers = new Map<string, BasePublisher>();
  private readonly defaultPublisher = new DefaultPublisher();
  private frozen = false;

  private constructor() {}

  static get instance(): PublisherRegistry {
    shared ??= new PublisherRegistry();
    return shared;
  }

  static getInstance(): PublisherRegistry {
    return PublisherRegistry.instance;
  }

  /**
   * @param publisher an instance, or a class to make one of
   * @throws RegistryFrozenError, DuplicatePublisherError
   */
  register(publisher: BasePublisher | (new () => BasePublisher)): void {
    this.refuseWhenFrozen();
    const instance = typeof publisher === 'function' ? new publisher() : publisher;
    const name = nameOf(instance);
    if (typeof name !== 'string' || name === '') {
      throw new Error(`${instance.constructor.name} has no publisherName: templates could not name it`);
    }
    if (this.publishers.has(name)) {
      throw new DuplicatePublisherError(name);
    }
    this.publishers.set(name, instance);
  }

  get(name: string): BasePublisher | undefined {
    return this.publishers.get(name);
  }

  getOrDefault(name?: string): BasePublisher {
    if (!name || name === DEFAULT) {
      return this.defaultPublisher;
    }
    const publisher = this.publishers.get(name);
    if (publisher === undefined) {
      eventLogger().warn({ publisher: name }, 'Publisher not found, using the default');
    }
    return publisher ?? this.defaultPublisher;
  }

  /** @throws PublisherNotFoundError */
  getStrict(name: string): BasePublisher {
    const publisher = name === DEFAULT ? this.defaultPublisher : this.publishers.get(name);
    if (publisher === undefined) {
      throw new PublisherNotFoundError(name, this.registeredNames);
    }
    return publisher;
  }

  /** The first publisher whose `publishesFor` names the step. */
  getForStep(step: string): BasePublisher | undefined {
    return [...this.publishers.values()].find((publisher) =>
      (publisher as { publishesFor?(): string[] }).publishesFor?.().includes(step),
    );
  }

  isRegistered(name: string): boolean {
    return name === DEFAULT || this.publishers.has(name);
  }

  get registeredNames(): string[] {
    return [...this.publishers.keys()];
  }

  get count(): number {
    return this.publishers.size;
  }

  get isEmpty(): boolean {
    return this.publishers.size === 0;
  }

  get isFrozen(): boolean {
    return this.frozen;
  }

  /** @throws RegistryFrozenError */
  unregister(name: string): boolean {
    this.refuseWhenFrozen();
    return this.publishers.delete(name);
  }

  /** @throws RegistryFrozenError */
  clear(): void {
    this.refuseWhenFrozen();
    this.publishers.clear();
  }

  /**
   * Freezes the registry when it has all these names.
   *
   * @throws PublisherValidationError
   */
  validateRequired(names: string[]): void {
    const missing = names.filter((name) => !this.isRegistered(name));
    if (missing.length > 0) {
      throw new PublisherValidationError(missing, this.registeredNames);
    }
    this.frozen = true;
  }

  freeze(): void {
    this.frozen = true;
  }

  /** Empties and thaws the registry. */
  reset(): void {
    this.publishers.clear();
    this.frozen = false;
  }

  private refuseWhenFrozen(): void {
    if (this.frozen) {
      throw new RegistryFrozenError();
    }
  }
}
