/** The order in the task's context, and what the steps pass on. Amounts in cents. */

export interface Item {
  sku: string;
  quantity: number;
  price_cents: number;
}

export interface Order {
  order_id: string;
  customer: { email: string; new?: boolean; country?: string };
  items: Item[];
  payment: { method: 'card' | 'invoice'; card?: string };
  ship_to: { country: string };
}

export interface ValidOrder extends Order {
  total_cents: number;
}

export interface Payment {
  method: 'card' | 'invoice';
  reference: string;
  amount_cents: number;
  paid: boolean;
}
