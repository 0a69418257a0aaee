//! What a failure of ClickHouse means: try again, or stop. Decided by the number of the server's exception.
//! Invariant: a failure nobody knows is tried again, because the token makes that harmless; only what is certain to fail
//! again stops.

use clickhouse::error::Error;

use crate::partition::ports::SinkError;

/// Server exceptions that no repetition cures: schema, syntax, access, data that does not fit.
const FINAL_CODES: [u32; 21] = [6, 10, 16, 20, 26, 27, 36, 44, 46, 47, 50, 53, 60, 62, 70, 81, 115, 117, 192, 497, 516];

/// The number in `Code: 252. DB::Exception: …`.
pub fn exception_code(text: &str) -> Option<u32> {
    let digits = text.split("Code: ").nth(1)?;
    digits[..digits.find(|c: char| !c.is_ascii_digit())?].parse().ok()
}

pub fn classify(error: Error) -> SinkError {
    match &error {
        Error::BadResponse(text) => match exception_code(text) {
            Some(code) if FINAL_CODES.contains(&code) => SinkError::Refused(shorten(text)),
            _ => SinkError::Unavailable(shorten(text)),
        },
        Error::InvalidParams(_) | Error::SchemaMismatch(_) | Error::InvalidColumnsHeader(_) | Error::Unsupported(_) => {
            SinkError::Refused(error.to_string())
        }
        _ => SinkError::Unavailable(with_causes(&error)),
    }
}

/// The client says "network error" and keeps why in the chain below.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn shorten(text: &str) -> String {
    text.trim().chars().take(600).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_parts_is_tried_again_and_an_unknown_column_is_not() {
        let busy = Error::BadResponse("Code: 252. DB::Exception: Too many parts".to_owned());
        assert!(matches!(classify(busy), SinkError::Unavailable(_)));
        let wrong = Error::BadResponse("Code: 16. DB::Exception: No such column".to_owned());
        assert!(matches!(classify(wrong), SinkError::Refused(_)));
        assert!(matches!(classify(Error::TimedOut), SinkError::Unavailable(_)));
    }
}
