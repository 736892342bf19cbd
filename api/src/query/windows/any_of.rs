//! Alternatives in SQL.

/// That one of these conditions holds; no condition is no row. Halved again and again, because SQLite takes a chain of a thousand for an
/// expression that is too deep.
pub(super) fn any_of(conditions: &[String]) -> String {
    match conditions {
        [] => "false".to_owned(),
        [condition] => condition.clone(),
        _ => {
            let (left, right) = conditions.split_at(conditions.len() / 2);
            format!("({} or {})", any_of(left), any_of(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_are_not_nested_deeply() {
        let conditions: Vec<String> = (0..1_000).map(|number| format!("a = {number}")).collect();
        let text = any_of(&conditions);
        let depth = text.chars().scan(0_i32, |depth, c| {
            *depth += i32::from(c == '(') - i32::from(c == ')');
            Some(*depth)
        });
        assert!(depth.max().unwrap() <= 10);
        assert_eq!(text.matches(" or ").count(), 999);
        assert_eq!(any_of(&[]), "false");
    }
}
