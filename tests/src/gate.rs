//! Holds a program in the middle of a transaction, so that it can be killed there: a row that its statement
//! needs is locked by somebody else. On MySQL.

use crate::eventually::eventually;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, Row};
use std::time::Duration;

/// Where a transaction waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A worker has begun and read nothing yet.
    Begun,
    /// A worker has decided, and inserts its first message.
    Inserting,
    /// A worker inserts the message whose content is `KILLER`.
    InsertingKiller,
    /// A worker has written everything.
    Written,
    /// A fold has added to the counts, and is to remove what it added.
    Added,
    /// A `chat-api` is to reserve numbers.
    Reserving,
}

impl Place {
    /// Where in a transaction a row of `gates` is read, and when. None: its own rows are locked.
    fn trigger(self) -> Option<(&'static str, String)> {
        let always = "TRUE".to_owned();
        match self {
            Self::Begun | Self::Reserving => None,
            Self::Inserting => Some(("BEFORE INSERT ON messages", always)),
            Self::InsertingKiller => {
                let killer = format!("NEW.content = '{KILLER}'");
                Some(("BEFORE INSERT ON messages", killer))
            }
            Self::Written => Some(("AFTER INSERT ON count_ledger", always)),
            Self::Added => Some(("BEFORE DELETE ON count_ledger", always)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Inserting => "inserting",
            Self::InsertingKiller => "killer",
            Self::Written => "written",
            Self::Added => "added",
            Self::Reserving => "reserving",
        }
    }

    /// Whose rows are waited for.
    fn table(self) -> &'static str {
        match self {
            Self::Begun => "chats",
            Self::Reserving => "sequences",
            _ => "gates",
        }
    }

    fn lock(self) -> String {
        match self {
            Self::Begun => "SELECT number FROM chats FOR UPDATE".to_owned(),
            Self::Reserving => "SELECT scope FROM sequences FOR UPDATE".to_owned(),
            _ => format!(
                "SELECT place FROM gates WHERE place = '{}' FOR UPDATE",
                self.name()
            ),
        }
    }
}

const WITH_TRIGGERS: [Place; 4] = [
    Place::Inserting,
    Place::InsertingKiller,
    Place::Written,
    Place::Added,
];
/// A message at which a worker can be made to wait.
pub const KILLER: &str = "no worker survives this";

/// All of one database.
pub struct Gates {
    holder: MySqlConnection,
    watcher: MySqlConnection,
}

impl Gates {
    /// `url` names a database that has its tables.
    pub async fn build(url: &str) -> Self {
        let connect = async || MySqlConnection::connect(url).await.expect(ANSWERS);
        let mut gates = Self {
            holder: connect().await,
            watcher: connect().await,
        };
        gates
            .execute("CREATE TABLE gates (place VARCHAR(16) PRIMARY KEY)")
            .await;
        for place in WITH_TRIGGERS {
            let name = place.name();
            let (passes, when) = place.trigger().expect("it has one");
            gates
                .execute(&format!("INSERT INTO gates VALUES ('{name}')"))
                .await;
            let trigger = format!(
                "CREATE TRIGGER gate_{name} {passes} FOR EACH ROW IF {when} THEN \
                 SET @passed = (SELECT place FROM gates WHERE place = '{name}' LOCK IN SHARE MODE); END IF"
            );
            gates.execute(&trigger).await;
        }
        gates
    }

    /// Whoever comes there waits, until `open`.
    pub async fn close(&mut self, place: Place) {
        let holder = &mut self.holder;
        for _ in 0..TRIES {
            holder.execute("BEGIN").await.expect(ANSWERS);
            let lock = sqlx::raw_sql(AssertSqlSafe(place.lock()));
            match holder.execute(lock).await {
                Ok(_) => return,
                // It waited for somebody who waited for it.
                Err(_) => holder.execute("ROLLBACK").await.expect(ANSWERS),
            };
        }
        panic!("{place:?} cannot be closed");
    }

    pub async fn open(&mut self) {
        self.holder.execute("ROLLBACK").await.expect(ANSWERS);
    }

    /// Returns once somebody waits there.
    pub async fn wait(&mut self, place: Place, within: Duration) {
        let watcher = tokio::sync::Mutex::new(&mut self.watcher);
        let ask = async || waiting(*watcher.lock().await, place).await;
        eventually(within, ask, |waiting| !waiting.is_empty()).await;
    }

    /// Whether somebody waits there.
    pub async fn has(&mut self, place: Place) -> bool {
        !waiting(&mut self.watcher, place).await.is_empty()
    }

    /// Ends the connections of all who wait there: for those whose program was killed, which the server does
    /// not see as long as they wait.
    pub async fn turn_away(&mut self, place: Place) {
        for connection in waiting(&mut self.watcher, place).await {
            // It may have ended by itself.
            let kill = sqlx::raw_sql(AssertSqlSafe(format!("KILL {connection}")));
            self.watcher.execute(kill).await.ok();
        }
    }

    /// Asks for one number until it is right.
    pub async fn until(
        &mut self,
        sql: &'static str,
        right: impl Fn(i64) -> bool,
        within: Duration,
    ) {
        let watcher = tokio::sync::Mutex::new(&mut self.watcher);
        let ask = async || {
            let mut watcher = watcher.lock().await;
            number(&mut watcher, sql).await
        };
        eventually(within, ask, |number| right(*number)).await;
    }

    pub async fn ask(&mut self, sql: &'static str) -> i64 {
        number(&mut self.watcher, sql).await
    }

    pub async fn execute(&mut self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        self.watcher.execute(sql).await.expect(ANSWERS);
    }
}

/// How often somebody else may be in the way.
const TRIES: u32 = 20;
const ANSWERS: &str = "the database does as it is told";

/// The connections.
async fn waiting(database: &mut MySqlConnection, place: Place) -> Vec<u64> {
    const WAITING: &str = "SELECT DISTINCT t.processlist_id FROM performance_schema.data_lock_waits w \
        JOIN performance_schema.data_locks l ON l.engine_lock_id = w.requesting_engine_lock_id \
        JOIN performance_schema.threads t ON t.thread_id = w.requesting_thread_id \
        WHERE l.object_schema = DATABASE() AND l.object_name = ?";
    let asked = sqlx::query(WAITING).bind(place.table());
    let rows = asked.fetch_all(database).await.expect(ANSWERS);
    let connection = |row: &MySqlRow| row.try_get(0).expect("it is a number");
    rows.iter().map(connection).collect()
}

async fn number(database: &mut MySqlConnection, sql: &'static str) -> i64 {
    let row = database.fetch_one(sql).await.expect(ANSWERS);
    row.try_get(0).expect("it is a number")
}
