//! What somebody may do, by the names that Tasker's tokens carry.

use std::fmt;
use std::str::FromStr;

use crate::document::did_you_mean;

macro_rules! permissions {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal),+ $(,)?) => {
        /// One thing that somebody may do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Permission {
            $($(#[doc = $doc])+ $variant),+
        }

        impl Permission {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in tokens and keys.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

permissions! {
    /// Create tasks.
    TasksCreate = "tasks:create",
    /// Look at a task.
    TasksRead = "tasks:read",
    /// List tasks.
    TasksList = "tasks:list",
    /// Cancel tasks.
    TasksCancel = "tasks:cancel",
    /// See what tasks were created with.
    TasksContextRead = "tasks:context_read",
    /// Look at steps.
    StepsRead = "steps:read",
    /// Retry, resolve and complete steps by hand.
    StepsResolve = "steps:resolve",
    /// Look at dead letters.
    DlqRead = "dlq:read",
    /// Note what came of dead letters.
    DlqUpdate = "dlq:update",
    /// Count dead letters.
    DlqStats = "dlq:stats",
    /// Look at templates.
    TemplatesRead = "templates:read",
    /// Check templates.
    TemplatesValidate = "templates:validate",
    /// Look at the settings.
    SystemConfigRead = "system:config_read",
    /// Look at handlers and components.
    SystemHandlersRead = "system:handlers_read",
    /// Look at how workflows perform.
    SystemAnalyticsRead = "system:analytics_read",
    /// Look at the settings of the worker.
    WorkerConfigRead = "worker:config_read",
    /// Look at the templates that the worker serves.
    WorkerTemplatesRead = "worker:templates_read",
    /// See what people did.
    SystemAuditRead = "system:audit_read",
    /// Pause, resume and bound namespaces.
    NamespacesManage = "namespaces:manage",
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no such permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no permission {given:?}{}", did_you_mean(given, Permission::ALL.iter().map(|permission| permission.as_str())))]
pub struct UnknownPermission {
    given: String,
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().copied().find(|permission| permission.as_str() == given);
        found.ok_or_else(|| UnknownPermission { given: given.to_owned() })
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions(u32);

impl Permissions {
    /// Everything.
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// Whether this is among them.
    pub fn allow(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u32) != 0
    }

    /// Reads names as tokens and keys carry them: `tasks:read`, `tasks:*` for all of a kind, `*` for all there are.
    ///
    /// # Errors
    ///
    /// A name that is none.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownPermission> {
        names.into_iter().try_fold(Self::default(), |set, name| {
            let named: Permissions = match name.strip_suffix('*') {
                Some("") => Self::all(),
                Some(kind) if kind.ends_with(':') => {
                    let of_kind = |permission: &&Permission| permission.as_str().starts_with(kind);
                    Permission::ALL.iter().filter(of_kind).copied().collect()
                }
                _ => [name.parse()?].into_iter().collect(),
            };
            if named == Self::default() {
                return Err(UnknownPermission { given: name.to_owned() });
            }
            Ok(Self(set.0 | named.0))
        })
    }

    /// The names, in their order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Permission::ALL.iter().filter(move |permission| self.allow(**permission)).map(|permission| permission.as_str())
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | 1 << permission as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_permission_a_star_is_all_of_its_kind() {
        let some = Permissions::parse(["tasks:read", "dlq:*"]).unwrap();
        assert_eq!(some.names().collect::<Vec<_>>(), ["tasks:read", "dlq:read", "dlq:update", "dlq:stats"]);
        assert!(some.allow(Permission::TasksRead) && !some.allow(Permission::TasksCreate));
        assert_eq!(Permissions::parse(["*"]).unwrap(), Permissions::all());
        assert_eq!(Permissions::all().names().count(), Permission::ALL.len());
    }

    #[test]
    fn a_name_that_is_none_is_told_with_the_nearest() {
        let error = Permissions::parse(["task:read"]).unwrap_err();
        assert_eq!(error.to_string(), "there is no permission \"task:read\"; did you mean `tasks:read`?");
        assert_eq!(Permissions::parse(["fish:*"]).unwrap_err().to_string(), "there is no permission \"fish:*\"");
    }
}
