//! What the region's places are called: towns, villages, quarters, streets, former units, and the words that tell a place
//! from a person. From `pipelines/reference/gazetteer/*.toml`. Owner: `config`; `enrich::locate` compiles it.
//! Invariants (checked by `gazetteer_read.rs`): every territory exists; a name stands once under its territory; the former
//! units are exactly the predecessors that territories name. The same name under several territories is allowed: it is
//! ambiguous then and never guessed.

/// Everything of the folder.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Gazetteer {
    pub settlements: Vec<Settlement>,
    pub quarters: Vec<Quarter>,
    pub streets: Vec<Street>,
    pub former: Vec<FormerUnit>,
    pub areas: Vec<Area>,
    pub words: PlaceWords,
}

/// A town, a workers' settlement or a village.
#[derive(Clone, PartialEq, Debug)]
pub struct Settlement {
    pub name: String,
    pub kind: SettlementKind,
    /// Index into the territories.
    pub territory: u32,
    pub aliases: Vec<String>,
    /// Index into `former`: the unit the town was by itself.
    pub former: Option<u32>,
    /// Degrees of the centre.
    pub centre: Option<(f32, f32)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SettlementKind {
    Town,
    /// Рабочий посёлок, посёлок городского типа.
    Workers,
    /// Посёлок.
    Hamlet,
    /// Село.
    Selo,
    /// Деревня.
    Village,
    Station,
    Farm,
}

impl SettlementKind {
    /// How the kind is written before the name.
    pub fn short(self) -> &'static str {
        match self {
            SettlementKind::Town => "г.",
            SettlementKind::Workers => "рп",
            SettlementKind::Hamlet => "п.",
            SettlementKind::Selo => "с.",
            SettlementKind::Village => "д.",
            SettlementKind::Station => "ст.",
            SettlementKind::Farm => "х.",
        }
    }
}

/// A part of a city that people call by a name of its own.
#[derive(Clone, PartialEq, Debug)]
pub struct Quarter {
    pub name: String,
    /// Index into the territories.
    pub city: u32,
    /// City district where it is known.
    pub district: Option<u32>,
    /// The name is a common word or an adjective too.
    pub word: bool,
}

/// A street of a city.
#[derive(Clone, PartialEq, Debug)]
pub struct Street {
    /// As addresses have it, with its kind: «ул. Ленина», «Касимовское шоссе».
    pub name: String,
    /// The name without the kind.
    pub bare: String,
    pub kind: StreetKind,
    pub city: u32,
    pub district: Option<u32>,
    /// Hardly any other place of the region has one of this name.
    pub own: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreetKind {
    Street,
    Avenue,
    Highway,
    Boulevard,
    Lane,
    Passage,
    Square,
    Embankment,
}

impl StreetKind {
    /// The full word; what a street is called without one is a street.
    pub const ALL: [(&'static str, StreetKind); 8] = [
        ("улица", StreetKind::Street),
        ("проспект", StreetKind::Avenue),
        ("шоссе", StreetKind::Highway),
        ("бульвар", StreetKind::Boulevard),
        ("переулок", StreetKind::Lane),
        ("проезд", StreetKind::Passage),
        ("площадь", StreetKind::Square),
        ("набережная", StreetKind::Embankment),
    ];
}

/// What a territory was before a reform.
#[derive(Clone, PartialEq, Debug)]
pub struct FormerUnit {
    pub code: String,
    pub name: String,
    pub okato: String,
    pub oktmo: String,
    /// `yyyy-mm-dd`, the first Moscow day without it.
    pub valid_to: String,
    /// Index into the territories.
    pub successor: u32,
    /// A city that became a part of its successor; else it had the whole of the successor's land.
    pub city: bool,
}

/// A rectangle that lies inside a territory.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Area {
    pub territory: u32,
    pub south: f32,
    pub north: f32,
    pub west: f32,
    pub east: f32,
}

/// Words around places, in small letters.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PlaceWords {
    /// Names of settlements that are common words.
    pub common: Vec<String>,
    /// Bodies: a place after them says who was written to.
    pub authority: Vec<String>,
    /// Places outside of the region.
    pub outside: Vec<String>,
    pub first_names: Vec<String>,
    /// Words that stand before a person's name.
    pub person: Vec<String>,
}
