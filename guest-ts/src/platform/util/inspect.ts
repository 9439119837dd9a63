/** How Node shows values: its own code, in a module of its own, as it is big. */

// biome-ignore assist/source/organizeImports: the library finds what stands in for missing globals.
import { removeStandIns } from './missing-globals.js';
import inspection from 'node-inspect-extracted';

removeStandIns();

export const { format, formatWithOptions, inspect } = inspection;
