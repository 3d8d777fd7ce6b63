//! Progress that was not really watched, over real sockets and on both engines: nothing of it is
//! credited, and nothing of it can fill the database.

use std::time::Duration;

use millet_server::clock::Clock;
use millet_server::id::{IntervalId, PlaySessionId};
use millet_server::people::session;
use millet_server::stream::wire::{PlayedInterval, ServerMessage, flag};
use millet_tests::kit::Engines;
use millet_tests::kit::engines::Storage;
use millet_tests::stream::host::Host;
use millet_tests::stream::{Client, ClientError, Event, hello};

const LENGTH_MS: u64 = 600_000;
/// What each test plays really, and how much of it it claims.
const PLAYED: Duration = Duration::from_secs(4);
const CLAIMED_MS: u64 = 5_000;

async fn hosts() -> Vec<(Storage, Host)> {
    let mut hosts = Vec::new();
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let database = Some(storage.database_url().to_owned());
        let host = Host::start(storage.folder(), database, LENGTH_MS).await;
        hosts.push((storage, host));
    }
    hosts
}

fn claim(from_ms: u64, until_ms: u64, rate_permille: u32) -> PlayedInterval {
    PlayedInterval {
        id: IntervalId::new(),
        from_ms: from_ms.try_into().unwrap(),
        until_ms: until_ms.try_into().unwrap(),
        rate_permille: rate_permille.into(),
    }
}

/// A viewer who has got sound and picture of what will be claimed.
async fn viewer(host: &Host, session: PlaySessionId) -> Client {
    let mut client = Client::connect(host.address(), &host.learner.token)
        .await
        .unwrap();
    client.hello(hello(host.timeline, session)).await.unwrap();
    let mut until_ms = [0_u64; 2];
    while until_ms.iter().any(|until_ms| *until_ms < 2 * CLAIMED_MS) {
        if let Event::Media(header, _) = client.next().await.unwrap() {
            let lane = &mut until_ms[usize::from(header.has(flag::AUDIO))];
            *lane = (*lane).max(u64::from(header.start_ms));
            client.ack_some(1).await.unwrap();
        }
    }
    client
}

/// Reports one interval; `None` when it was credited, else the reason.
async fn report(client: &mut Client, interval: PlayedInterval) -> Option<String> {
    let own = interval.id;
    client.played(vec![interval]).await.unwrap();
    loop {
        match client.next().await.unwrap() {
            Event::Control(ServerMessage::Credited { ids, .. }) if ids.contains(&own) => {
                return None;
            }
            Event::Control(ServerMessage::RefusedInterval { id, reason }) if id == own => {
                return Some(reason);
            }
            _ => {}
        }
    }
}

async fn credited_ms(host: &Host) -> i64 {
    let mut connection = host.running.app.db.read().await.unwrap();
    let (sum,): (i64,) = sqlx::query_as(
        "select cast(coalesce(sum(until_ms - from_ms), 0) as bigint) from watch_interval",
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_double_speed_and_two_sessions_at_once_are_not_credited() {
    for (_storage, host) in hosts().await {
        let (one, other) = (Host::session(), Host::session());
        let mut first = viewer(&host, one).await;
        let mut second = viewer(&host, other).await;
        let jump = claim(LENGTH_MS - 20_000, LENGTH_MS - 10_000, 1_000);
        let reason = report(&mut first, jump).await;
        assert_eq!(reason.as_deref(), Some("not_delivered"));
        let double = claim(0, CLAIMED_MS, 4_000);
        let reason = report(&mut first, double).await;
        assert_eq!(reason.as_deref(), Some("faster_than_time"));
        assert_eq!(credited_ms(&host).await, 0);

        // The wall clock has room for one of the two, whatever they say.
        tokio::time::sleep(PLAYED).await;
        assert_eq!(report(&mut first, claim(0, CLAIMED_MS, 1_000)).await, None);
        let next = claim(CLAIMED_MS, 2 * CLAIMED_MS, 1_000);
        let at_once = report(&mut second, next).await;
        assert_eq!(at_once.as_deref(), Some("two_at_once"));
        assert_eq!(credited_ms(&host).await, i64::try_from(CLAIMED_MS).unwrap());
        host.running.stop().await;
    }
}

/// What the server says when it closes.
async fn farewell(client: &mut Client) -> (Option<String>, u16) {
    let mut problem = None;
    loop {
        match client.next().await {
            Ok(Event::Control(ServerMessage::Problem { code })) => problem = Some(code),
            Ok(_) => {}
            Err(ClientError::Closed(code, _)) => return (problem, code),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signed_out_or_was_disabled_is_credited_nothing_more() {
    for (_storage, host) in hosts().await {
        let db = &host.running.app.db;
        let mut watching = viewer(&host, Host::session()).await;
        let mut tx = db.write().await.unwrap();
        let now = Clock::System.now();
        session::end_all(&mut tx, host.learner.account, None, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        watching.played(vec![claim(0, 1_000, 1_000)]).await.unwrap();
        let (problem, code) = farewell(&mut watching).await;
        assert_eq!((problem.as_deref(), code), (Some("sign_in_needed"), 1008));

        let learner = host.enrol(1).await.remove(0);
        let mut client = Client::connect(host.address(), &learner.token)
            .await
            .unwrap();
        client
            .hello(hello(host.timeline, Host::session()))
            .await
            .unwrap();
        let mut tx = db.write().await.unwrap();
        sqlx::query("update account set disabled_at = 1 where id = $1")
            .bind(learner.account)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        client.played(vec![claim(0, 1_000, 1_000)]).await.unwrap();
        let (problem, code) = farewell(&mut client).await;
        assert_eq!((problem.as_deref(), code), (Some("sign_in_needed"), 1008));
        assert_eq!(credited_ms(&host).await, 0);
        host.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_receives_is_sent_away_too() {
    for (_storage, host) in hosts().await {
        let left = host.enrol(1).await.remove(0);
        let mut signed_out = viewer(&host, Host::session()).await;
        let mut left_the_course = Client::connect(host.address(), &left.token).await.unwrap();
        left_the_course
            .hello(hello(host.timeline, Host::session()))
            .await
            .unwrap();
        let mut tx = host.running.app.db.write().await.unwrap();
        session::end_all(&mut tx, host.learner.account, None, Clock::System.now())
            .await
            .unwrap();
        sqlx::query("update enrolment set withdrawn_at = 1 where account_id = $1")
            .bind(left.account)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let (one, other) = tokio::join!(farewell(&mut signed_out), farewell(&mut left_the_course));
        assert_eq!((one.0.as_deref(), one.1), (Some("sign_in_needed"), 1008));
        assert_eq!((other.0.as_deref(), other.1), (Some("not_found"), 1008));
        host.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_is_refused_again_and_again_is_cut_off_and_fills_nothing() {
    for (_storage, host) in hosts().await {
        let session = Host::session();
        for _ in 0..2 {
            let mut client = Client::connect(host.address(), &host.learner.token)
                .await
                .unwrap();
            client.hello(hello(host.timeline, session)).await.unwrap();
            for _ in 0..5 {
                let from_ms = LENGTH_MS / 2;
                let many = (0..60).map(|n| claim(from_ms + n, from_ms + n + 1, 1_000));
                // It may be closed before everything is said.
                let _ = client.played(many.collect()).await;
            }
            assert_eq!(farewell(&mut client).await, (None, 1008));
        }
        let mut connection = host.running.app.db.read().await.unwrap();
        let (flags,): (i64,) = sqlx::query_as("select count(*) from evidence_flag")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        assert_eq!(flags, 200);
        drop(connection);
        host.running.stop().await;
    }
}
