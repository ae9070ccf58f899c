//! Refused requests, with the status and body that Marathon answers.

use std::fmt;

use serde_json::{Value, json};

/// The id of a deployment, as in the `Marathon-Deployment-Id` header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeploymentId(pub String);

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One rule that a spec breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, in Marathon's notation (`/networks(0)/name`).
    pub path: String,
    /// What is wrong with it.
    pub error: String,
}

impl Violation {
    pub(crate) fn new(path: impl Into<String>, error: impl Into<String>) -> Self {
        Violation {
            path: path.into(),
            error: error.into(),
        }
    }
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// Nothing of that name exists.
    #[error("{0}")]
    NotFound(String),
    /// The request clashes with what exists.
    #[error("{0}")]
    Conflict(String),
    /// Another deployment works on the same run spec; `force` overrides it.
    #[error(
        "App is locked by one or more deployments. Override with the option '?force=true'. \
         View details at '/v2/deployments/<DEPLOYMENT_ID>'."
    )]
    Locked(Vec<DeploymentId>),
    /// The spec is well-formed but breaks rules.
    #[error("Object is not valid")]
    Invalid(Vec<Violation>),
    /// The request is not understood.
    #[error("{0}")]
    BadRequest(String),
    /// The resource exists, but not for this method or `Accept` header.
    #[error("HTTP 405 Method Not Allowed")]
    MethodNotAllowed,
}

impl ApiError {
    pub(crate) fn invalid(path: &str, error: impl Into<String>) -> Self {
        ApiError::Invalid(vec![Violation::new(path, error)])
    }

    /// The HTTP status of the refusal.
    pub fn status(&self) -> u16 {
        match self {
            ApiError::BadRequest(_) => 400,
            ApiError::NotFound(_) => 404,
            ApiError::MethodNotAllowed => 405,
            ApiError::Conflict(_) | ApiError::Locked(_) => 409,
            ApiError::Invalid(_) => 422,
        }
    }

    /// The JSON body of the refusal.
    pub fn body(&self) -> Value {
        let mut body = json!({ "message": self.to_string() });
        match self {
            ApiError::Locked(ids) => {
                let ids: Vec<_> = ids.iter().map(|id| json!({ "id": id.0 })).collect();
                body["deployments"] = ids.into();
            }
            ApiError::Invalid(violations) => {
                let details: Vec<_> = violations
                    .iter()
                    .map(|v| json!({ "path": v.path, "errors": [v.error] }))
                    .collect();
                body["details"] = details.into();
            }
            _ => {}
        }
        body
    }
}
