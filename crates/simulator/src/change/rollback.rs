//! Ending a deployment before its time.

use super::{Accepted, Edit, Origin};
use crate::deploy::Deployment;
use crate::error::{ApiError, DeploymentId};
use crate::state::State;

impl State {
    /// The deployment just ends; what it has done stays.
    pub(crate) fn cancel_deployment(&mut self, id: &str) -> Result<DeploymentId, ApiError> {
        let id = self.running(id)?.id.clone();
        self.cancel_deployments(std::slice::from_ref(&id));
        Ok(id)
    }

    /// Another deployment brings back the versions of before.
    pub(crate) fn roll_back(&mut self, id: &str, by: &Origin) -> Result<Accepted, ApiError> {
        let before = &self.running(id)?.before;
        let edits = before.iter().filter_map(|(kind, id, old)| match old {
            Some(spec) => Some(Edit::Restore(spec.clone())),
            None if self.run_spec(id).is_some() => Some(Edit::Delete(*kind, id.clone())),
            None => None,
        });
        let edits = edits.collect();
        let by = Origin {
            force: true,
            ..by.clone()
        };
        self.apply_to("/", edits, &by)
    }

    fn running(&self, id: &str) -> Result<&Deployment, ApiError> {
        let found = self.deployments.iter().find(|d| d.id.0 == id);
        let missing = || ApiError::NotFound(format!("DeploymentPlan {id} does not exist"));
        found.ok_or_else(missing)
    }
}
