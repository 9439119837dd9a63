//! Who asks, and what of the whole they are to see.

use super::permission::{Permission, Permissions};
use crate::api::error::ApiError;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct Caller {
    /// The name under which what they do is kept; none if the request says it.
    actor: Option<String>,
    /// What they may do.
    pub(in crate::api) permissions: Permissions,
    /// Where they may do it.
    pub(in crate::api) namespaces: Namespaces,
}

/// The namespaces that somebody sees. What is in another does not exist for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) enum Namespaces {
    /// Every one there is or will be.
    All,
    /// These.
    Only(Vec<String>),
}

impl Namespaces {
    /// As tokens and keys name them: none said or `*` is all.
    pub(super) fn named(names: Option<Vec<String>>) -> Self {
        match names {
            None => Self::All,
            Some(names) if names.iter().any(|name| name == "*") => Self::All,
            Some(names) => Self::Only(names),
        }
    }

    /// Whether this one is among them.
    pub(in crate::api) fn include(&self, namespace: &str) -> bool {
        match self {
            // No name holds what no text of the database can.
            Self::All => !namespace.contains('\0'),
            Self::Only(names) => names.iter().any(|name| name == namespace),
        }
    }

    /// Their names, or of them the one that a request asks for; none for all. What the caller does not see is as empty as
    /// what is not there.
    pub(in crate::api) fn narrowed(&self, asked: Option<&str>) -> Option<Vec<String>> {
        match asked {
            Some(asked) if self.include(asked) => Some(vec![asked.to_owned()]),
            Some(_) => Some(Vec::new()),
            None => self.names().map(<[String]>::to_vec),
        }
    }

    /// Their names, as a statement takes them; none for all.
    pub(in crate::api) fn names(&self) -> Option<&[String]> {
        match self {
            Self::All => None,
            Self::Only(names) => Some(names),
        }
    }
}

impl Caller {
    pub(super) fn new(actor: String, permissions: Permissions, namespaces: Namespaces) -> Self {
        Self { actor: Some(actor), permissions, namespaces }
    }

    /// Somebody who is not asked who they are, and may do everything.
    pub(super) fn all_powerful(actor: Option<&str>) -> Self {
        Self { actor: actor.map(str::to_owned), permissions: Permissions::all(), namespaces: Namespaces::All }
    }

    /// The name under which an action is kept: whoever the request names, and the key or token that was used.
    pub(in crate::api) fn signs(&self, named: Option<&str>) -> String {
        match (named.filter(|name| !name.trim().is_empty()), &self.actor) {
            (Some(named), Some(actor)) => format!("{named} ({actor})"),
            (Some(named), None) => named.to_owned(),
            (None, Some(actor)) => actor.clone(),
            (None, None) => "unknown".to_owned(),
        }
    }

    /// Refuses what the caller may not do.
    pub(in crate::api) fn may(&self, permission: Permission) -> Result<(), ApiError> {
        if self.permissions.allow(permission) {
            return Ok(());
        }
        Err(ApiError::forbidden(format!(
            "this needs the permission `{permission}`, which the key or token does not have"
        )))
    }

    /// As [`Self::may`], where either will do: what is one permission for Tasker's orchestration is another for its workers.
    pub(in crate::api) fn may_either(&self, permission: Permission, or: Permission) -> Result<(), ApiError> {
        if self.permissions.allow(or) { Ok(()) } else { self.may(permission) }
    }

    /// As [`Self::may`], for what concerns all namespaces at once.
    pub(in crate::api) fn may_everywhere(&self, permission: Permission) -> Result<(), ApiError> {
        self.may(permission)?;
        match self.namespaces {
            Namespaces::All => Ok(()),
            Namespaces::Only(_) => Err(ApiError::forbidden("this is for keys and tokens of all namespaces")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_may_what_it_was_given_where_it_was_given() {
        let namespaces = Namespaces::named(Some(vec!["bakery".into()]));
        let caller = Caller::new("ada".into(), Permissions::parse(["tasks:read"]).unwrap(), namespaces);
        assert!(caller.may(Permission::TasksRead).is_ok());
        assert_eq!(
            caller.may(Permission::TasksCancel),
            Err(ApiError::forbidden("this needs the permission `tasks:cancel`, which the key or token does not have"))
        );
        assert!(caller.may_everywhere(Permission::TasksRead).is_err());
        assert!(caller.namespaces.include("bakery") && !caller.namespaces.include("smithy"));
    }

    #[test]
    fn no_names_and_a_star_are_all_namespaces_and_an_empty_list_is_none() {
        assert_eq!(Namespaces::named(None), Namespaces::All);
        assert_eq!(Namespaces::named(Some(vec!["a".into(), "*".into()])), Namespaces::All);
        assert!(!Namespaces::named(Some(Vec::new())).include("a"));
    }
}
