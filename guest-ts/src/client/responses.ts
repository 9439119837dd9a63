/** What the host answers, as it writes it. Times are ISO 8601. */

/** A task, and how far its steps are. */
export interface TaskResponse {
  task_uuid: string;
  name: string;
  namespace: string;
  version: string;
  /** Such as `complete`. */
  status: string;
  created_at: string;
  updated_at: string;
  completed_at: string | null;
  context: Record<string, unknown>;
  initiator: string;
  source_system: string;
  reason: string;
  priority: number | null;
  tags: string[] | null;
  correlation_id: string;
  parent_correlation_id: string | null;
  total_steps: number;
  pending_steps: number;
  in_progress_steps: number;
  completed_steps: number;
  failed_steps: number;
  ready_steps: number;
  execution_status: string;
  recommended_action: string;
  /** 0 to 100. */
  completion_percentage: number;
  health_status: string;
  /** Not part of a host's answer: `listTaskSteps` has the steps. */
  steps?: StepReadinessStatus[];
}

/** How far a step is. */
export interface StepReadinessStatus {
  task_uuid: string;
  name: string;
  current_state: string;
  dependencies_satisfied: boolean;
  retry_eligible: boolean;
  ready_for_execution: boolean;
  total_parents: number;
  completed_parents: number;
  attempts: number;
  max_attempts: number;
  last_failure_at: string | null;
  next_retry_at: string | null;
  last_attempted_at: string | null;
}

/** A step, and what its latest attempt left. */
export interface StepResponse extends StepReadinessStatus {
  step_uuid: string;
  created_at: string;
  updated_at: string;
  completed_at: string | null;
  /** Of its latest attempt; what the handler returned is `results.result`. */
  results: Record<string, unknown> | null;
}

/** A change of a step's state. */
export interface StepAuditResponse {
  at: string;
  attempt: number | null;
  from_state: string | null;
  to_state: string;
  reason: string | null;
  /** Who brought it about. */
  actor: string | null;
}

/** Where a list is in all there is. How much that is nobody counts. */
export interface PaginationInfo {
  /** From 1. */
  page: number;
  per_page: number;
  has_next: boolean;
  has_previous: boolean;
  limit: number;
  offset: number;
  /** The same as `has_next`. */
  has_more: boolean;
}

/** Some of the tasks, and where they are in all there are. */
export interface TaskListResponse {
  /** Newest first. */
  tasks: TaskResponse[];
  pagination: PaginationInfo;
}

/** The end of a task that was cancelled. */
export interface CancelTaskResponse {
  cancelled: boolean;
}

/** How the host is. */
export interface HealthCheckResponse {
  healthy: boolean;
  status: string;
  timestamp: string;
}
