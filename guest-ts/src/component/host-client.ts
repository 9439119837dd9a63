/** The client of packages that ask for it. Imported for what it does, and only there: it needs the host's interface. */

import * as client from 'tasker:handler/client@0.1.0';
import { setClientRuntime } from '../client/runtime.js';

setClientRuntime(client);
