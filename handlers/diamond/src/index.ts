export {
  DiamondBranchBHandler,
  DiamondBranchCHandler,
  DiamondEndHandler,
  DiamondStartHandler,
} from './step_handlers/diamond_step_handlers.js';
