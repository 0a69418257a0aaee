//! "Did you mean": the known name nearest to a mistyped one. Pure.

/// `; did you mean "x"?` when a candidate is near enough, else nothing.
pub fn did_you_mean<'a>(written: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    let written = written.to_lowercase();
    let limit = (written.chars().count() / 3).min(3);
    let nearest = candidates.map(|name| (edits(&written, &name.to_lowercase()), name)).min();
    match nearest {
        Some((distance, name)) if distance <= limit => format!("; did you mean \"{name}\"?"),
        _ => String::new(),
    }
}

/// Edit distance in letters; two neighbours swapped are one edit, as fingers do it.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_recognised_and_another_word_is_not() {
        let known = ["json", "text", "территория"];
        assert_eq!(did_you_mean("jsno", known.into_iter()), "; did you mean \"json\"?");
        assert_eq!(did_you_mean("Територия", known.into_iter()), "; did you mean \"территория\"?");
        assert_eq!(did_you_mean("yaml", known.into_iter()), "");
        assert_eq!(did_you_mean("x", [].into_iter()), "");
    }
}
