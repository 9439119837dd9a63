export { NotifyCustomerHandler, ShipOrderHandler } from './step_handlers/delivery_step_handlers.js';
export { AssessFraudHandler, ChoosePayment } from './step_handlers/fraud_step_handlers.js';
export { ReserveInventoryHandler, ValidateOrderHandler } from './step_handlers/order_step_handlers.js';
export {
  ChargeCardHandler,
  HoldOrderHandler,
  SendInvoiceHandler,
  SettlePaymentHandler,
} from './step_handlers/payment_step_handlers.js';
