export {
  ClosedAccountHandler,
  FlakyCallHandler,
  InvalidRequestHandler,
  RateLimitedCallHandler,
} from './step_handlers/retry_step_handlers.js';
