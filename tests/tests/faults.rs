//! A fault, and what leads from a person's question to its cause.

use millet_tests::kit::{Engines, Server, Village, Visitor};

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_s_page_names_its_request_and_so_do_log_and_audit() {
    let storage = Engines::Embedded.storage().await;
    let village = Village::found(storage.db().await).await;
    let server = Server::start_with(&storage, &["--log", "json"]).await;
    let visitor = Visitor::signed_in(server.address, "student").await;
    let done = visitor.post("/sign-out-everywhere", &[]).await;
    let id = done.headers()["x-request-id"].to_str().unwrap().to_owned();
    let mut tx = village.db.write().await.unwrap();
    let (action,): (String,) = sqlx::query_as("select action from audit where request_id = $1")
        .bind(&id)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert_eq!(action, "session.all_ended");

    // A fault on purpose: the table is not there.
    sqlx::query("alter table credential rename to elsewhere")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let path = format!("/credentials/{}", village.student);
    let fault = visitor.get(&path).await;
    assert_eq!(fault.status(), 500);
    let id = fault.headers()["x-request-id"].to_str().unwrap().to_owned();
    let page = fault.text().await.unwrap();
    assert!(page.contains(&id), "{page}");
    assert!(!page.contains("elsewhere") && !page.contains("no such table"));
    let log = std::fs::read_to_string(storage.folder().join("server.log")).unwrap();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains(&id) && line.contains("ERROR"))
        .collect();
    assert_eq!(lines.len(), 1, "a fault is logged once: {log}");
    server.kill().await;
}
