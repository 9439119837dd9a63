/** What the publisher registry refuses. */

/** No publisher has the name. */
export class PublisherNotFoundError extends Error {
  readonly publisherName: string;
  readonly registeredPublishers: string[];

  constructor(name: string, registered: string[]) {
    super(`Publisher '${name}' not found. Registered: ${registered.join(', ') || 'none'}`);
    this.name = 'PublisherNotFoundError';
    this.publisherName = name;
    this.registeredPublishers = registered;
  }
}

/** Publishers that are required are missing. */
export class PublisherValidationError extends Error {
  readonly missingPublishers: string[];
  readonly registeredPublishers: string[];

  constructor(missing: string[], registered: string[]) {
    super(`Missing publishers: ${missing.join(', ')}. Registered: ${registered.join(', ') || 'none'}`);
    this.name = 'PublisherValidationError';
    this.missingPublishers = missing;
    this.registeredPublishers = registered;
  }
}

/** Publishers come too late. */
export class RegistryFrozenError extends Error {
  constructor() {
    super('The publisher registry is frozen: register publishers before it is validated');
    this.name = 'RegistryFrozenError';
  }
}

/** Two publishers have one name. */
export class DuplicatePublisherError extends Error {
  readonly publisherName: string;

  constructor(name: string) {
    super(`Publisher '${name}' is already registered`);
    this.name = 'DuplicatePublisherError';
    this.publisherName = name;
  }
}
