//! Files that change under a watcher, in a folder of the test's own.

use super::*;
use crate::model::ids::RulesVersion;

const KEY: &str = "8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e9f8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e9f";

/// The shipped configuration in a folder that may be changed.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::create_dir(folder.path().join("config")).expect("made");
        std::fs::copy(project.join("config/tsur.toml"), folder.path().join("config/tsur.toml")).expect("copied");
        for inner in FOLDERS {
            let (from, to) = (project.join("pipelines").join(inner), folder.path().join("pipelines").join(inner));
            std::fs::create_dir_all(&to).expect("made");
            for entry in std::fs::read_dir(from).expect("listed").flatten().filter(|entry| entry.path().is_file()) {
                std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
            }
        }
        Folder(folder)
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        crate::config::load(&self.0.path().join("config"), &|_: &str| None)
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.0.path().join("pipelines").join(file);
        let text = std::fs::read_to_string(&path).expect("read");
        assert!(text.contains(from), "{file} has {from}");
        std::fs::write(path, text.replacen(from, to, 1)).expect("written");
    }

    fn watcher(&self) -> (Watcher, UnboundedReceiver<NewRules>) {
        let config = self.load().unwrap_or_else(|errors| panic!("{errors}"));
        let shared = Arc::new(SharedRules::build(&config, Some(KEY)).expect("sound"));
        let (changes, inbox) = unbounded_channel();
        let path = self.0.path().join("config");
        let load: Loader = Arc::new(move || crate::config::load(&path, &|_: &str| None));
        (Watcher { config, shared, load, registry: Arc::new(Registry::new(Arc::default())), changes }, inbox)
    }
}

#[tokio::test]
async fn a_changed_policy_is_sent_whole_and_names_keep_their_numbers() {
    let folder = Folder::new();
    let (mut watcher, mut inbox) = folder.watcher();
    let (version, number) = (watcher.config.rules, watcher.shared.names.bodies.number("mintrans"));
    folder.edit("policies/ryazan.toml", "goal = 30", "goal = 29");
    watcher.take().await;
    let new = inbox.try_recv().expect("sent");
    assert_ne!(new.config.rules, version);
    assert_eq!(new.shared.names.bodies.number("mintrans"), number);
    assert_eq!(watcher.registry.rules(), (new.config.rules, None));
    watcher.take().await;
    assert!(inbox.try_recv().is_err(), "the same files are no change");
}

#[tokio::test]
async fn a_broken_file_keeps_the_old_rules_and_is_named_until_it_is_mended() {
    let folder = Folder::new();
    let (mut watcher, mut inbox) = folder.watcher();
    let version = watcher.config.rules;
    folder.edit("policies/ryazan.toml", "goal = 30", "goal = \"thirty\"");
    watcher.take().await;
    assert!(inbox.try_recv().is_err());
    let (in_force, refused) = watcher.registry.rules();
    assert_eq!(in_force, version);
    assert!(refused.as_ref().is_some_and(|problem| problem.contains("ryazan.toml")), "{refused:?}");
    folder.edit("policies/ryazan.toml", "goal = \"thirty\"", "goal = 30");
    watcher.take().await;
    assert_eq!(watcher.registry.rules(), (version, None));
}

#[tokio::test]
async fn another_kafka_topic_or_a_new_pipeline_needs_a_restart() {
    let folder = Folder::new();
    let (mut watcher, mut inbox) = folder.watcher();
    let version: RulesVersion = watcher.config.rules;
    folder.edit("portal.toml", "kafka_topic = \"", "kafka_topic = \"other.");
    watcher.take().await;
    assert!(inbox.try_recv().is_err());
    let (in_force, refused) = watcher.registry.rules();
    assert_eq!(in_force, version);
    let refused = refused.expect("refused");
    assert!(refused.contains("kafka_topic of pipeline portal") && refused.contains("restart"), "{refused}");
}

#[test]
fn a_look_sees_a_file_that_was_written_added_or_removed() {
    let folder = Folder::new();
    let pipelines = folder.0.path().join("pipelines");
    let before = files_of(&pipelines);
    assert_eq!(files_of(&pipelines), before);
    std::fs::write(pipelines.join("calendars/zz.toml"), "x").expect("written");
    let added = files_of(&pipelines);
    assert_ne!(added, before);
    std::fs::write(pipelines.join("calendars/zz.toml"), "xy").expect("written");
    assert_ne!(files_of(&pipelines), added);
    std::fs::remove_file(pipelines.join("calendars/zz.toml")).expect("removed");
    assert_eq!(files_of(&pipelines), before);
}
