/** The file beside a component that tells the host what it holds without running it. */

import type { Asks } from './grants.js';
import type { Limits } from './limits.js';
import type { Initialization } from './package-config.js';
import type { World } from './toolchain.js';

/** What a component says of one of its handlers. */
export interface HandlerDescriptor {
  name: string;
  version: string;
  capabilities: string[];
  methods: string[];
  configSchema?: string | undefined;
}

/** What a component says of one of its publishers. */
export interface PublisherDescriptor {
  /** What templates name as `publisher`. */
  name: string;
  /** Whether it wants to hear how its events fared. */
  reports: boolean;
}

/** What a component says of one of its subscribers. */
export interface Subscription {
  subscriber: string;
  /** Event names; `*` stands for any characters. */
  patterns: string[];
}

/** `<name>.manifest.json`. */
export interface Manifest {
  manifest_version: 1;
  name: string;
  namespace: string;
  /** File name, beside the manifest. */
  component: string;
  component_sha256: string;
  source_map: string;
  initialization: { mode: Initialization; reason: string };
  input_hash: string;
  sdk: { name: string; version: string };
  engine: { name: string; componentize_js: string };
  /** `full-handler` where there are publishers or subscriptions. */
  world: World;
  handlers: Array<Omit<HandlerDescriptor, 'configSchema'> & { limits?: Limits }>;
  publishers: PublisherDescriptor[];
  subscriptions: Subscription[];
  /** What the `config` import shows the guest. */
  settings: Record<string, unknown>;
  /** For every handler that has none of its own. */
  limits?: Limits;
  grants?: Asks;
}
