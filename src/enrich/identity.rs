//! Keyed identities: who wrote is kept only as a keyed hash, enough to count repeats, useless without the secret.
//! Owner: the mapping stage, which replaces an author's id before an event exists. The secret comes from outside the
//! database and can be changed; old keys then stop matching, which is the point.
//! Invariants: the same secret, source and id give the same key on every machine; 0 means "no author" and nothing else;
//! neither the secret nor the id can be read from a `Debug`, an error or the key.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a secret.
const SECRET_BYTES: usize = 32;

/// Why a secret was refused; each message says what to do and repeats no part of the secret.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdentityKeyError {
    #[error(
        "the identity secret has {found} characters instead of 64 hexadecimal digits; make one with `openssl rand -hex 32`"
    )]
    Length { found: usize },
    #[error(
        "character {position} of the identity secret is not one of 0-9 a-f A-F; make a secret with `openssl rand -hex 32`"
    )]
    NotHex { position: usize },
    #[error("the identity secret repeats one byte and protects nothing; make a real one with `openssl rand -hex 32`")]
    Trivial,
}

/// HMAC-SHA256 with the secret already worked in: an identity costs two compressions and no key schedule.
#[derive(Clone)]
pub struct IdentityKey {
    keyed: Hmac<Sha256>,
}

impl IdentityKey {
    /// A secret of 64 hexadecimal digits (256 bits); spaces and the line end around it are allowed, as files have them.
    pub fn from_hex(text: &str) -> Result<IdentityKey, IdentityKeyError> {
        let digits = text.trim();
        let found = digits.chars().count();
        if found != SECRET_BYTES * 2 {
            return Err(IdentityKeyError::Length { found });
        }
        let mut secret = [0u8; SECRET_BYTES];
        for (index, character) in digits.chars().enumerate() {
            let digit = character.to_digit(16).ok_or(IdentityKeyError::NotHex { position: index + 1 })?;
            secret[index / 2] = secret[index / 2] << 4 | digit as u8;
        }
        if secret.iter().all(|byte| *byte == secret[0]) {
            return Err(IdentityKeyError::Trivial);
        }
        // HMAC takes a key of any length, so the length error of its signature cannot occur.
        let keyed = Hmac::new_from_slice(&secret).map_err(|_| IdentityKeyError::Length { found })?;
        Ok(IdentityKey { keyed })
    }

    /// The first 64 bits of HMAC-SHA256(secret, source ‖ 0 ‖ id): 0 for an empty id, never 0 otherwise.
    /// The zero byte cannot occur in a source code, so (`a`, `bc`) and (`ab`, `c`) differ. The same person in two
    /// sources gets two keys on purpose (152-ФЗ: no joining of identities). With 10 million authors the probability
    /// that two of them meet is below 3e-6.
    pub fn author_key(&self, source: &str, id: &str) -> u64 {
        if id.is_empty() {
            return 0;
        }
        let mut mac = self.keyed.clone();
        mac.update(source.as_bytes());
        mac.update(&[0]);
        mac.update(id.as_bytes());
        let digest = mac.finalize().into_bytes();
        let key = digest.iter().take(8).fold(0u64, |key, byte| key << 8 | u64::from(*byte));
        key.max(1)
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn key() -> IdentityKey {
        IdentityKey::from_hex(SECRET).expect("a sound secret")
    }

    #[test]
    fn the_key_is_the_start_of_the_published_hmac() {
        // Python: hmac.new(bytes(range(32)), b'pos\x0042', hashlib.sha256).digest()[:8]
        assert_eq!(key().author_key("pos", "42"), 0xc4d1_530c_7087_54c1);
    }

    #[test]
    fn no_author_is_zero() {
        assert_eq!(key().author_key("pos", ""), 0);
    }

    #[test]
    fn the_source_is_part_of_the_identity() {
        assert_ne!(key().author_key("a", "bc"), key().author_key("ab", "c"));
        assert_ne!(key().author_key("pos", "42"), key().author_key("incident", "42"));
    }

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        assert_eq!(format!("{:?}", key()), "IdentityKey(hidden)");
    }

    #[test]
    fn a_bad_secret_is_refused_with_a_remedy_and_without_repeating_it() {
        let with_letter = format!("zz{}", &SECRET[2..]);
        let cases = [
            ("", IdentityKeyError::Length { found: 0 }),
            ("abcdef", IdentityKeyError::Length { found: 6 }),
            (with_letter.as_str(), IdentityKeyError::NotHex { position: 1 }),
            (&"00".repeat(32), IdentityKeyError::Trivial),
        ];
        for (secret, expected) in cases {
            let error = IdentityKey::from_hex(secret).expect_err("must be refused");
            assert_eq!(error, expected);
            assert!(error.to_string().contains("openssl rand -hex 32"));
        }
    }

    #[test]
    fn case_and_the_line_end_of_a_secret_do_not_matter() {
        let shouted = IdentityKey::from_hex(&format!(" {}\n", SECRET.to_uppercase())).expect("a sound secret");
        assert_eq!(shouted.author_key("pos", "42"), key().author_key("pos", "42"));
    }

    proptest! {
        #[test]
        fn an_identity_is_stable_and_never_zero(source in "[a-z]{1,8}", id in ".{1,40}") {
            let first = key().author_key(&source, &id);
            prop_assert_ne!(first, 0);
            prop_assert_eq!(first, key().author_key(&source, &id));
        }
    }
}
