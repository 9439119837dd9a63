//! Tasks and steps as clients see them: the field names are those of the REST contract, which makes these structs its
//! JSON. Counts, percentages and derived states are computed when they are read; no row carries them.

mod attempt;
mod readiness;
mod result;
mod step;
mod step_audit;
mod task;
mod transition;

pub use attempt::{AttemptDetail, AttemptFilter};
pub use readiness::StepReadiness;
pub use result::{ResultMetadata, StepExecutionResult};
pub use step::{AttemptTotals, AttemptView, StepView};
pub use step_audit::StepAudit;
pub use task::{TaskFilter, TaskView};
pub use transition::TransitionView;
