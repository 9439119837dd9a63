//! Who does something by hand, and why: the options that every such verb has.

use clap::Args;

use crate::store::Operator;

#[derive(Debug, Args)]
pub(super) struct OperatorArgs {
    /// Why; kept in the history
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    by: ByArgs,
}

#[derive(Debug, Args)]
pub(super) struct ByArgs {
    /// Who does it [default: the user of this process]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl OperatorArgs {
    pub(super) fn operator(self) -> Operator {
        Operator { actor: self.by.name(), reason: self.reason }
    }
}

impl ByArgs {
    /// The name given, or that of the user; a user without a name is their number.
    pub(super) fn name(self) -> String {
        self.by.unwrap_or_else(|| {
            let user = nix::unistd::geteuid();
            nix::unistd::User::from_uid(user).ok().flatten().map_or_else(|| user.to_string(), |user| user.name)
        })
    }
}
