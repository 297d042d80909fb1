//! The databases that are looked into, one after the other.

use crate::cell;
use crate::error::Error;
use crate::keeper::Keeper;

/// Databases that the role may look into, the server's own first.
const DATABASES: &str = "select datname::text from pg_database \
    where datallowconn and not datistemplate and has_database_privilege(oid, 'connect') \
    order by datname <> current_database(), oid";

/// The databases to look into, that of the session that there is first, and how many more there are than are allowed.
pub async fn list(keeper: &mut Keeper) -> Result<(Vec<String>, usize), Error> {
    let server = keeper.server.clone();
    let rows = keeper.ask(&server.database, DATABASES).await?;
    let all = rows.iter().map(|row| cell::text(row, 0).into_owned());
    let wanted = &server.databases;
    let mut found: Vec<String> = all.filter(|name| wanted.is_empty() || wanted.contains(name)).collect();
    let most = server.limits.databases as usize;
    let left_out = found.len().saturating_sub(most);
    found.truncate(most);
    if let Some(at) = keeper.database().and_then(|kept| found.iter().position(|name| name == kept)) {
        found.swap(0, at);
    }
    Ok((found, left_out))
}
