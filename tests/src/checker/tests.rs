//! A clean history passes, and one corruption for each way to break a promise is caught, by its rule.

use super::*;

const EXPECTATIONS: Expectations = Expectations {
    stored_on_accept: true,
};

fn scope() -> Scope {
    Scope {
        app: "A".into(),
        chat: Some(1),
    }
}

fn op(at: u64, kind: Kind, outcome: Outcome) -> Op {
    Op {
        client: 1,
        scope: scope(),
        kind,
        invoked_at: at,
        completed_at: at + 5,
        outcome,
    }
}

fn create(content: &str) -> Kind {
    Kind::Create {
        key: None,
        content: content.into(),
    }
}

fn keyed(content: &str) -> Kind {
    Kind::Create {
        key: Some("key".into()),
        content: content.into(),
    }
}

fn ok(number: u64, id: &str, rev: u64) -> Outcome {
    Outcome::Ok {
        number,
        id: id.into(),
        rev,
    }
}

fn read(number: u64, id: &str, rev: u64) -> Outcome {
    Outcome::Row {
        number,
        id: id.into(),
        rev,
    }
}

fn edit(number: u64, content: &str) -> Kind {
    Kind::Edit {
        number,
        content: content.into(),
    }
}

/// A little of everything that may happen to honest clients of a sound system.
fn history() -> Vec<Op> {
    vec![
        op(10, create("one"), ok(1, "a", 0)),
        op(20, keyed("two"), Outcome::Unknown),
        op(30, keyed("two"), ok(2, "b", 0)),
        op(40, create("three"), Outcome::Fail { status: 503 }),
        op(50, create("four"), ok(4, "d", 0)),
        op(60, Kind::Read { number: 4 }, read(4, "d", 0)),
        op(70, edit(4, "four, better"), ok(4, "d", 1)),
        op(80, Kind::Read { number: 4 }, read(4, "d", 1)),
        op(90, create("five"), ok(5, "e", 0)),
        op(100, Kind::Delete { number: 5 }, ok(5, "e", 2)),
        op(110, Kind::Count, Outcome::Counted(3)),
        op(120, create("six"), Outcome::Unknown),
        op(130, keyed("two"), ok(7, "b", 0)),
        op(140, create("eight"), ok(8, "h", 0)),
        op(150, Kind::Read { number: 8 }, Outcome::Processing),
        op(160, Kind::Count, Outcome::Counted(5)),
        op(165, edit(8, "eight, better"), Outcome::Processing),
    ]
}

fn row(id: &str, content: &str, rev: u64) -> Row {
    Row {
        id: id.into(),
        content: content.into(),
        rev,
    }
}

fn leads(number: u64, id: &str) -> Answer {
    Answer::Row {
        number,
        id: id.into(),
    }
}

/// 3 was refused and 5 deleted; 6 was stored though its client never heard of it; 7 is an alias of 2.
fn said() -> Said {
    Said {
        rows: BTreeMap::from([
            (1, row("a", "one", 0)),
            (2, row("b", "two", 0)),
            (4, row("d", "four, better", 1)),
            (6, row("f", "six", 0)),
            (8, row("h", "eight", 0)),
        ]),
        count: 5,
        gaps: vec![Gap {
            from: 3,
            to: 3,
            cause: "voided".into(),
        }],
        answers: BTreeMap::from([
            (1, leads(1, "a")),
            (2, leads(2, "b")),
            (3, Answer::NeverStored),
            (4, leads(4, "d")),
            (5, Answer::Gone),
            (7, leads(2, "b")),
            (8, leads(8, "h")),
        ]),
        found: Some(BTreeSet::from([1, 2, 4, 6, 8])),
        deleted: false,
    }
}

impl Said {
    /// One more row, in the list and wherever else a row shows.
    fn store(&mut self, number: u64, id: &str, content: &str) {
        self.rows.insert(number, row(id, content, 0));
        self.answers.insert(number, leads(number, id));
        self.gaps.retain(|gap| gap.from != number);
        self.found.get_or_insert_default().insert(number);
        self.count += 1;
    }

    /// One row less, wherever it showed; this is the answer to whoever asks for it.
    fn lose(&mut self, number: u64, answer: Answer) {
        self.rows.remove(&number);
        self.answers.insert(number, answer);
        self.found.get_or_insert_default().remove(&number);
        self.count -= 1;
    }
}

/// The rules that a changed history or ending breaks.
fn broken(change: impl FnOnce(&mut Vec<Op>, &mut Said)) -> BTreeSet<Rule> {
    let (mut history, mut said) = (history(), said());
    change(&mut history, &mut said);
    let ending = Ending {
        scopes: BTreeMap::from([(scope(), said)]),
    };
    let violations = check(&history, &ending, EXPECTATIONS);
    violations.iter().map(|violation| violation.rule).collect()
}

#[track_caller]
fn assert_caught(rule: Rule, change: impl FnOnce(&mut Vec<Op>, &mut Said)) {
    assert_eq!(broken(change), BTreeSet::from([rule]));
}

#[test]
fn a_clean_history_passes() {
    assert_eq!(broken(|_, _| {}), BTreeSet::new());
}

#[test]
fn a_deleted_chat_owes_nothing() {
    let empty = |_: &mut Vec<Op>, said: &mut Said| {
        *said = Said {
            deleted: true,
            ..Said::default()
        };
    };
    assert_eq!(broken(empty), BTreeSet::new());
}

#[test]
fn an_accepted_message_that_is_not_there_is_caught() {
    assert_caught(Rule::Durable, |_, said| said.lose(8, Answer::NotFound));
}

#[test]
fn an_accepted_message_that_is_processed_for_ever_is_caught() {
    assert_caught(Rule::Durable, |_, said| said.lose(8, Answer::Processing));
}

#[test]
fn an_accepted_number_voided_by_the_gap_ledger_is_caught() {
    assert_caught(Rule::Durable, |_, said| {
        said.answers.insert(7, Answer::NeverStored);
        said.gaps.push(Gap {
            from: 7,
            to: 7,
            cause: "block_lost".into(),
        });
    });
}

#[test]
fn a_message_gone_though_nobody_deleted_it_is_caught() {
    assert_caught(Rule::Durable, |history, _| {
        history.retain(|op| !matches!(op.kind, Kind::Delete { .. } | Kind::Count));
    });
}

#[test]
fn an_accepted_edit_that_is_lost_is_caught() {
    assert_caught(Rule::Durable, |_, said| {
        said.rows.insert(4, row("d", "four", 0));
    });
}

#[test]
fn an_accepted_delete_that_is_lost_is_caught() {
    assert_caught(Rule::Durable, |_, said| said.store(5, "e", "five"));
}

#[test]
fn one_key_stored_twice_is_caught() {
    assert_caught(Rule::Once, |history, said| {
        history.retain(|op| op.outcome != ok(7, "b", 0));
        said.store(7, "g", "two");
    });
}

#[test]
fn one_key_answered_with_two_ids_is_caught() {
    assert_caught(Rule::Once, |history, said| {
        history[12].outcome = ok(7, "g", 0);
        history.push(op(170, Kind::Delete { number: 2 }, Outcome::Unknown));
        said.lose(2, Answer::Gone);
        said.store(7, "g", "two");
    });
}

#[test]
fn an_unknown_create_stored_twice_is_caught() {
    assert_caught(Rule::Once, |_, said| said.store(9, "i", "six"));
}

#[test]
fn one_number_answered_to_two_messages_is_caught() {
    assert!(broken(|history, _| history[4].outcome = ok(8, "d", 0)).contains(&Rule::Unique));
}

#[test]
fn a_number_that_came_to_mean_another_message_is_caught() {
    assert_caught(Rule::Unique, |_, said| {
        said.answers.insert(8, leads(6, "f"));
    });
}

#[test]
fn a_number_below_one_that_was_answered_before_is_caught() {
    assert_caught(Rule::Increasing, |history, _| {
        let (one, four) = (history[0].clone(), history[4].clone());
        history[0] = Op {
            invoked_at: four.invoked_at,
            completed_at: four.completed_at,
            ..one.clone()
        };
        history[4] = Op {
            invoked_at: one.invoked_at,
            completed_at: one.completed_at,
            ..four
        };
    });
}

#[test]
fn a_hole_that_nobody_explains_is_caught() {
    assert_caught(Rule::Explained, |_, said| said.gaps.clear());
}

#[test]
fn a_gap_over_a_row_is_caught() {
    assert_caught(Rule::Explained, |_, said| said.gaps[0].to = 4);
}

#[test]
fn a_gap_without_a_known_cause_is_caught() {
    assert_caught(Rule::Explained, |_, said| {
        said.gaps[0].cause = "oops".into()
    });
}

#[test]
fn a_count_that_drifted_is_caught() {
    assert_caught(Rule::ExactCount, |_, said| said.count = 6);
}

#[test]
fn a_count_that_missed_an_accepted_message_during_the_run_is_caught() {
    assert_caught(Rule::ExactCount, |history, _| {
        history[15].outcome = Outcome::Counted(2);
    });
}

#[test]
fn a_count_that_saw_more_than_anybody_sent_is_caught() {
    assert_caught(Rule::ExactCount, |history, _| {
        history[10].outcome = Outcome::Counted(4);
    });
}

#[test]
fn a_row_that_search_does_not_find_is_caught() {
    assert_caught(Rule::Searchable, |_, said| {
        said.found = Some(BTreeSet::from([1, 2, 4, 6]));
    });
}

#[test]
fn a_deleted_message_that_search_still_shows_is_caught() {
    assert_caught(Rule::Searchable, |_, said| {
        said.found = Some(BTreeSet::from([1, 2, 4, 5, 6, 8]));
    });
}

#[test]
fn text_of_another_tenant_is_caught() {
    assert_caught(Rule::Tenants, |history, said| {
        let foreign = Scope {
            app: "B".into(),
            chat: Some(1),
        };
        history.push(Op {
            scope: foreign,
            ..op(170, create("secret"), Outcome::Unknown)
        });
        said.rows.insert(6, row("f", "secret", 0));
    });
}

#[test]
fn a_refused_create_that_left_a_row_is_caught() {
    assert_caught(Rule::HonestNo, |_, said| said.store(3, "c", "three"));
}

#[test]
fn a_change_that_was_told_to_come_back_and_happened_is_caught() {
    assert_caught(Rule::Durable, |_, said| {
        said.rows.insert(8, row("h", "eight, better", 0));
    });
}

#[test]
fn a_row_that_nobody_asked_for_is_caught() {
    assert_caught(Rule::HonestNo, |_, said| {
        said.rows.insert(6, row("f", "who wrote this?", 0));
    });
}

#[test]
fn an_accepted_number_that_was_unknown_to_a_reader_is_caught() {
    assert_caught(Rule::ReadYourWrites, |history, _| {
        history[14].outcome = Outcome::Fail { status: 404 };
    });
}

#[test]
fn a_reader_who_goes_back_in_time_is_caught() {
    assert_caught(Rule::ReadYourWrites, |history, _| {
        history.push(op(170, Kind::Read { number: 4 }, read(4, "d", 0)));
    });
}

#[test]
fn a_violation_says_what_is_wrong_and_where() {
    let ending = Ending {
        scopes: BTreeMap::from([(scope(), Said { count: 6, ..said() })]),
    };
    let violations = check(&history(), &ending, EXPECTATIONS);
    let text: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        ["I6 exact count, chat 1 of A: the count is 6 and there are 5 rows"]
    );
}
