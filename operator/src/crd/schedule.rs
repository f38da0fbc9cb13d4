//! When a CronJob runs, as Kubernetes takes it: five fields of numbers, ranges and steps, or one word.

use schemars::Schema;
use serde_json::json;

const MESSAGE: &str = "schedule is not one that a CronJob takes: minute 0-59, hour 0-23, day 1-31, month 1-12 or jan-dec, weekday 0-6 or sun-sat, with one space between them; or @hourly, @daily, @weekly, @monthly, @yearly";
const MINUTE: &str = "[0-5]?[0-9]";
const HOUR: &str = "[01]?[0-9]|2[0-3]";
const DAY: &str = "0?[1-9]|[12][0-9]|3[01]";
const MONTH: &str = "0?[1-9]|1[0-2]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)";
const WEEKDAY: &str = "0?[0-6]|(?i:sun|mon|tue|wed|thu|fri|sat)";
const WORD: &str = "@(hourly|daily|midnight|weekly|monthly|yearly|annually)";

/// Of a schedule. That a range ends before it begins is found by Kubernetes alone.
pub(super) fn schedule(schema: &mut Schema) {
    let fields = [MINUTE, HOUR, DAY, MONTH, WEEKDAY].map(field).join(" ");
    let rule = format!("self.matches('^({WORD}|{fields})$')");
    schema.insert("maxLength".to_owned(), 100.into());
    schema.insert(
        "x-kubernetes-validations".to_owned(),
        json!([{ "rule": rule, "message": MESSAGE }]),
    );
}

/// All of them, one or a range, each with a step or without; several with commas between them.
fn field(value: &str) -> String {
    let range = format!("([*?]|({value})(-({value}))?)(/0*[1-9][0-9]*)?");
    format!("{range}(,{range})*")
}
