//! `make bench`: speed and memory beside peers. Figures, not a test.

#[tokio::main]
async fn main() {
    let parts: Vec<String> = std::env::args().skip(1).collect();
    // Boxed: together its parts are a larger future than the compiler looks into.
    Box::pin(millet_tests::bench::run(&parts)).await;
}
