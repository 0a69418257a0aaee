//! JSON records: one object a record. A streaming visitor fills the wanted slots and skips the rest: no tree is built.
//! Owner: the partition worker (`JsonDecoder` remembers the order of keys of the last record, nothing else).
//! Invariants: a text without escapes is borrowed; the last of repeated keys wins; nesting is limited by the parser (128).

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::codec::{DecodeError, Value};

/// Where a key of an object leads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Slot of the value, if the column is wanted itself.
    slot: Option<usize>,
    /// Node of the nested object, if a column inside it is wanted.
    node: Option<usize>,
}

const NOWHERE: Target = Target { slot: None, node: None };

impl Target {
    /// Nobody wants the value.
    pub(super) fn is_nowhere(self) -> bool {
        self.slot.is_none() && self.node.is_none()
    }

    /// Where the keys inside the value lead, if one of them is wanted.
    pub(super) fn node(self) -> Option<usize> {
        self.node
    }

    pub(super) fn set<'a>(self, slots: &mut [Value<'a>], value: Value<'a>) {
        if let Some(slot) = self.slot {
            slots[slot] = value;
        }
    }
}

#[derive(Default)]
struct Node {
    /// In the order of first use, so that the guess below usually hits.
    keys: Vec<(Box<str>, Target)>,
    by_name: HashMap<Box<str>, usize, foldhash::fast::RandomState>,
}

impl Node {
    fn find(&self, key: &str, guess: &mut usize) -> Target {
        if let Some((name, target)) = self.keys.get(*guess)
            && &**name == key
        {
            *guess += 1;
            return *target;
        }
        match self.by_name.get(key) {
            Some(place) => {
                *guess = place + 1;
                self.keys[*place].1
            }
            None => NOWHERE,
        }
    }
}

/// The columns a pipeline wants, as a tree of object keys.
pub struct Columns {
    nodes: Vec<Node>,
    width: usize,
}

impl Columns {
    /// `names[i]` goes to slot `i`. `a.b` means key `b` of object `a` as well as a key literally named `a.b`.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Columns {
        let mut columns = Columns { nodes: vec![Node::default()], width: 0 };
        for (slot, name) in names.into_iter().enumerate() {
            columns.width = slot + 1;
            columns.add(0, name, slot);
            let parts: Vec<&str> = name.split('.').collect();
            if parts.len() > 1 && parts.iter().all(|part| !part.is_empty()) {
                let mut node = 0;
                for part in &parts[..parts.len() - 1] {
                    node = columns.child(node, part);
                }
                columns.add(node, parts[parts.len() - 1], slot);
            }
        }
        columns
    }

    /// Number of slots.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The whole record.
    pub(super) fn root(&self) -> Target {
        Target { slot: None, node: Some(0) }
    }

    /// Where a key inside a node leads. `guess` is the place after the last key found, see `Key`.
    pub(super) fn find(&self, node: usize, key: &str, guess: &mut usize) -> Target {
        self.nodes[node].find(key, guess)
    }

    fn entry(&mut self, node: usize, key: &str) -> usize {
        let node = &mut self.nodes[node];
        if let Some(place) = node.by_name.get(key) {
            return *place;
        }
        node.keys.push((Box::from(key), NOWHERE));
        node.by_name.insert(Box::from(key), node.keys.len() - 1);
        node.keys.len() - 1
    }

    fn add(&mut self, node: usize, key: &str, slot: usize) {
        let place = self.entry(node, key);
        self.nodes[node].keys[place].1.slot = Some(slot);
    }

    fn child(&mut self, node: usize, key: &str) -> usize {
        let place = self.entry(node, key);
        if let Some(child) = self.nodes[node].keys[place].1.node {
            return child;
        }
        self.nodes.push(Node::default());
        let child = self.nodes.len() - 1;
        self.nodes[node].keys[place].1.node = Some(child);
        child
    }
}

/// Fills `slots` (one for each column, cleared first) from one record.
pub fn decode<'a>(payload: &'a [u8], columns: &Columns, slots: &mut Vec<Value<'a>>) -> Result<(), DecodeError> {
    slots.clear();
    slots.resize(columns.width, Value::Missing);
    if payload.iter().all(u8::is_ascii_whitespace) {
        return Err(DecodeError::Empty);
    }
    let text = match simdutf8::basic::from_utf8(payload) {
        Ok(text) => text,
        Err(_) => {
            // only the careful version knows the place; it runs on broken records alone
            let at = std::str::from_utf8(payload).err().map_or(0, |error| error.valid_up_to());
            return Err(DecodeError::InvalidUtf8 { at });
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text); // some exports keep the byte order mark
    let mut parser = serde_json::Deserializer::from_str(text);
    let outcome = parser.deserialize_any(Root { columns, slots }).and_then(|found| parser.end().map(|()| found));
    match outcome {
        Ok(None) => Ok(()),
        Ok(Some(found)) => Err(DecodeError::NotAnObject { found }),
        Err(problem) => Err(DecodeError::InvalidJson { problem: problem.to_string() }),
    }
}

/// The whole record; returns the name of what it is when it is not an object.
struct Root<'c, 's, 'a> {
    columns: &'c Columns,
    slots: &'s mut Vec<Value<'a>>,
}

impl<'a> Visitor<'a> for Root<'_, '_, 'a> {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'a>>(self, map: A) -> Result<Self::Value, A::Error> {
        read_object(self.columns, 0, self.slots, map).map(|()| None)
    }
    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some("an array"))
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Some("a string"))
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Some("a boolean"))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Some("a number"))
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Some("a number"))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Some("a number"))
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Some("null"))
    }
}

fn read_object<'a, A: MapAccess<'a>>(
    columns: &Columns,
    node: usize,
    slots: &mut Vec<Value<'a>>,
    mut map: A,
) -> Result<(), A::Error> {
    let keys = &columns.nodes[node];
    let mut guess = 0;
    while let Some(target) = map.next_key_seed(Key { node: keys, guess: &mut guess })? {
        match target {
            Target { slot: None, node: None } => {
                map.next_value::<IgnoredAny>()?;
            }
            target => map.next_value_seed(Slot { columns, target, slots })?,
        }
    }
    Ok(())
}

/// Reads a key and says where its value goes. Senders repeat the same order of keys, so the key after the last one
/// found is tried before the hash map.
struct Key<'n, 'g> {
    node: &'n Node,
    guess: &'g mut usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = Target;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Target, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = Target;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Target, E> {
        Ok(self.node.find(key, self.guess))
    }
}

/// Reads a wanted value into its slot.
struct Slot<'c, 's, 'a> {
    columns: &'c Columns,
    target: Target,
    slots: &'s mut Vec<Value<'a>>,
}

impl<'a> Slot<'_, '_, 'a> {
    fn set(self, value: Value<'a>) {
        if let Some(slot) = self.target.slot {
            self.slots[slot] = value;
        }
    }
}

impl<'a> DeserializeSeed<'a> for Slot<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Slot<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<(), E> {
        self.set(Value::Text(Cow::Borrowed(text)));
        Ok(())
    }
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.set(Value::Text(Cow::Owned(text.to_owned())));
        Ok(())
    }
    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.set(Value::Bool(value));
        Ok(())
    }
    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.set(Value::Integer(value));
        Ok(())
    }
    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.set(i64::try_from(value).map_or(Value::Real(value as f64), Value::Integer));
        Ok(())
    }
    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.set(Value::Real(value));
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.set(Value::Null);
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.set(Value::Composite("an array"));
        Ok(())
    }
    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        if let Some(node) = self.target.node {
            return read_object(self.columns, node, self.slots, map);
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.set(Value::Composite("an object"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded<'a>(payload: &'a str, names: &[&str]) -> Result<Vec<Value<'a>>, DecodeError> {
        let columns = Columns::new(names.iter().copied());
        let mut slots = Vec::new();
        decode(payload.as_bytes(), &columns, &mut slots).map(|()| slots)
    }

    #[test]
    fn plain_text_is_borrowed_and_escaped_text_is_not() {
        let slots = decoded(r#"{"a":"яма","b":"\u044f"}"#, &["a", "b"]).expect("valid");
        assert!(matches!(&slots[0], Value::Text(Cow::Borrowed("яма"))));
        assert!(matches!(&slots[1], Value::Text(Cow::Owned(text)) if text == "я"));
    }

    #[test]
    fn nested_and_dotted_names_both_lead_to_the_column() {
        let names = ["post.url", "Дата. Время"];
        let slots = decoded(r#"{"post":{"id":1,"url":"u"},"Дата. Время":"x","z":[{"url":3}]}"#, &names).expect("valid");
        assert_eq!(slots, vec![Value::Text("u".into()), Value::Text("x".into())]);
    }

    #[test]
    fn any_order_of_keys_gives_the_same_values() {
        let straight = decoded(r#"{"a":1,"b":true,"c":null}"#, &["a", "b", "c"]);
        let shuffled = decoded(r#"{"c":null,"x":{},"a":1,"b":true}"#, &["a", "b", "c"]);
        assert_eq!(straight, shuffled);
    }

    #[test]
    fn broken_records_say_what_is_wrong() {
        assert_eq!(decoded("  ", &["a"]), Err(DecodeError::Empty));
        assert_eq!(decoded("[1,2]", &["a"]), Err(DecodeError::NotAnObject { found: "an array" }));
        assert!(matches!(decoded(r#"{"a":"#, &["a"]), Err(DecodeError::InvalidJson { .. })));
        assert!(matches!(decoded(r#"{"a":1} x"#, &["a"]), Err(DecodeError::InvalidJson { .. })));
        let columns = Columns::new(["a"]);
        let mut slots = Vec::new();
        let broken = decode(b"{\"a\":\"\xff\"}", &columns, &mut slots);
        assert_eq!(broken, Err(DecodeError::InvalidUtf8 { at: 6 }));
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        let deep = format!("{}{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        assert!(matches!(decoded(&deep, &["b"]), Err(DecodeError::InvalidJson { .. })));
    }
}
