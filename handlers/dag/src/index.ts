export {
  CheckPolicy,
  ConvertPrice,
  PriceListing,
  PublishListing,
  RatePhotos,
  ReceiveListing,
  TagPhotos,
} from './step_handlers/listing_step_handlers.js';
