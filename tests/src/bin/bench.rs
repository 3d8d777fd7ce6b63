//! `make bench`: speed and memory beside nginx. Figures, not a test.

#[tokio::main]
async fn main() {
    millet_tests::bench::Bench::start().await.run().await;
}
