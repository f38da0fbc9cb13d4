//! A schedule is taken where Kubernetes takes it of a CronJob.

use crate::plane::in_a_namespace;
use kube::api::{DynamicObject, PostParams};
use serde_json::json;

/// Schedules, and whether they are taken.
const SCHEDULES: [(&str, bool); 30] = [
    ("* * * * *", true),
    ("*/5 * * * *", true),
    ("59 23 31 12 6", true),
    ("00 00 01 01 00", true),
    ("0-30/2,45 1,13 1-15 JAN,dec Mon-fri", true),
    ("? * ? * *", true),
    ("5/15 * * feb-4 sat", true),
    ("@hourly", true),
    ("@daily", true),
    ("@midnight", true),
    ("@weekly", true),
    ("@monthly", true),
    ("@yearly", true),
    ("@annually", true),
    ("60 * * * *", false),
    ("* 24 * * *", false),
    ("* * 0 * *", false),
    ("* * 32 * *", false),
    ("* * * 0 *", false),
    ("* * * 13 *", false),
    ("* * * * 7", false),
    ("* * * * funday", false),
    ("* * * *", false),
    ("* * * * * *", false),
    ("*/0 * * * *", false),
    ("1-2-3 * * * *", false),
    ("*/5/5 * * * *", false),
    ("-1 * * * *", false),
    ("@Hourly", false),
    ("TZ=UTC * * * * *", false),
];

#[test]
fn a_schedule_is_taken_where_a_cron_job_takes_it() {
    in_a_namespace(async |room| {
        let cron_jobs = room.dynamic("batch/v1", "CronJob", "cronjobs");
        let cron_job = |schedule: &str| -> DynamicObject {
            let container = json!({ "name": "one", "image": "one" });
            let pod = json!({ "containers": [container], "restartPolicy": "Never" });
            let job = json!({ "spec": { "template": { "spec": pod } } });
            serde_json::from_value(json!({
                "metadata": { "name": "one" },
                "spec": { "schedule": schedule, "jobTemplate": job },
            }))
            .unwrap()
        };
        let tried = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        for (schedule, is_taken) in SCHEDULES {
            let by_kubernetes = cron_jobs.create(&tried, &cron_job(schedule)).await;
            assert_eq!(
                by_kubernetes.is_ok(),
                is_taken,
                "{schedule}: {by_kubernetes:?}"
            );
            let mut system = room.sample();
            system.spec.audit.schedule = schedule.to_owned();
            let by_us = room.systems().create(&tried, &system).await;
            assert_eq!(by_us.is_ok(), is_taken, "{schedule}: {by_us:?}");
        }
    });
}
