export {
  AggregateInventoryHandler,
  AnalyzeCsvHandler,
  ProcessCsvRowsHandler,
} from './step_handlers/csv_step_handlers.js';
