//! A viewer that behaves like the page's player: stores what comes, plays it by the wall clock,
//! acknowledges, reports what it played, and goes on after a cut.

use std::time::Duration;

use bytes::Bytes;
use millet_server::id::{IntervalId, PlaySessionId, TimelineId};
use millet_server::learning::evidence::credit::SHORTEST_CLAIM_MS;
use millet_server::stream::wire::{Header, Hello, Payload, PlayedInterval, ServerMessage, flag};
use tokio::time::{Instant, sleep_until, timeout};

use super::host::Person;
use super::{Client, ClientError, Event, hello};

/// How this viewer behaves.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// Downlink in bits per second, applied while reading; none for as fast as it comes.
    pub rate_bps: Option<u64>,
    /// Wall clock between reports of what was played.
    pub report_every: Duration,
    /// Wall clock between acknowledgements when nothing comes.
    pub quiet_ack: Duration,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            rate_bps: None,
            report_every: Duration::from_secs(10),
            quiet_ack: Duration::from_secs(5),
        }
    }
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Bytes of media over all connections.
    pub bytes: u64,
    /// From `hello` to the first chunk, of the first connection.
    pub first_chunk: Option<Duration>,
    /// Wall clock without anything to play after the start.
    pub stalled: Duration,
    /// Chunks in order of arrival.
    pub chunks: Vec<Header>,
    /// Rungs in order.
    pub rungs: Vec<String>,
    /// Credited intervals.
    pub credited: usize,
    /// Refused ones with their reasons.
    pub refused: Vec<String>,
    /// Share that the server says was watched.
    pub watched_permille: i64,
    /// The server sent everything.
    pub ended: bool,
}

/// A viewer over one or many connections.
pub struct Player {
    habits: Habits,
    client: Option<Client>,
    template: Hello,
    /// What was seen.
    pub seen: Seen,
    /// Played up to here.
    pub position_ms: f64,
    stored_until_ms: f64,
    reported_ms: f64,
    outbox: Vec<PlayedInterval>,
    looked: Option<Instant>,
    keep_chunks: bool,
}

impl Player {
    /// A viewer from the beginning.
    #[must_use]
    pub fn new(timeline: TimelineId, session: PlaySessionId, habits: Habits) -> Self {
        Self {
            habits,
            client: None,
            template: hello(timeline, session),
            seen: Seen::default(),
            position_ms: 0.0,
            stored_until_ms: 0.0,
            reported_ms: 0.0,
            outbox: Vec::new(),
            looked: None,
            keep_chunks: true,
        }
    }

    /// Does not keep headers: for load.
    #[must_use]
    pub fn frugal(mut self) -> Self {
        self.keep_chunks = false;
        self
    }

    /// Changes the next hello, for example to pin a rung.
    pub fn hello_mut(&mut self) -> &mut Hello {
        &mut self.template
    }

    /// Connects, with what is stored from before.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn connect(
        &mut self,
        address: std::net::SocketAddr,
        person: &Person,
    ) -> Result<(), ClientError> {
        let mut client = Client::connect(address, &person.token).await?;
        let began = Instant::now();
        let mut hello = self.template.clone();
        hello.position_ms = self.position_ms as u64;
        let welcome = client.hello(hello).await?;
        self.seen.rungs.push(welcome.rung);
        self.client = Some(client);
        self.looked.get_or_insert(began);
        self.report().await
    }

    /// Plays for a time. Without a connection it plays what is stored.
    ///
    /// # Errors
    /// When the connection ends; [`Player::cut`] and [`Player::connect`] go on.
    pub async fn play(&mut self, time: Duration) -> Result<(), ClientError> {
        let until = Instant::now() + time;
        let mut report = Instant::now() + self.habits.report_every;
        while Instant::now() < until {
            let wake = until
                .min(report)
                .min(Instant::now() + self.habits.quiet_ack);
            match &mut self.client {
                None => sleep_until(wake).await,
                Some(client) => {
                    let left = wake.saturating_duration_since(Instant::now());
                    match timeout(left, client.next()).await {
                        Ok(event) => self.take(event?).await?,
                        Err(_) => self.ack().await?,
                    }
                }
            }
            self.look();
            if Instant::now() >= report {
                report += self.habits.report_every;
                self.report().await?;
            }
        }
        self.report().await
    }

    /// Takes events until the server answered every report.
    ///
    /// # Errors
    /// When the connection ends.
    pub async fn settle(&mut self) -> Result<(), ClientError> {
        while !self.outbox.is_empty() {
            let Some(client) = &mut self.client else {
                return Err(ClientError::Silence);
            };
            let event = client.next().await?;
            self.take(event).await?;
        }
        Ok(())
    }

    /// The link breaks without a word; what is stored remains.
    pub fn cut(&mut self) {
        if let Some(client) = self.client.take() {
            self.template.resume = client.resume().or(self.template.resume);
            self.template.receipt = client.receipt;
        }
    }

    /// Intervals whose answer has not come.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.outbox.len()
    }

    async fn take(&mut self, event: Event) -> Result<(), ClientError> {
        match event {
            Event::Media(header, payload) => self.media(header, &payload).await,
            Event::Control(message) => {
                self.control(message);
                Ok(())
            }
            Event::Words(_) => Ok(()),
        }
    }

    async fn media(&mut self, header: Header, payload: &Bytes) -> Result<(), ClientError> {
        self.seen.bytes += payload.len() as u64;
        if let Some(rate) = self.habits.rate_bps {
            let took_ms = payload.len() as u64 * 8000 / rate.max(1);
            tokio::time::sleep(Duration::from_millis(took_ms)).await;
        }
        if header.payload == Payload::Chunk {
            if let (None, Some(began)) = (self.seen.first_chunk, self.looked) {
                self.seen.first_chunk = Some(began.elapsed());
            }
            if self.keep_chunks {
                self.seen.chunks.push(header);
            }
            if header.has(flag::AUDIO) {
                let end = f64::from(header.start_ms) + f64::from(header.duration_ms);
                self.look();
                self.stored_until_ms = self.stored_until_ms.max(end);
            }
        }
        let stored = self.stored_ms();
        match &mut self.client {
            Some(client) => client.ack_some(stored).await,
            None => Ok(()),
        }
    }

    fn control(&mut self, message: ServerMessage) {
        match message {
            ServerMessage::Rung { rung, .. } => self.seen.rungs.push(rung),
            ServerMessage::Credited {
                ids,
                watched_permille,
            } => {
                self.outbox.retain(|own| !ids.contains(&own.id));
                self.seen.credited += ids.len();
                self.seen.watched_permille = watched_permille;
            }
            ServerMessage::RefusedInterval { id, reason } => {
                self.outbox.retain(|own| own.id != id);
                self.seen.refused.push(reason);
            }
            ServerMessage::End => self.seen.ended = true,
            _ => {}
        }
    }

    /// Lets the picture go on to where the wall clock is.
    fn look(&mut self) {
        let now = Instant::now();
        let passed = self.looked.map_or(Duration::ZERO, |looked| now - looked);
        self.looked = Some(now);
        let passed_ms = passed.as_secs_f64() * 1000.0;
        let played = passed_ms.min((self.stored_until_ms - self.position_ms).max(0.0));
        self.position_ms += played;
        if self.seen.first_chunk.is_some() && !self.seen.ended {
            self.seen.stalled += Duration::from_secs_f64((passed_ms - played) / 1000.0);
        }
    }

    fn stored_ms(&self) -> u64 {
        (self.stored_until_ms - self.position_ms).max(0.0) as u64
    }

    async fn ack(&mut self) -> Result<(), ClientError> {
        let stored = self.stored_ms();
        match &mut self.client {
            Some(client) => client.ack(stored).await,
            None => Ok(()),
        }
    }

    async fn report(&mut self) -> Result<(), ClientError> {
        self.look();
        let (from, until) = (self.reported_ms as i64, self.position_ms as i64);
        if until - from >= SHORTEST_CLAIM_MS {
            self.reported_ms = until as f64;
            self.outbox.push(PlayedInterval {
                id: IntervalId::new(),
                from_ms: from,
                until_ms: until,
                rate_permille: 1000,
            });
        }
        match &mut self.client {
            Some(client) if !self.outbox.is_empty() => {
                let intervals = self.outbox.iter().take(50).cloned().collect();
                client.played(intervals).await
            }
            _ => Ok(()),
        }
    }
}
