//! What a text says about its place, piece by piece. Owner: `locate`; made by `scan`, weighed by `resolve`.
//! Invariant: a piece names the tokens it was read from, so every answer can be explained.

/// What a piece means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// A district, okrug or city district by its adjective.
    Territory(u16),
    /// A settlement or quarter by its name (index into the names of the atlas) and the kind that was told.
    Place(u16, ToldKind),
    /// A street of a city (index into the streets).
    Street(u16),
    /// Some street, by its kind; the piece is its name as written.
    WrittenStreet,
    /// A place of another region.
    Outside,
    /// «Деревня» and a name that the gazetteer does not have.
    UnknownSettlement,
}

/// What a text calls a settlement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ToldKind {
    Nothing,
    Town,
    Hamlet,
    Rural,
    Quarter,
}

/// One piece: bytes `[start, end)` of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Evidence {
    pub meaning: Meaning,
    /// How much it counts, of 100.
    pub weight: u8,
    pub start: u32,
    pub end: u32,
    /// The house after a street; empty when there is none.
    pub house: (u32, u32),
}

/// District or okrug by name and kind.
pub const DISTRICT: u8 = 90;
/// A settlement with its kind: «село Поляны».
pub const WITH_KIND: u8 = 85;
/// «В Скопине», or the beginning of an address.
pub const INSIDE: u8 = 75;
/// A district of the city where the city is not named.
pub const CITY_DISTRICT: u8 = 70;
/// A name with nothing around it.
pub const BARE: u8 = 60;
/// Written to, not lived in: «администрация Скопина».
pub const WRITTEN_TO: u8 = 55;
/// «Из Рязани», «до Рязани».
pub const NEAR: u8 = 45;
/// One end of a route.
pub const ROUTE: u8 = 40;
/// A street that only one city has, with its kind or a house.
pub const OWN_STREET: u8 = 65;
/// The same without either.
pub const OWN_STREET_BARE: u8 = 50;
/// A street that many places have: decides nothing alone.
pub const COMMON_STREET: u8 = 0;
