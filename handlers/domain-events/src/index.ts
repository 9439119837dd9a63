export { InvoicePublisher, LoyaltyPublisher } from './publishers/after_shipment_publishers.js';
export { PaymentEventPublisher } from './publishers/payment_event_publisher.js';
export { ShipmentEventPublisher } from './publishers/shipment_event_publisher.js';
export { ProcessPaymentHandler, ShipOrderHandler, ValidateOrderHandler } from './step_handlers/order_step_handlers.js';
export { AuditSubscriber } from './subscribers/audit_subscriber.js';
export { LedgerSubscriber } from './subscribers/ledger_subscriber.js';
