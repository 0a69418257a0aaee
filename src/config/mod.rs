//! The configuration: one typed tree, read whole at start, every mistake of every file reported in one run.
//! Owner: `config`; nothing else reads a configuration file or an environment variable. Invariants: an unknown key is
//! refused, a `Config` that exists is consistent, and the environment arrives as an argument, so a test needs no process.

mod alerts_read;
mod answer_read;
mod avro_read;
pub mod errors;
pub(crate) mod files;
pub mod gazetteer;
mod gazetteer_read;
mod item;
pub mod lexicon;
mod lexicon_checks;
pub(crate) mod lexicon_read;
mod model_read;
mod persons_read;
pub mod pipeline;
mod pipeline_read;
pub mod reader;
pub mod reference;
mod reference_read;
pub mod routing;
mod rules_read;
pub mod settings;
mod settings_checks;
mod settings_read;
mod specs;
mod suggest;
mod tone_read;
pub mod units;

use std::path::{Path, PathBuf};

use crate::alerts::levels::Ladder;
use crate::enrich::classify::Classifier;
use crate::model::calendar::CalendarSpec;
use crate::model::ids::RulesVersion;
use crate::model::policy::PolicySpec;
pub use answer_read::shipped_answer_quality;
use errors::Errors;
pub use errors::{ConfigError, ConfigErrors};
use files::Folder;
pub use lexicon::LexiconSpec;
use lexicon_read::LexiconFile;
pub use model_read::TrainedModel;
pub use persons_read::shipped_persons;
pub use pipeline::Pipeline;
pub use reference::Reference;
use reference_read::ReferenceFiles;
pub use tone_read::shipped_tone;

use crate::enrich::enricher::TextLists;
pub use settings::Settings;
pub use settings_read::Environment;

/// The file of the settings inside the configuration folder.
pub const SETTINGS_FILE: &str = "tsur.toml";

/// Everything `tsur` was told.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    pub settings: Settings,
    /// By name of the file.
    pub pipelines: Vec<Pipeline>,
    pub reference: Reference,
    /// Empty where there is no folder `reference/lexicon`.
    pub lexicon: LexiconSpec,
    /// The model of `tsur train`, where there is one.
    pub trained: Option<TrainedModel>,
    /// By name of the file. `Calendar::build` accepts each.
    pub calendars: Vec<CalendarSpec>,
    /// Of all files in the order of their names; `Policies::build` accepts them.
    pub policies: Vec<PolicySpec>,
    /// Levels and addressees of alerts, from `alerts/*.toml`.
    pub ladder: Ladder,
    /// XXH3 of the content of all pipeline, policy, calendar and reference files, in the order of their names, and of the model.
    pub rules: RulesVersion,
    /// `settings.pipelines_dir`, resolved.
    pub pipelines_dir: PathBuf,
}

impl Config {
    /// What classifies texts under this configuration.
    pub fn classifier(&self) -> Classifier {
        let model = self.trained.as_ref().map(|trained| trained.model.clone());
        Classifier::new(&self.lexicon, &self.reference, model)
    }

    /// Codes of the topics that the lexicon has no words for, so only a source can name them.
    pub fn silent_topics(&self) -> impl Iterator<Item = &str> {
        let speaks = |topic: u32| {
            self.lexicon.blocks.iter().any(|block| block.entries.iter().any(|entry| entry.topic == Some(topic)))
        };
        let topics = self.reference.topics.iter().enumerate();
        topics.filter(move |(number, _)| !speaks(*number as u32)).map(|(_, topic)| topic.code.as_str())
    }

    /// Where `tsur train` writes the model and the pipeline reads it.
    pub fn model_path(&self) -> PathBuf {
        self.pipelines_dir.join(model_read::MODEL_FILE)
    }

    pub fn pipeline(&self, name: &str) -> Option<&Pipeline> {
        self.pipelines.iter().find(|pipeline| pipeline.name == name)
    }
}

/// Reads `dir/tsur.toml` and the pipelines folder it names. `env` is asked for `TSUR_KAFKA`, `TSUR_CLICKHOUSE_URL`,
/// `TSUR_CLICKHOUSE_USER`, `TSUR_CLICKHOUSE_PASSWORD`, the same of `TSUR_SCHEMA_REGISTRY` and the variable of the identity key; an empty value counts as unset.
pub fn load(dir: &Path, env: Environment) -> Result<Config, ConfigErrors> {
    let errors = Errors::default();
    let path = dir.join(SETTINGS_FILE);
    let text = files::read_text(&path, &errors).unwrap_or_default();
    let settings = settings_read::read(&path.display().to_string(), &text, dir, env, &errors);
    let pipelines_dir = files::tidy(&dir.join(&settings.pipelines_dir));

    let folder = Folder::read(&pipelines_dir, &errors);
    let mut pipelines = Vec::new();
    for file in folder.inside("") {
        pipelines.push(pipeline_read::read(&file.name, &file.text, &errors));
    }
    if pipelines.is_empty() && pipelines_dir.is_dir() {
        let name = pipelines_dir.display().to_string();
        errors.add_whole(&name, "", "no pipeline here", "at least one NAME.toml, see pipelines/pos.toml");
    }
    check_together(&pipelines, &folder, &errors);
    check_registry(&pipelines, &settings, &folder, &errors);
    let reference = read_reference(&folder, &pipelines_dir, &errors);
    let lexicon = read_lexicon(&folder, &reference, &errors);
    let trained = model_read::read(&pipelines_dir, &reference, &errors);
    let (calendars, policies) = rules_read::read(&folder, &pipelines, &reference, &errors);
    let ladder = alerts_read::read(&folder, &reference, &errors);
    let layouts = pipelines.iter().filter_map(|pipeline| pipeline.avro.as_ref());
    let schemas = layouts.flat_map(|layout| layout.contract.iter().chain(&layout.writers));
    let weights = trained.iter().map(|trained| trained.header.sha256.as_str());
    let rules = folder.rules_version(schemas.map(|file| file.text.as_str()).chain(weights));
    errors.into_result()?;
    Ok(Config { settings, pipelines, reference, lexicon, trained, calendars, policies, ladder, rules, pipelines_dir })
}

/// Two pipelines must not read one Kafka topic, nor speak for one source: a case of it would be in two partitions, each
/// with half of its records and a state of its own, and both would write its row. A source that has an export and a feed of
/// events is read by one of the two.
fn check_together(pipelines: &[Pipeline], folder: &Folder, errors: &Errors) {
    for (index, pipeline) in pipelines.iter().enumerate() {
        let file = folder.inside("").nth(index).map_or("", |file| file.name.as_str());
        for earlier in &pipelines[..index] {
            if !pipeline.kafka_topic.is_empty() && pipeline.kafka_topic == earlier.kafka_topic {
                let problem = format!("{} is read by pipeline {} already", pipeline.kafka_topic, earlier.name);
                errors.add_whole(file, "kafka_topic", problem, "a Kafka topic of its own");
            }
            if !pipeline.source.is_empty() && pipeline.source == earlier.source {
                let problem = format!("{} is the source of pipeline {} already", pipeline.source, earlier.name);
                errors.add_whole(
                    file,
                    "source",
                    problem,
                    "a source of its own, or one of the two files: two streams of a source give its cases two owners",
                );
            }
        }
    }
}

/// Records that name a schema by its number need the registry that numbered it.
fn check_registry(pipelines: &[Pipeline], settings: &Settings, folder: &Folder, errors: &Errors) {
    for (pipeline, file) in pipelines.iter().zip(folder.inside("")) {
        let needs = pipeline.avro.as_ref().is_some_and(|layout| layout.framing == pipeline::Framing::Confluent);
        if needs && settings.schema_registry.url.is_none() {
            let problem = "needs a schema registry, and none is set";
            errors.add_whole(
                &file.name,
                "avro.framing",
                problem,
                "schema_registry.url of tsur.toml, or TSUR_SCHEMA_REGISTRY",
            );
        }
    }
}

/// Without words everything is «не определено».
fn read_lexicon(folder: &Folder, reference: &Reference, errors: &Errors) -> LexiconSpec {
    let files: Vec<LexiconFile> = folder
        .inside("reference/lexicon")
        .map(|file| LexiconFile { stem: &file.stem, name: &file.name, text: &file.text })
        .collect();
    lexicon_read::read(&files, reference, errors)
}

/// A folder without `reference/` is sound (everything is "unknown" then); one with half of the lists is not.
fn read_reference(folder: &Folder, pipelines_dir: &Path, errors: &Errors) -> Reference {
    let file = |name: &str| folder.inside("reference").find(|file| file.stem == name);
    let named = |name: &str| file(name).map(|file| (file.name.as_str(), file.text.as_str()));
    let texts = TextLists {
        persons: persons_read::read_or_shipped(named("names"), errors),
        tone: tone_read::read_or_shipped(named("tone"), errors),
        answers: answer_read::read_or_shipped(named("answer_quality"), errors),
    };
    if folder.inside("reference").next().is_none() {
        return Reference { texts, ..Reference::default() };
    }
    let list = |name: &str| match file(name) {
        Some(file) => (file.name.as_str(), file.text.as_str()),
        None => {
            let path = pipelines_dir.join("reference").join(format!("{name}.toml"));
            errors.add_whole(
                &path.display().to_string(),
                "",
                "is missing",
                "all of blocks, topics, territories, bodies",
            );
            ("", "")
        }
    };
    let lists = ReferenceFiles {
        blocks: list("blocks"),
        topics: list("topics"),
        territories: list("territories"),
        bodies: list("bodies"),
        gazetteer: folder.inside("reference/gazetteer").map(|file| (file.name.as_str(), file.text.as_str())).collect(),
        routing: folder
            .inside("reference")
            .find(|file| file.stem == "routing")
            .map(|file| (file.name.as_str(), file.text.as_str())),
    };
    Reference { texts, ..reference_read::read(&lists, errors) }
}

#[cfg(test)]
mod tests;
