//! Pages a second: rendered by Millet, and the same bytes as a file of nginx.

use std::time::{Duration, Instant};

use reqwest::Client;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING};

use super::nginx::Nginx;
use super::{heading, process, row, seconds};
use crate::kit::Server;

/// Visitors at a time.
const VISITORS: usize = 16;
/// Length of one measurement.
const TIME: Duration = Duration::from_secs(5);

/// Measures and prints.
///
/// # Panics
/// When a page does not come.
pub async fn run(server: &Server, nginx: &Nginx) {
    for path in ["/courses", "/sign-in"] {
        let page = fetch(&client(), &server.url(path)).await;
        let name = format!("{}.html", path.trim_start_matches('/'));
        nginx.keep(&name, &page);
        let peer = nginx.url(&format!("/pages/{name}"));
        heading(&format!("GET {path}, {VISITORS} visitors"));
        let own = load(server.pid(), &server.url(path)).await;
        let other = load(nginx.pid(), &peer).await;
        row("pages a second", "1/s", own.rate, other.rate);
        row(
            "bytes on the wire (compressed)",
            "B",
            own.bytes,
            other.bytes,
        );
        row("server CPU of a page", "µs", own.cpu_us, other.cpu_us);
    }
}

struct Load {
    rate: f64,
    bytes: f64,
    cpu_us: f64,
}

fn client() -> Client {
    Client::builder().build().unwrap()
}

async fn fetch(client: &Client, url: &str) -> Vec<u8> {
    let answer = client
        .get(url)
        .header(ACCEPT, "text/html")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{url}");
    answer.bytes().await.unwrap().to_vec()
}

async fn load(pid: u32, url: &str) -> Load {
    let before = process::usage(pid);
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..VISITORS {
        let url = url.to_owned();
        tasks.spawn(async move {
            let client = client();
            let (mut pages, mut bytes) = (0_u64, 0_u64);
            while began.elapsed() < TIME {
                let request = client
                    .get(&url)
                    .header(ACCEPT, "text/html")
                    .header(ACCEPT_ENCODING, "gzip");
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 200);
                bytes += answer.bytes().await.unwrap().len() as u64;
                pages += 1;
            }
            (pages, bytes)
        });
    }
    let (mut pages, mut bytes) = (0, 0);
    while let Some(done) = tasks.join_next().await {
        let (own_pages, own_bytes) = done.unwrap();
        pages += own_pages;
        bytes += own_bytes;
    }
    let took = seconds(began.elapsed());
    let used = process::usage(pid).cpu_s - before.cpu_s;
    let pages = pages as f64;
    Load {
        rate: pages / took,
        bytes: bytes as f64 / pages.max(1.0),
        cpu_us: used * 1e6 / pages.max(1.0),
    }
}
