//! What people do to a ChatSystem and to what was made of it, the wrong things too, with clients on it all the time.

use super::{MORE, NEXT_VERSION, Run, VERSION};

const ACCOUNT: &str = "chat";

impl Run {
    /// What cannot work is refused or told, and what runs goes on.
    pub(super) async fn mistakes_change_nothing(&self) {
        let from = self.now();
        self.a_specification_that_cannot_work_is_refused();
        self.a_missing_secret_is_told().await;
        self.a_wrong_password_is_told().await;
        self.writers.accepted_more(MORE).await;
        self.next_to_none_failed(from);
        self.say("a wrong specification, a missing Secret and a wrong password changed nothing");
    }

    fn a_specification_that_cannot_work_is_refused(&self) {
        let patch = r#"{"spec":{"workers":{"messages":{"autoscaling":{"minReplicas":9}}}}}"#;
        let refusal = self.system.try_patch(patch).expect_err("9 are more than 5");
        assert!(refusal.contains("spec.workers.messages"), "{refusal}");
    }

    async fn a_missing_secret_is_told(&self) {
        let secret = self.system.secret("chat-elasticsearch");
        self.system
            .kubectl(&["delete", "secret/chat-elasticsearch"]);
        let told = self.system.until("Ready", "SecretNotFound").await;
        assert!(told.contains("spec.elasticsearch.urlSecretRef"), "{told}");
        self.writers.accepted_more(MORE).await;
        self.system.apply(&secret);
        self.system.is_ready().await;
    }

    async fn a_wrong_password_is_told(&self) {
        let right = self.system.secret_value("chat-redis", "url");
        let password = self.system.secret_value("chat-redis", "password");
        let wrong = right.replace(&password, "wrong");
        self.system.set_secret("chat-redis", &[("url", &wrong)]);
        let told = self
            .system
            .until("BackendsReady", "RedisAccessDenied")
            .await;
        assert!(told.contains("spec.redis.urlSecretRef"), "{told}");
        self.writers.accepted_more(MORE).await;
        self.system.set_secret("chat-redis", &[("url", &right)]);
        self.system.until("BackendsReady", "AllReachable").await;
        self.system.is_ready().await;
    }

    /// A version whose migration is not allowed to change tables stays outside until it is.
    pub(super) async fn a_migration_fails(&self) {
        let from = self.now();
        let right = self.system.secret_value("chat-mysql", "migrationUrl");
        let without_rights = self.system.secret_value("chat-mysql", "url");
        let set = |url: &str| {
            self.system
                .set_secret("chat-mysql", &[("migrationUrl", url)])
        };
        set(&without_rights);
        self.system.set_version(NEXT_VERSION);
        let told = self
            .system
            .until("MigrationsApplied", "MigrationFailed")
            .await;
        assert!(told.to_lowercase().contains("denied"), "{told}");
        self.writers.accepted_more(MORE).await;
        assert_eq!(self.system.deployments_of_version(NEXT_VERSION), Ok(0));
        set(&right);
        self.system.runs(NEXT_VERSION).await;
        self.writers.accepted_more(MORE).await;
        self.system.set_version(VERSION);
        self.system.runs(VERSION).await;
        self.none_failed(from);
        self.say("a migration failed, and its version came once it was mended");
    }

    /// The old password counts until all pods have the new one.
    pub(super) async fn a_password_is_rotated(&self) {
        let from = self.now();
        let old = self.system.secret_value("chat-mysql", "password");
        let url = self.system.secret_value("chat-mysql", "url");
        let new = format!("{}0", old.chars().rev().collect::<String>());
        let alter = |what: &str| self.system.sql(&format!("ALTER USER {ACCOUNT}@'%' {what}"));
        alter(&format!("IDENTIFIED BY '{new}' RETAIN CURRENT PASSWORD"));
        let (before, pods) = (self.system.revision("acme-api"), self.system.pods());
        let url = url.replace(&old, &new);
        self.system
            .set_secret("chat-mysql", &[("url", &url), ("password", &new)]);
        self.system.is_rolled_out("acme-api", &before).await;
        self.system.is_ready().await;
        self.system.has_no_more(&pods).await;
        alter("DISCARD OLD PASSWORD");
        self.writers.accepted_more(MORE).await;
        self.none_failed(from);
        // They have to log in again.
        self.system.kill_pods("worker-messages");
        self.system.is_ready().await;
        self.say("the database's password was rotated");
    }

    /// Somebody changes what the operator made.
    pub(super) async fn somebody_meddles(&self) {
        let from = self.now();
        let kubectl = |arguments: &[&str]| self.system.kubectl(arguments);
        kubectl(&[
            "set",
            "image",
            "deployment/acme-api",
            "api=nowhere/nothing:1",
        ]);
        kubectl(&["scale", "deployment/acme-worker-chats", "--replicas=0"]);
        kubectl(&["delete", "deployment/acme-worker-indexing"]);
        self.system.runs(VERSION).await;
        self.system.has_replicas("acme-worker-chats", "1").await;
        kubectl(&["scale", "chatsystem/acme", "--replicas=3"]);
        self.system.has_replicas("acme-api", "3").await;
        kubectl(&["scale", "chatsystem/acme", "--replicas=2"]);
        self.system.has_replicas("acme-api", "2").await;
        self.system.is_ready().await;
        self.writers.accepted_more(MORE).await;
        self.none_failed(from);
        self.say(
            "what somebody changed by hand is as it was, and the API was scaled by its resource",
        );
    }

    /// What somebody changes meanwhile stays, until the pause ends.
    pub(super) async fn a_pause_is_kept(&self) {
        let delete = ["delete", "cronjob/acme-audit"];
        let get = ["get", "cronjob/acme-audit", "--output=name"];
        self.system.patch(r#"{"spec":{"paused":true}}"#);
        self.system.until("Progressing", "Paused").await;
        self.system.kubectl(&delete);
        self.writers.accepted_more(MORE).await;
        let found = self.system.try_kubectl(&get);
        found.expect_err("nothing is made in a pause");
        self.system.patch(r#"{"spec":{"paused":false}}"#);
        self.system.has(&get).await;
        self.system.is_ready().await;
        self.say("a pause was kept");
    }
}
