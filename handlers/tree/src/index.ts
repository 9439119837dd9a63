export { AllocateHandler, ApprovePlanHandler, SetBudgetHandler } from './step_handlers/budget_step_handlers.js';
