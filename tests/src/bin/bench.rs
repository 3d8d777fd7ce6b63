//! `make bench`: speed and memory beside peers. Figures, not a test.

#[tokio::main]
async fn main() {
    let parts: Vec<String> = std::env::args().skip(1).collect();
    millet_tests::bench::run(&parts).await;
}
