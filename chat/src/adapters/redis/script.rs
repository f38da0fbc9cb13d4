//! Scripts that run inside Redis, and how one is called.

use super::RedisServer;
use crate::error::Result;
use ::redis::{FromRedisValue, ScriptInvocation, ToRedisArgs};

pub(super) struct Script(::redis::Script);

impl Script {
    pub(super) fn new(code: &str) -> Self {
        Self(::redis::Script::new(code))
    }

    /// One that knows as `rid` which process of Redis it runs in: asked for inside the script, because
    /// behind a proxy or a failover the next command may meet another process.
    pub(super) fn fenced(code: &str) -> Self {
        Self::new(&format!(
            "local rid = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')\n{code}"
        ))
    }

    pub(super) fn call(&self) -> Call<'_> {
        Call(self.0.prepare_invoke())
    }
}

/// A script with its keys and arguments.
pub(super) struct Call<'a>(ScriptInvocation<'a>);

impl Call<'_> {
    pub(super) fn key(mut self, key: &str) -> Self {
        self.0.key(key);
        self
    }

    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.0.arg(argument);
        self
    }

    /// Runs it. When the connection was lost it is sent once more, so that a restart of Redis costs
    /// nobody an error: for scripts that may take effect twice.
    pub(super) async fn run<T: FromRedisValue>(&self, server: &RedisServer) -> Result<T> {
        server.connection.run_again_when_cut(&self.0).await
    }

    /// Sends it once, whatever happens.
    pub(super) async fn run_once<T: FromRedisValue>(&self, server: &RedisServer) -> Result<T> {
        server.connection.run(&self.0).await
    }

    /// As `run`; `None` at once while Redis is believed to be away, and when it turns out to be: for
    /// those who can do without.
    pub(super) async fn try_run<T: FromRedisValue>(&self, server: &RedisServer) -> Option<T> {
        match server.connection.worth_asking() {
            true => self.run(server).await.ok(),
            false => None,
        }
    }
}
