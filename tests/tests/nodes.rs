//! Several nodes, hard ends, and what an operator does.

use std::process::Stdio;

use millet_tests::kit::server::program;
use millet_tests::kit::{Engines, Server, Storage};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn several_nodes_may_start_at_once_over_an_empty_database() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let start = || Server::start(&storage);
        let (one, two, three, four) = tokio::join!(start(), start(), start(), start());
        for server in [&one, &two, &three, &four] {
            let ready = reqwest::get(server.url("/readyz")).await.unwrap();
            assert_eq!(ready.status(), 200, "{engines:?}");
            let alive: serde_json::Value = reqwest::get(server.url("/healthz"))
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
            assert_eq!(alive["status"], "alive");
            let metrics = format!("http://{}/metrics", server.admin);
            assert_eq!(reqwest::get(metrics).await.unwrap().status(), 200);
        }
        for server in [one, two, three, four] {
            assert!(server.stop().await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_account_until_the_operator_makes_one() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let output = create(&storage, "Wei Ling", "a long password").await;
        assert!(output.contains("sign-in name: weiling"), "{output}");
        assert!(!output.contains("a long password"));
        let server = Server::start(&storage).await;
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let sign_in = async |name: &str, password: &str| {
            let answer = client
                .post(server.url("/sign-in"))
                .form(&[("name", name), ("password", password)])
                .send()
                .await;
            answer.unwrap().status().as_u16()
        };
        assert_eq!(sign_in("weiling", "a long password").await, 303);
        for (name, password) in [("admin", "admin"), ("weiling", ""), ("teacher", "demo")] {
            assert_eq!(sign_in(name, password).await, 401, "{name}");
        }
        server.kill().await;
        let verified = millet(&storage, &["audit", "verify"], "").await;
        assert!(verified.contains("Every entry fits."), "{verified}");
    }
}

async fn create(storage: &Storage, name: &str, password: &str) -> String {
    let arguments = ["admin", "create", "--name", name, "--password-stdin"];
    millet(storage, &arguments, &format!("{password}\n")).await
}

/// Runs a command of the operator and returns what it printed.
async fn millet(storage: &Storage, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program("millet"))
        .args(arguments)
        .arg("--data")
        .arg(storage.data())
        .args(["--database-url", storage.database_url()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn settings_are_printed_without_their_secrets_and_an_unknown_key_is_refused() {
    let config = async |setting: &str, database: &str| {
        Command::new(program("millet"))
            .arg("config")
            .env("MILLET_DATABASE_URL", database)
            .env(setting, "1")
            .output()
            .await
            .unwrap()
    };
    const BEFORE_THE_HOST: &str = "postgres://millet:hush@127.0.0.1/x";
    const IN_THE_QUERY: &str = "postgres://127.0.0.1/x?user=millet&password=hush";
    let printed = config("MILLET_WORKERS", BEFORE_THE_HOST).await;
    let words = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert!(
        printed.status.success() && words.contains("workers = 1"),
        "{words}"
    );
    assert!(!words.contains("hush"));
    let printed = config("MILLET_WORKERS", IN_THE_QUERY).await;
    let words = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert!(words.contains("user=millet"), "{words}");
    assert!(!words.contains("hush"), "{words}");
    let refused = config("MILLET_WORKER", BEFORE_THE_HOST).await;
    assert!(!refused.status.success());
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("worker"), "{why}");
}
