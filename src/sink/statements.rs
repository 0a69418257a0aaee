//! Splits a file of SQL into statements, because the HTTP interface takes one at a time.
//! Owner: `migrations`. Invariant: a semicolon inside a string, a quoted name or a comment ends nothing; comments are
//! left out, so a statement starts with its own first word.

/// What the reader is inside of.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Statement,
    /// A string or a quoted name, by its quote.
    Quoted(char),
    LineComment,
    /// Block comments of ClickHouse do not nest.
    BlockComment,
}

/// The statements of a file without comments, without semicolons, in order; empty ones are left out.
pub fn split(sql: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    let mut inside = Inside::Statement;
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        match inside {
            Inside::Statement => match c {
                ';' => {
                    finish(&mut current, &mut statements);
                }
                '-' if chars.peek() == Some(&'-') => inside = Inside::LineComment,
                '/' if chars.peek() == Some(&'*') => {
                    chars.next();
                    inside = Inside::BlockComment;
                }
                '\'' | '"' | '`' => {
                    current.push(c);
                    inside = Inside::Quoted(c);
                }
                _ => current.push(c),
            },
            Inside::Quoted(quote) => {
                current.push(c);
                if c == '\\' {
                    current.extend(chars.next()); // an escaped quote does not close; a doubled one closes and opens again
                } else if c == quote {
                    inside = Inside::Statement;
                }
            }
            Inside::LineComment => {
                if c == '\n' {
                    current.push(c);
                    inside = Inside::Statement;
                }
            }
            Inside::BlockComment => {
                if c == '*' && chars.peek() == Some(&'/') {
                    chars.next();
                    current.push(' ');
                    inside = Inside::Statement;
                }
            }
        }
    }
    finish(&mut current, &mut statements);
    statements
}

fn finish(current: &mut String, statements: &mut Vec<String>) {
    let statement = current.trim();
    if !statement.is_empty() {
        statements.push(statement.to_owned());
    }
    current.clear();
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn semicolons_in_strings_names_and_comments_end_nothing() {
        let sql = "-- one; two\nSELECT 'a;b', 'it''s; \\'; ', `c;d` /* e;f */ FROM t; ;\nSELECT 2 -- end;";
        assert_eq!(split(sql), ["SELECT 'a;b', 'it''s; \\'; ', `c;d`   FROM t", "SELECT 2"]);
    }

    #[test]
    fn comment_marks_in_strings_are_text() {
        assert_eq!(split("SELECT '-- no', '/* no */';SELECT 1-1"), ["SELECT '-- no', '/* no */'", "SELECT 1-1"]);
    }

    #[test]
    fn a_file_of_comments_has_no_statement() {
        assert!(split("-- nothing\n/* here */ ;").is_empty());
    }
}
