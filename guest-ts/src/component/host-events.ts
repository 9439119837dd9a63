/** Direct events of packages that ask for them. Imported for what it does, and only there, as the client is. */

import { publish } from 'tasker:handler/events@0.1.0';
import { setEventRuntime } from '../events/direct.js';

setEventRuntime(publish);
