/** What a decision comes to. */
export enum DecisionType {
  /** The named steps come into being. */
  CREATE_STEPS = 'create_steps',
  /** None does. */
  NO_BRANCHES = 'no_branches',
}

/** A decision in full; `decisionSuccess` and `skipBranches` build it from less. */
export interface DecisionPointOutcome {
  decisionType: DecisionType;
  /** Steps of the template that depend on the decision. */
  nextStepNames: string[];
  /** Carried along in the result; the orchestration creates steps of the template only. */
  dynamicSteps?: Array<Record<string, unknown>>;
  reason?: string;
  /** What the decision was made on, for whoever reads the result. */
  routingContext: Record<string, unknown>;
}
