//! Names that were probably meant. Nothing is priced by them: whoever asks decides. Pure.

/// How many names are proposed.
const PROPOSALS: usize = 4;

/// The names that resemble this one most, the most similar first: those that contain it or that it contains, and those that
/// differ in a third of their characters at most.
pub(super) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.trim().to_lowercase();
    let mut near: Vec<(usize, &str)> = names
        .into_iter()
        .map(|other| (distance(&name, other), other))
        .filter(|(distance, other)| {
            *distance * 3 <= name.chars().count().max(other.chars().count())
                || (!name.is_empty() && (other.contains(&name) || name.contains(other)))
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(PROPOSALS).map(|(_, other)| other).collect()
}

/// Characters to insert, remove or replace to make one text the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (number, character) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], number + 1);
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(character != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_counts_insertions_removals_and_replacements() {
        for (from, to, expected) in
            [("", "abc", 3), ("abc", "", 3), ("gpt-5", "gpt-5", 0), ("gpt-5", "gtp-5", 2), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn only_similar_names_are_proposed_and_the_most_similar_first() {
        let names = ["gpt-5", "gpt-5-mini", "gpt-4o", "claude-opus-5"];
        assert_eq!(nearest("GPT-5-mni", names), ["gpt-5-mini", "gpt-5"]);
        assert_eq!(nearest("claude-opus", names), ["claude-opus-5"]);
        assert!(nearest("something else entirely", names).is_empty() && nearest("", names).is_empty());
    }
}
