//! `Tenants`: applications and their keys.

use super::decode::{Cursor, DELETED, KIND_CHATS, LIVE, broken};
use super::statement::insert;
use super::{SqlStore, Tx};
use crate::error::Result;
use crate::model::{Application, KeyId, Millis, Name, TenantId, Token};
use crate::ports::{Creation, KeyRecord, NewApplication, Tenant, Tenants};
use async_trait::async_trait;

/// token, name, created_at, updated_at, chats_count of `applications a`, counted in the same statement (I6).
fn application_columns() -> String {
    format!(
        "a.token, a.name, a.created_at, a.updated_at, {}",
        super::reader::count_expression(KIND_CHATS, "a.app_id", "0")
    )
}

#[async_trait]
impl Tenants for SqlStore {
    async fn create(&self, new: NewApplication) -> Result<Creation> {
        let mut tx = self.begin_write().await?;
        let outcome = create(&mut tx, &new).await;
        self.end_write(tx, outcome).await
    }

    async fn find(&self, token: Token) -> Result<Option<Tenant>> {
        let sql = format!(
            "SELECT app_id, idem_salt FROM applications WHERE token = ? AND state = {LIVE}"
        );
        let Some(row) = self
            .fetch_optional(sql, |query| query.bind(token.as_str().to_owned()))
            .await?
        else {
            return Ok(None);
        };
        let mut row = Cursor::over(&row);
        let app = row.app()?;
        let salt: Vec<u8> = row.get()?;
        let sql = "SELECT key_id, hash, created_at, revoked_at FROM api_keys WHERE app_id = ? ORDER BY created_at, key_id";
        let rows = self
            .fetch_all(sql.to_owned(), |query| query.bind(app.get()))
            .await?;
        let keys = rows.iter().map(key_record).collect::<Result<_>>()?;
        let idem_salt = salt.try_into().map_err(|_| broken("an idempotency salt"))?;
        Ok(Some(Tenant {
            app,
            token,
            idem_salt,
            keys,
        }))
    }

    async fn show(&self, tenant: TenantId) -> Result<Option<Application>> {
        let sql = format!(
            "SELECT {} FROM applications a WHERE a.app_id = ? AND a.state = {LIVE}",
            application_columns()
        );
        let row = self
            .fetch_optional(sql, |query| query.bind(tenant.app().get()))
            .await?;
        row.as_ref().map(application).transpose()
    }

    async fn list(&self, offset: u64, limit: u32) -> Result<(Vec<Application>, u64)> {
        let mut tx = self.begin_read().await?;
        let sql = format!("SELECT COUNT(*) FROM applications WHERE state = {LIVE}");
        let total = tx.fetch_optional(sql, |query| query).await?;
        let total = total.ok_or_else(|| broken("no row of a COUNT"))?;
        let sql = format!(
            "SELECT {} FROM applications a WHERE a.state = {LIVE} ORDER BY a.created_at, a.app_id LIMIT ? OFFSET ?",
            application_columns()
        );
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let rows = tx
            .fetch_all(sql, |query| query.bind(i64::from(limit)).bind(offset))
            .await?;
        tx.rollback().await;
        let applications = rows.iter().map(application).collect::<Result<_>>()?;
        Ok((applications, Cursor::over(&total).count()?))
    }

    async fn rename(&self, tenant: TenantId, name: &Name, now: Millis) -> Result<bool> {
        let name = name.as_str().to_owned();
        self.write_one(
            format!("UPDATE applications SET name = ?, updated_at = ? WHERE app_id = ? AND state = {LIVE}"),
            |query| query.bind(name).bind(now.get()).bind(tenant.app().get()),
        )
        .await
    }

    async fn delete(&self, tenant: TenantId, now: Millis) -> Result<bool> {
        self.write_one(
            format!("UPDATE applications SET state = {DELETED}, updated_at = ? WHERE app_id = ? AND state = {LIVE}"),
            |query| query.bind(now.get()).bind(tenant.app().get()),
        )
        .await
    }

    async fn add_key(&self, tenant: TenantId, key: KeyRecord, limit: u32) -> Result<bool> {
        let mut tx = self.begin_write().await?;
        let outcome = add_key(&mut tx, tenant, &key, limit).await;
        self.end_write(tx, outcome).await
    }

    async fn revoke_key(&self, tenant: TenantId, id: &KeyId, now: Millis) -> Result<bool> {
        let id = id.as_str().to_owned();
        self.write_one(
            "UPDATE api_keys SET revoked_at = ? WHERE key_id = ? AND app_id = ? AND revoked_at IS NULL".to_owned(),
            |query| query.bind(now.get()).bind(id).bind(tenant.app().get()),
        )
        .await
    }
}

impl SqlStore {
    /// One UPDATE in a transaction of its own; whether it found its row.
    async fn write_one(
        &self,
        sql: String,
        bind: impl FnOnce(super::Query) -> super::Query + Send,
    ) -> Result<bool> {
        let mut tx = self.begin_write().await?;
        let outcome = tx.run(sql, bind).await.map(|found| found > 0);
        self.end_write(tx, outcome).await
    }
}

async fn create(tx: &mut Tx, new: &NewApplication) -> Result<Creation> {
    if let Some((idem_key, _)) = &new.idem_key {
        let sql = format!(
            "SELECT token, idem_fingerprint FROM applications WHERE idem_key = ?{}",
            tx.dialect().lock
        );
        if let Some(row) = tx
            .fetch_optional(sql, |query| query.bind(idem_key.clone()))
            .await?
        {
            let mut row = Cursor::over(&row);
            let token = row.token()?;
            let fingerprint = row
                .fingerprint()?
                .ok_or_else(|| broken("an idempotency key without a fingerprint"))?;
            return Ok(Creation::Existing { token, fingerprint });
        }
    }
    let (idem_key, fingerprint) = new.idem_key.clone().unzip();
    let columns = [
        "app_id",
        "token",
        "name",
        "idem_salt",
        "idem_key",
        "idem_fingerprint",
        "state",
        "created_at",
        "updated_at",
    ];
    tx.run(insert("applications", &columns, 1), |query| {
        query
            .bind(new.app.get())
            .bind(new.token.as_str().to_owned())
            .bind(new.name.as_str().to_owned())
            .bind(new.idem_salt.to_vec())
            .bind(idem_key)
            .bind(fingerprint.map(|fingerprint| fingerprint.as_bytes().to_vec()))
            .bind(LIVE)
            .bind(new.now.get())
            .bind(new.now.get())
    })
    .await?;
    insert_key(tx, new.app.get(), &new.key).await?;
    Ok(Creation::Created)
}

async fn add_key(tx: &mut Tx, tenant: TenantId, key: &KeyRecord, limit: u32) -> Result<bool> {
    // The application's row is the lock: two rotations at once cannot both see room.
    let sql = format!(
        "SELECT app_id FROM applications WHERE app_id = ? AND state = {LIVE}{}",
        tx.dialect().lock
    );
    if tx
        .fetch_optional(sql, |query| query.bind(tenant.app().get()))
        .await?
        .is_none()
    {
        return Ok(false);
    }
    let sql = "SELECT key_id FROM api_keys WHERE app_id = ? AND revoked_at IS NULL".to_owned();
    let live = tx
        .fetch_all(sql, |query| query.bind(tenant.app().get()))
        .await?;
    if live.len() >= limit as usize {
        return Ok(false);
    }
    insert_key(tx, tenant.app().get(), key).await?;
    Ok(true)
}

async fn insert_key(tx: &mut Tx, app: i64, key: &KeyRecord) -> Result<()> {
    let KeyRecord {
        id,
        hash,
        created_at,
        revoked_at,
    } = key;
    tx.run(
        insert(
            "api_keys",
            &["key_id", "app_id", "hash", "created_at", "revoked_at"],
            1,
        ),
        |query| {
            query
                .bind(id.as_str().to_owned())
                .bind(app)
                .bind(hash.to_vec())
                .bind(created_at.get())
                .bind(revoked_at.map(Millis::get))
        },
    )
    .await?;
    Ok(())
}

fn key_record(row: &sqlx::any::AnyRow) -> Result<KeyRecord> {
    let mut row = Cursor::over(row);
    let id: String = row.get()?;
    let hash: Vec<u8> = row.get()?;
    Ok(KeyRecord {
        id: KeyId::parse(&id).ok_or_else(|| broken("a key id"))?,
        hash: hash.try_into().map_err(|_| broken("a key's hash"))?,
        created_at: row.millis()?,
        revoked_at: row.get::<Option<i64>>()?.map(Millis::new),
    })
}

fn application(row: &sqlx::any::AnyRow) -> Result<Application> {
    let mut row = Cursor::over(row);
    Ok(Application {
        token: row.token()?,
        name: row
            .text(Name::parse)?
            .ok_or_else(|| broken("an application without a name"))?,
        created_at: row.millis()?,
        updated_at: row.millis()?,
        chats_count: row.count()?,
    })
}
