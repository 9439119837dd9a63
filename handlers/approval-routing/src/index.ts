export {
  ApproveHandler,
  FinalizeApprovalHandler,
  RouteApprovalHandler,
  ValidateRequestHandler,
} from './step_handlers/approval_step_handlers.js';
