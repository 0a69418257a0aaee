//! Reads the model of `tsur train`, if the pipelines folder has one. Owner: `config`. Invariant: a model that does not fit
//! the dictionaries is a mistake of the configuration like any other, never silently left out.

use std::path::Path;
use std::sync::Arc;

use super::errors::Errors;
use super::reference::Reference;
use crate::enrich::classify::model::Model;
use crate::enrich::classify::model_file::{self, Header};

/// Below the pipelines folder.
pub const MODEL_FILE: &str = "reference/topics.model";

/// A model and where it comes from.
#[derive(Clone, PartialEq, Debug)]
pub struct TrainedModel {
    pub model: Arc<Model>,
    pub header: Header,
}

pub fn read(pipelines_dir: &Path, reference: &Reference, errors: &Errors) -> Option<TrainedModel> {
    let path = pipelines_dir.join(MODEL_FILE);
    let name = path.display().to_string();
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            errors.add_whole(&name, "", format!("cannot be read: {error}"), "a readable file of `tsur train`, or none");
            return None;
        }
    };
    match model_file::decode(&bytes, reference) {
        Ok((model, header)) => Some(TrainedModel { model: Arc::new(model), header }),
        Err(error) => {
            errors.add_whole(&name, "", error.to_string(), "a file of `tsur train`, or none");
            None
        }
    }
}
