//! Reads the calendars and policies and lets their owner, `model`, check them, so that `tsur check` knows every mistake
//! before anything runs. Owner: `config`. Invariant: what `load` returns, `Calendar::build` and `Policies::build` accept.

use super::errors::Errors;
use super::files::{ConfigFile, Folder};
use super::pipeline::Pipeline;
use super::reference::Reference;
use super::specs;
use crate::model::calendar::{Calendar, CalendarSpec};
use crate::model::policy::{NameIds, Policies, PolicyFile, PolicySpec};

/// The names that policies may use, numbered for the check only.
struct Names<'a> {
    pipelines: &'a [Pipeline],
    reference: &'a Reference,
}

impl NameIds for Names<'_> {
    fn source(&self, name: &str) -> Option<u8> {
        self.pipelines.iter().position(|pipeline| pipeline.source == name).and_then(|place| u8::try_from(place).ok())
    }

    fn block(&self, name: &str) -> Option<u8> {
        self.reference.blocks.iter().position(|block| block.code == name).and_then(|place| u8::try_from(place).ok())
    }

    fn topic(&self, name: &str) -> Option<u16> {
        self.reference.topics.iter().position(|topic| topic.code == name).and_then(|place| u16::try_from(place).ok())
    }

    fn body(&self, name: &str) -> Option<u16> {
        self.reference.bodies.iter().position(|body| body.code == name).and_then(|place| u16::try_from(place).ok())
    }
}

/// The specs by name of the file, and the policies of all files in that order: the first that matches a case wins.
pub fn read(
    folder: &Folder,
    pipelines: &[Pipeline],
    reference: &Reference,
    errors: &Errors,
) -> (Vec<CalendarSpec>, Vec<PolicySpec>) {
    let mut calendars: Vec<CalendarSpec> = Vec::new();
    let mut built = Vec::new();
    for file in folder.inside("calendars") {
        let Some(spec) = specs::parse::<CalendarSpec>(file, errors) else {
            continue;
        };
        if calendars.iter().any(|earlier| earlier.name == spec.name) {
            specs::add(file, 0, "", "name: another calendar has it already (allowed: a name of its own)", errors);
        }
        match Calendar::build(&spec) {
            Ok(calendar) => built.push(calendar),
            Err(mistakes) => mistakes.iter().for_each(|mistake| specs::add(file, 0, "", mistake, errors)),
        }
        calendars.push(spec);
    }
    let all_calendars = built.len() == folder.inside("calendars").count();

    let mut policies: Vec<PolicySpec> = Vec::new();
    // For each policy its file and its place there, from 1.
    let mut origins: Vec<(&ConfigFile, usize)> = Vec::new();
    for file in folder.inside("policies") {
        let Some(parsed) = specs::parse::<PolicyFile>(file, errors) else {
            continue;
        };
        origins.extend((1..=parsed.policies.len()).map(|place| (file, place)));
        policies.extend(parsed.policies);
    }
    if let Err(mistakes) = Policies::build(&policies, &built, &Names { pipelines, reference }) {
        for mistake in mistakes {
            // A broken calendar is reported as such; that policies do not find it is no second mistake.
            let is_calendar = mistake.split(": ").next().is_some_and(|key| key.ends_with(".calendar"));
            if all_calendars || !is_calendar {
                add_policy_mistake(&mistake, &policies, &origins, errors);
            }
        }
    }
    (calendars, policies)
}

/// The owner names a policy by its place among all: `policy[3] "name".match.law: …`; people need its file.
fn add_policy_mistake(mistake: &str, policies: &[PolicySpec], origins: &[(&ConfigFile, usize)], errors: &Errors) {
    for (index, (policy, (file, place))) in policies.iter().zip(origins).enumerate() {
        let owner_key = format!("policy[{}] \"{}\"", index + 1, policy.name);
        if let Some(rest) = mistake.strip_prefix(&owner_key) {
            let line = specs::line_of_table(&file.text, "policy", *place);
            return specs::add(file, line, &format!("policy \"{}\"", policy.name), rest, errors);
        }
    }
    let first = origins.first().map_or("policies", |(file, _)| file.name.as_str());
    errors.add_whole(first, "policy", mistake, "");
}
