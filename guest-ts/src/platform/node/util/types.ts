/** `node:util/types`. */

import * as types from '../../util/types.js';

export * from '../../util/types.js';

export default types;
