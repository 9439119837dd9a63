/** Handlers that were granted a little and take more, one file a kind; and one that behaves. */

import { granted } from './handler.js';

export * from './environment.js';
export * from './files.js';
export * from './requests.js';
export * from './secrets.js';
export * from './tenants.js';

/** Well behaved: what the host runs after each of the others. */
export const Echo = granted('echo', (context) => ({ input: context.inputData, attempt: context.retryCount }));
