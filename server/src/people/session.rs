//! Server-side sessions: the cookie holds a random token, the database its hash.

use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, FromRow};

use super::access::ANSWERS;
use super::{Grant, Role};
use crate::clock::{Clock, Timestamp};
use crate::db::Db;
use crate::error::Error;
use crate::id::{AccountId, AreaId};

/// Name of the cookie.
pub const COOKIE: &str = "millet_session";
/// A session ends this long after it was last used.
pub const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// Use is written down at most this often.
const SEEN_EVERY: Duration = Duration::from_secs(15 * 60);

/// A random secret that a browser keeps; only its hash is stored.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// 32 random bytes.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub fn new() -> Result<Self, Error> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Self(hex::encode(bytes)))
    }

    /// A token that came back from a cookie or a card.
    #[must_use]
    pub fn received(text: &str) -> Option<Self> {
        let plausible = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        plausible.then(|| Self(text.to_owned()))
    }

    /// What is stored: SHA-256, hexadecimal. The token is random, so no salt is needed.
    #[must_use]
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }

    /// The text for the cookie or the card.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Proof that somebody is signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    account: AccountId,
    name: String,
    language: Option<String>,
    session_hash: String,
    guest: bool,
    grants: Vec<Grant>,
    news: News,
}

/// Unread notices, by where they are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// About the plan of one's own household.
    pub plan: i64,
    /// About households that one helps.
    pub support: i64,
}

impl SignedIn {
    /// Who.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The name that people see.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Chosen language, as a code.
    #[must_use]
    pub fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// Hash of this browser's session token.
    #[must_use]
    pub fn session_hash(&self) -> &str {
        &self.session_hash
    }

    /// Whether it is somebody who came by a class code.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.guest
    }

    /// Roles at areas.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// Unread notices.
    #[must_use]
    pub fn news(&self) -> News {
        self.news
    }

    /// Whether the account has this role anywhere.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.grants.iter().any(|grant| grant.role == role)
    }
}

/// Whoever asks: signed in or not. Never refuses.
#[derive(Clone, Debug)]
pub struct Visitor(pub Option<SignedIn>);

#[derive(FromRow)]
struct SessionRow {
    account_id: AccountId,
    name: String,
    language: Option<String>,
    guest_since: Option<Timestamp>,
    seen_at: Timestamp,
    news_plan: i64,
    news_support: i64,
}

#[derive(FromRow)]
struct GrantRow {
    role: String,
    area_id: AreaId,
}

/// Begins a session and returns its token.
///
/// # Errors
/// When the database fails.
pub async fn begin(
    connection: &mut AnyConnection,
    account: AccountId,
    device: &str,
    now: Timestamp,
) -> Result<Token, Error> {
    let token = Token::new()?;
    sqlx::query(
        "insert into session (token_hash, account_id, created_at, seen_at, expires_at, device) \
         values ($1, $2, $3, $3, $4, $5)",
    )
    .bind(token.hash())
    .bind(account)
    .bind(now)
    .bind(now.after(LIFETIME))
    .bind(device)
    .execute(connection)
    .await?;
    Ok(token)
}

/// Whose live session the token is; `None` for any other token.
///
/// # Errors
/// When the database fails.
pub async fn find(db: &Db, token: &Token, now: Timestamp) -> Result<Option<SignedIn>, Error> {
    let hash = token.hash();
    let mut connection = db.read().await?;
    // What a page leads to: measures of households that the helper answers for now.
    let sql = format!(
        "select session.account_id, account.name, account.language, account.guest_since, \
         session.seen_at, \
         (select count(*) from notice where notice.account_id = account.id \
         and notice.read_at is null and notice.kind = 'measure_returned') as news_plan, \
         (select count(distinct measure.id) from notice \
         join measure on measure.id = notice.subject_id \
         join support_plan on support_plan.id = measure.plan_id \
         join household on household.id = support_plan.household_id \
         join household_helper own on own.household_id = household.id \
         and own.account_id = notice.account_id \
         where notice.account_id = account.id and notice.read_at is null \
         and notice.kind in ('measure_fulfilled', 'measure_reopened') \
         and (support_plan.closed_at is null or measure.status in ('fulfilled', 'returned')) \
         and {ANSWERS}) as news_support \
         from session join account on account.id = session.account_id \
         where session.token_hash = $1 and session.revoked_at is null \
         and session.expires_at > $2 and account.disabled_at is null"
    );
    let row: Option<SessionRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(&hash)
        .bind(now)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let grants: Vec<GrantRow> = sqlx::query_as(
        "select role, area_id from account_grant where account_id = $1 and revoked_at is null",
    )
    .bind(row.account_id)
    .fetch_all(&mut *connection)
    .await?;
    drop(connection);
    if now.since(row.seen_at) > SEEN_EVERY {
        let mut transaction = db.write().await?;
        sqlx::query("update session set seen_at = $1, expires_at = $2 where token_hash = $3")
            .bind(now)
            .bind(now.after(LIFETIME))
            .bind(&hash)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
    }
    Ok(Some(SignedIn {
        account: row.account_id,
        name: row.name,
        language: row.language,
        session_hash: hash,
        guest: row.guest_since.is_some(),
        news: News {
            plan: row.news_plan,
            support: row.news_support,
        },
        grants: grants
            .into_iter()
            .filter_map(|grant| {
                Some(Grant {
                    role: Role::from_word(&grant.role)?,
                    area: grant.area_id,
                })
            })
            .collect(),
    }))
}

/// Whether the session still holds, for connections that outlive the request that proved it.
///
/// # Errors
/// When the database fails.
pub async fn holds(
    connection: &mut AnyConnection,
    session_hash: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let row: Option<(AccountId,)> = sqlx::query_as(
        "select session.account_id from session join account on account.id = session.account_id \
         where session.token_hash = $1 and session.revoked_at is null \
         and session.expires_at > $2 and account.disabled_at is null",
    )
    .bind(session_hash)
    .bind(now)
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// An open session, for its owner.
#[derive(Clone, Debug, FromRow)]
pub struct OpenSession {
    /// Hash of its token.
    pub token_hash: String,
    /// Short words.
    pub device: String,
    /// Last use, to a quarter of an hour.
    pub seen_at: Timestamp,
}

/// Where the account is signed in, last used first.
///
/// # Errors
/// When the database fails.
pub async fn open(
    connection: &mut AnyConnection,
    account: AccountId,
    now: Timestamp,
) -> Result<Vec<OpenSession>, Error> {
    Ok(sqlx::query_as(
        "select token_hash, device, seen_at from session where account_id = $1 \
         and revoked_at is null and expires_at > $2 order by seen_at desc limit 50",
    )
    .bind(account)
    .bind(now)
    .fetch_all(connection)
    .await?)
}

/// Ends one session.
///
/// # Errors
/// When the database fails.
pub async fn end(
    connection: &mut AnyConnection,
    session_hash: &str,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query("update session set revoked_at = $1 where token_hash = $2 and revoked_at is null")
        .bind(now)
        .bind(session_hash)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends every session of the account, except the one named.
///
/// # Errors
/// When the database fails.
pub async fn end_all(
    connection: &mut AnyConnection,
    account: AccountId,
    except: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "update session set revoked_at = $1 \
         where account_id = $2 and revoked_at is null and token_hash <> $3",
    )
    .bind(now)
    .bind(account)
    .bind(except.unwrap_or(""))
    .execute(connection)
    .await?;
    Ok(())
}

/// The cookie that carries the token; `secure` when people reach the server by HTTPS.
#[must_use]
pub fn cookie(token: &Token, secure: bool) -> Cookie<'static> {
    let mut cookie = Cookie::new(COOKIE, token.reveal().to_owned());
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Lax);
    cookie.set_path("/");
    cookie.set_secure(secure);
    let days = i64::try_from(LIFETIME.as_secs() / 86_400).unwrap_or(30);
    cookie.set_max_age(time::Duration::days(days));
    cookie
}

impl<S> FromRequestParts<S> for Visitor
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        // Several extractors of one request ask; the session is read once.
        if let Some(visitor) = parts.extensions.get::<Self>() {
            return Ok(visitor.clone());
        }
        let jar = CookieJar::from_headers(&parts.headers);
        let token = jar.get(COOKIE).and_then(|c| Token::received(c.value()));
        let signed_in = match token {
            Some(token) => {
                let now = Clock::from_ref(state).now();
                find(&Db::from_ref(state), &token, now).await?
            }
            None => None,
        };
        let visitor = Self(signed_in);
        parts.extensions.insert(visitor.clone());
        Ok(visitor)
    }
}

impl<S> FromRequestParts<S> for SignedIn
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Visitor(signed_in) = Visitor::from_request_parts(parts, state).await?;
        signed_in.ok_or(Error::SignInNeeded)
    }
}
