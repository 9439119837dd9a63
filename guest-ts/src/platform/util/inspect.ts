/** How Node shows values: its own code, in a module of its own, as it is big. */

import inspection from 'node-inspect-extracted';

export const { format, formatWithOptions, inspect } = inspection;
