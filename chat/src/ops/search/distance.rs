//! How many typing mistakes lie between two words.

/// The number of insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`,
/// where no character is touched twice (optimal string alignment); `None` when more than `limit`.
pub fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    // Rows of the usual table: two rows back, one row back, and the one being filled.
    let mut older = vec![0; b.len() + 1];
    let mut old: Vec<usize> = (0..=b.len()).collect();
    let mut new = vec![0; b.len() + 1];
    for i in 1..=a.len() {
        new[0] = i;
        for j in 1..=b.len() {
            let substitution = old[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            new[j] = substitution.min(old[j] + 1).min(new[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                new[j] = new[j].min(older[j - 2] + 1);
            }
        }
        if new.iter().min() > Some(&limit) && old.iter().min() > Some(&limit) {
            return None;
        }
        std::mem::swap(&mut older, &mut old);
        std::mem::swap(&mut old, &mut new);
    }
    (old[b.len()] <= limit).then_some(old[b.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_kind_of_mistake_counts_one() {
        for (a, b) in [
            ("kernel", "kernal"),
            ("kernel", "kerne"),
            ("kernel", "kernell"),
            ("kernel", "kenrel"),
        ] {
            assert_eq!(distance(a, b, 2), Some(1), "{a} {b}");
        }
        assert_eq!(
            distance("ca", "abc", 3),
            Some(3),
            "no character is touched twice"
        );
        assert_eq!(
            distance("naïve", "naive", 1),
            Some(1),
            "characters, not bytes"
        );
        assert_eq!(distance("abc", "xyz", 2), None);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_which_word_is_the_wrong_one(a in "[abc]{0,8}", b in "[abc]{0,8}") {
            prop_assert_eq!(distance(&a, &b, 8), distance(&b, &a, 8));
        }

        #[test]
        fn a_limit_only_hides_what_is_above_it(a in "[abc]{0,8}", b in "[abc]{0,8}", limit in 0usize..8) {
            let exact = distance(&a, &b, 8).unwrap();
            prop_assert_eq!(distance(&a, &b, limit), (exact <= limit).then_some(exact));
            prop_assert_eq!(exact == 0, a == b);
        }

        #[test]
        fn a_common_beginning_does_not_matter(start in "[abc]{0,4}", a in "[abc]{0,6}", b in "[abc]{0,6}") {
            prop_assert_eq!(distance(&format!("{start}{a}"), &format!("{start}{b}"), 9), distance(&a, &b, 9));
        }
    }
}
