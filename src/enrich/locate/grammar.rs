//! What a word does around place names: «улица», «р-н», «г», «в», «из»; fixed words of the language, not of a region.
//! Owner: `locate`. Invariant: asked once per word form; the answer is cached by its number.

use crate::config::gazetteer::StreetKind;

/// The part a word can play. A single letter may be several things; the scan decides by its neighbours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    #[default]
    None,
    /// Район, округ.
    District,
    /// Words between the name of a district and its kind: «муниципальный».
    DistrictFiller,
    /// Область, край, республика.
    Region,
    Town,
    /// Посёлок of any kind.
    Hamlet,
    /// Село, деревня, хутор, станция.
    Rural,
    /// Микрорайон.
    Quarter,
    Street(StreetKind),
    /// «пр»: an avenue or a passage.
    AnyStreet,
    House,
    Building,
    LetterG,
    LetterD,
    LetterS,
    LetterP,
    LetterR,
    LetterK,
    LetterSh,
    /// В, во.
    In,
    /// На, по.
    On,
    /// Из, до, около: near or away, not the place itself.
    Near,
    And,
    /// What goes between places: «трасса», «поезд».
    Route,
}

/// Words that follow a number which is no house.
pub fn is_unit(form: &str) -> bool {
    const UNITS: [&str; 26] = [
        "лет",
        "год",
        "года",
        "году",
        "рублей",
        "руб",
        "раз",
        "раза",
        "дней",
        "дня",
        "день",
        "месяцев",
        "месяца",
        "час",
        "часов",
        "минут",
        "человек",
        "тысяч",
        "тыс",
        "км",
        "метров",
        "процентов",
        "квартир",
        "семей",
        "километров",
        "летия",
    ];
    UNITS.contains(&form)
}

/// «Московская», «тульской»: before «область» it names a region.
pub fn is_region_adjective(form: &str) -> bool {
    (form.ends_with("ская") || form.ends_with("ской") || form.ends_with("скую")) && form.chars().count() > 5
}

/// «Петрович», «Ивановной».
pub fn is_patronymic(form: &str) -> bool {
    const ENDINGS: [&str; 13] =
        ["ович", "евич", "овича", "евича", "овичу", "евичу", "овичем", "евичем", "ьич", "овна", "евна", "овны", "евны"];
    const MORE: [&str; 8] = ["овне", "евне", "овну", "евну", "овной", "евной", "инична", "ична"];
    form.chars().count() > 6 && (ENDINGS.iter().chain(&MORE).any(|ending| form.ends_with(ending)))
}

pub fn role(form: &str) -> Role {
    use StreetKind::{Avenue, Boulevard, Embankment, Highway, Lane, Passage, Square, Street};
    match form {
        "район"
        | "района"
        | "району"
        | "районе"
        | "районом"
        | "районы"
        | "районов"
        | "районах"
        | "районам"
        | "р-н"
        | "р-на"
        | "р-не"
        | "р-ну"
        | "р-он"
        | "р-ном"
        | "округ"
        | "округа"
        | "округу"
        | "округе"
        | "округом"
        | "округов"
        | "округах"
        | "мо"
        | "мр"
        | "м-р"
        | "муниципалитет"
        | "муниципалитета" => Role::District,
        "муниципальный"
        | "муниципального"
        | "муниципальному"
        | "муниципальном"
        | "муниципальным"
        | "городской"
        | "городского"
        | "мун"
        | "муницип"
        | "городском" => Role::DistrictFiller,
        "область" | "области" | "областью" | "обл" | "край" | "края" | "республика" | "республики" => {
            Role::Region
        }
        "город" | "города" | "городу" | "городе" | "городом" | "гор" | "городок" => {
            Role::Town
        }
        "поселок" | "поселка" | "поселку" | "поселке" | "поселком" | "пос" | "пгт" | "рп" | "поселение" => {
            Role::Hamlet
        }
        "село" | "села" | "селу" | "селе" | "селом" | "деревня" | "деревни" | "деревне" | "деревню" | "деревней"
        | "дер" | "хутор" | "хутора" | "хуторе" | "станция" | "станции" | "станцию" | "ст" | "слобода" => {
            Role::Rural
        }
        "микрорайон"
        | "микрорайона"
        | "микрорайону"
        | "микрорайоне"
        | "мкр"
        | "мкрн"
        | "м-н"
        | "мкр-н"
        | "мкр-не"
        | "жилмассив"
        | "жк" => Role::Quarter,
        "улица" | "улицы" | "улице" | "улицу" | "улицей" | "улиц" | "улицах" | "улицам" | "ул" => {
            Role::Street(Street)
        }
        "проспект"
        | "проспекта"
        | "проспекту"
        | "проспекте"
        | "проспектом"
        | "пр-т"
        | "пр-та"
        | "пр-те"
        | "пр-кт"
        | "просп"
        | "пр-ту" => Role::Street(Avenue),
        "шоссе" => Role::Street(Highway),
        "бульвар" | "бульвара" | "бульвару" | "бульваре" | "б-р" | "бул" | "б-ре" => {
            Role::Street(Boulevard)
        }
        "переулок" | "переулка" | "переулку" | "переулке" | "пер" => {
            Role::Street(Lane)
        }
        "проезд" | "проезда" | "проезду" | "проезде" | "пр-д" | "пр-да" | "пр-де" => {
            Role::Street(Passage)
        }
        "площадь" | "площади" | "площадью" | "пл" => Role::Street(Square),
        "наб" => Role::Street(Embankment),
        "пр" => Role::AnyStreet,
        "дом" | "дома" | "дому" | "доме" | "домом" | "домов" | "домах" => Role::House,
        "корпус" | "корп" | "корпуса" | "строение" | "стр" => Role::Building,
        "г" => Role::LetterG,
        "д" => Role::LetterD,
        "с" => Role::LetterS,
        "п" => Role::LetterP,
        "р" => Role::LetterR,
        "к" => Role::LetterK,
        "ш" => Role::LetterSh,
        "в" | "во" => Role::In,
        "на" | "по" => Role::On,
        "из" | "до" | "около" | "возле" | "под" | "через" | "близ" | "мимо" | "вблизи" | "подо" => {
            Role::Near
        }
        "и" => Role::And,
        "трасса"
        | "трассе"
        | "трассы"
        | "трассу"
        | "автодорога"
        | "автодороге"
        | "автодороги"
        | "дорога"
        | "дороге"
        | "дороги"
        | "дорогу"
        | "поезд"
        | "электричка"
        | "электричке"
        | "электрички"
        | "автобус"
        | "автобуса"
        | "маршрут"
        | "маршрута"
        | "маршруте"
        | "рейс"
        | "рейса"
        | "направлению"
        | "направлении"
        | "сторону" => Role::Route,
        _ => Role::None,
    }
}
