//! The file of a trained model: a line that says what it is, a line of JSON that says where it comes from, and the weights.
//! Pure: bytes in, bytes out. Invariants: the hash in the header is that of the weights, so half a file is refused; blocks
//! and topics are named by code, so a reordered dictionary changes nothing; a file of another format is refused by name.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::features::FEATURES_VERSION;
use super::model::{Calibration, Feature, LANES, Model};
use crate::config::reference::Reference;

const MAGIC: &[u8] = b"tsur model\n";
/// Version of the layout.
pub const FORMAT: u32 = 1;
const FEATURE_BYTES: usize = 4 + 4 + 4 + LANES;

/// Where a model comes from; for people and for checks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Header {
    pub format: u32,
    /// Version of what a feature is.
    pub features: u32,
    /// Version of `tsur` that taught it.
    pub tsur: String,
    /// Moscow day of the training.
    pub day: String,
    pub seed: u64,
    /// Different texts it was taught with, and rows that repeated one of them.
    pub texts: usize,
    pub repeated: usize,
    /// Codes of the blocks it tells apart.
    pub classes: Vec<String>,
    /// Codes of the blocks and topics whose evidence it weighs.
    pub slots: Vec<String>,
    /// Of the words of the lexicon it was taught beside.
    pub lexicon: String,
    /// Version of the masker its texts went through.
    pub masker: u16,
    pub sharpness: f32,
    pub lexicon_share: f32,
    pub threshold: f32,
    /// What cross-validation measured, as `tsur train` printed it; null if it was left out.
    pub metrics: serde_json::Value,
    /// Numbers of features, and the hash of all that follows the header.
    pub weights: usize,
    pub sha256: String,
}

/// Why a file is no model; none of them is cured by trying again.
#[derive(Debug, Error, PartialEq)]
pub enum ModelFileError {
    #[error("is not a model of `tsur train`")]
    NotAModel,
    #[error("its header cannot be read: {0}")]
    Header(String),
    #[error(
        "has format {found} with features {features}; this version of tsur reads format {FORMAT} with features {FEATURES_VERSION}: train again"
    )]
    Version { found: u32, features: u32 },
    #[error("is damaged: its weights are not those that its header speaks of; copy it again, or train again")]
    Damaged,
    #[error("knows the block {0:?}, which blocks.toml does not have; train again")]
    UnknownBlock(String),
}

/// The bytes of the file. `header` says where the model comes from; what follows from the model is filled in here.
pub fn encode(model: &Model, header: Header, reference: &Reference) -> std::io::Result<Vec<u8>> {
    let body = body(model);
    let header = Header {
        format: FORMAT,
        features: FEATURES_VERSION,
        classes: model.classes.iter().map(|block| reference.blocks[usize::from(*block)].code.clone()).collect(),
        slots: slot_codes(reference),
        sharpness: model.calibration.sharpness,
        lexicon_share: model.calibration.lexicon_share,
        threshold: model.threshold,
        weights: model.features().len(),
        sha256: hex(&Sha256::digest(&body)),
        ..header
    };
    let mut bytes = MAGIC.to_vec();
    serde_json::to_writer(&mut bytes, &header)?;
    bytes.push(b'\n');
    bytes.extend(body);
    Ok(bytes)
}

pub fn decode(bytes: &[u8], reference: &Reference) -> Result<(Model, Header), ModelFileError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(ModelFileError::NotAModel)?;
    let end = rest.iter().position(|byte| *byte == b'\n').ok_or(ModelFileError::Damaged)?;
    let (line, body) = (&rest[..end], &rest[end + 1..]);
    let value: serde_json::Value =
        serde_json::from_slice(line).map_err(|error| ModelFileError::Header(error.to_string()))?;
    let number = |key: &str| value.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0) as u32;
    if (number("format"), number("features")) != (FORMAT, FEATURES_VERSION) {
        return Err(ModelFileError::Version { found: number("format"), features: number("features") });
    }
    let header: Header = serde_json::from_value(value).map_err(|error| ModelFileError::Header(error.to_string()))?;
    let length = LANES * 4 + header.slots.len() * LANES * 4 + header.weights.saturating_mul(FEATURE_BYTES);
    if body.len() != length || hex(&Sha256::digest(body)) != header.sha256 || header.classes.len() > LANES {
        return Err(ModelFileError::Damaged);
    }
    let block = |code: &String| {
        let found = reference.blocks.iter().position(|block| block.code == *code);
        found.map(|block| block as u8).ok_or_else(|| ModelFileError::UnknownBlock(code.clone()))
    };
    let classes = header.classes.iter().map(block).collect::<Result<Vec<u8>, _>>()?;
    let mut body = Body(body);
    let mut model = Model::default();
    model.classes = classes;
    model.bias = body.lanes();
    let known = slot_codes(reference);
    model.slots = vec![[0.0; LANES]; known.len()];
    for code in &header.slots {
        let weights = body.lanes();
        // A topic that is not in the dictionary any more has no evidence to weigh.
        if let Some(slot) = known.iter().position(|known| known == code) {
            model.slots[slot] = weights;
        }
    }
    model.calibration = Calibration { sharpness: header.sharpness, lexicon_share: header.lexicon_share };
    model.threshold = header.threshold;
    let features = (0..header.weights).map(|_| Feature {
        hash: u32::from_le_bytes(body.take()),
        idf: f32::from_le_bytes(body.take()),
        scale: f32::from_le_bytes(body.take()),
        weights: body.take::<LANES>().map(|byte| byte as i8),
    });
    let model = model.with_features(features.collect());
    Ok((model, header))
}

fn body(model: &Model) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(model.features().len() * FEATURE_BYTES);
    for number in model.bias.iter().chain(model.slots.iter().flatten()) {
        bytes.extend(number.to_le_bytes());
    }
    for feature in model.features() {
        bytes.extend(feature.hash.to_le_bytes());
        bytes.extend(feature.idf.to_le_bytes());
        bytes.extend(feature.scale.to_le_bytes());
        bytes.extend(feature.weights.map(|weight| weight as u8));
    }
    bytes
}

/// The length was checked; what is missing reads as zeros.
struct Body<'b>(&'b [u8]);

impl Body<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((first, rest)) = self.0.split_first_chunk::<N>() else { return [0; N] };
        self.0 = rest;
        *first
    }

    fn lanes(&mut self) -> [f32; LANES] {
        std::array::from_fn(|_| f32::from_le_bytes(self.take()))
    }
}

/// Blocks, then topics: the order of the lexicon's slots.
fn slot_codes(reference: &Reference) -> Vec<String> {
    let blocks = reference.blocks.iter().map(|block| block.code.clone());
    blocks.chain(reference.topics.iter().map(|topic| topic.code.clone())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
