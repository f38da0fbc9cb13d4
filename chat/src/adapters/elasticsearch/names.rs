//! What indices and aliases are called.

#[derive(Clone)]
pub(super) struct Names {
    base: String,
}

impl Names {
    /// `None` for a prefix that Elasticsearch would not take.
    pub(super) fn new(prefix: &str) -> Option<Self> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let valid = prefix.len() <= 40
            && prefix.starts_with(|c: char| c.is_ascii_lowercase())
            && prefix.chars().all(fits);
        valid.then(|| Self {
            base: format!("{prefix}-messages"),
        })
    }

    pub(super) fn in_use(&self) -> String {
        self.base.clone()
    }

    pub(super) fn next(&self) -> String {
        format!("{}-next", self.base)
    }

    pub(super) fn index(&self, generation: u64) -> String {
        format!("{}-v{generation}", self.base)
    }

    pub(super) fn all(&self) -> String {
        format!("{}-v*", self.base)
    }

    pub(super) fn generation(&self, index: &str) -> Option<u64> {
        index
            .strip_prefix(&self.base)?
            .strip_prefix("-v")?
            .parse()
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_generation_and_only_ours_do() {
        let names = Names::new("chat-1").unwrap();
        assert_eq!(names.generation(&names.index(12)), Some(12));
        for foreign in [
            "chat-1-messages",
            "chat-1-messages-vx",
            "chat-messages-v1",
            "chat-1-messages-v1-old",
        ] {
            assert_eq!(names.generation(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_prefix_that_no_index_can_have_is_refused() {
        for prefix in ["", "-chat", "Chat", "chat*", "chät", "a,b", &"x".repeat(41)] {
            assert!(Names::new(prefix).is_none(), "{prefix}");
        }
    }
}
