export { BillCustomersHandler } from './step_handlers/bill_customers.js';
export { CloseMonthHandler, PlanBilling } from './step_handlers/billing_step_handlers.js';
