//! Work that cores take in parallel, always the one with the lowest key first, and a bound on what
//! waits for them.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::error::Error;
use crate::sandbox;

/// Whether it can wait, segment, what comes first within it, and a number that makes it unique.
type Key = (bool, usize, usize, u64);
type Task = Box<dyn FnOnce(&Tasks) -> Result<(), Error> + Send>;
type Queue = BTreeMap<Key, Task>;
/// Rung and segment.
type Place = (usize, usize);

#[derive(Default)]
struct State {
    queue: Queue,
    /// Not to be done before something else is.
    parked: BTreeMap<Place, (Key, Task)>,
    pushed: u64,
    running: usize,
    held: u64,
    closed: bool,
    failed: Option<Error>,
    /// Whether the error was already handed out.
    is_over: bool,
}

impl State {
    /// What waited, to be dropped without the lock: what it holds asks for that.
    #[must_use]
    fn drop_what_waits(&mut self) -> (Queue, BTreeMap<Place, (Key, Task)>) {
        (
            std::mem::take(&mut self.queue),
            std::mem::take(&mut self.parked),
        )
    }

    /// A key for one more task, unless no more are done.
    fn key(&mut self, can_wait: bool, segment: usize, rank: usize) -> Option<Key> {
        let is_open = !self.is_over && self.failed.is_none();
        is_open.then(|| {
            self.pushed += 1;
            (can_wait, segment, rank, self.pushed)
        })
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A task that panicked leaves the queue as it was; its panic is an error of its own.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where tasks come from, also from within tasks.
#[derive(Clone)]
pub(crate) struct Tasks(Arc<Shared>);

impl Tasks {
    /// Adds a task of a segment. One that `can_wait` comes after all that cannot; of one segment, the lower
    /// `rank` comes first.
    pub(crate) fn push(
        &self,
        can_wait: bool,
        segment: usize,
        rank: usize,
        task: impl FnOnce(&Tasks) -> Result<(), Error> + Send + 'static,
    ) {
        let mut state = self.0.lock();
        if let Some(key) = state.key(can_wait, segment, rank) {
            state.queue.insert(key, Box::new(task));
        }
        drop(state);
        self.0.changed.notify_all();
    }

    /// Adds a task of a rung's segment that is not done before [`Tasks::wake`] comes to it. A segment has one.
    pub(crate) fn park(
        &self,
        can_wait: bool,
        (rung, segment): Place,
        task: impl FnOnce(&Tasks) -> Result<(), Error> + Send + 'static,
    ) {
        let mut state = self.0.lock();
        if let Some(key) = state.key(can_wait, segment, 0) {
            state.parked.insert((rung, segment), (key, Box::new(task)));
        }
    }

    /// What was parked for the rung's first segment from this one on can be done.
    pub(crate) fn wake(&self, (rung, segment): Place) {
        let mut state = self.0.lock();
        let places = (rung, segment)..=(rung, usize::MAX);
        let first = state.parked.range(places).next().map(|(place, _)| *place);
        if let Some((key, task)) = first.and_then(|place| state.parked.remove(&place)) {
            state.queue.insert(key, task);
            drop(state);
            self.0.changed.notify_all();
        }
    }

    /// Counts `bytes` as held until the value is dropped.
    pub(crate) fn hold(&self, bytes: u64) -> Held {
        self.0.lock().held += bytes;
        Held {
            shared: self.0.clone(),
            bytes,
        }
    }

    fn work(&self) {
        let mut state = self.0.lock();
        loop {
            if let Some((_, task)) = state.queue.pop_first() {
                state.running += 1;
                drop(state);
                let run = std::panic::AssertUnwindSafe(|| task(self));
                let done = std::panic::catch_unwind(run)
                    .unwrap_or_else(|_| Err(Error::Fault("a worker panicked".into())));
                state = self.0.lock();
                state.running -= 1;
                if let Err(error) = done {
                    if !state.is_over {
                        state.failed.get_or_insert(error);
                    }
                    let dropped = state.drop_what_waits();
                    drop(state);
                    drop(dropped);
                    state = self.0.lock();
                }
                self.0.changed.notify_all();
            } else if state.closed && state.running == 0 {
                return;
            } else {
                state = self
                    .0
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// Memory that is in use.
pub(crate) struct Held {
    shared: Arc<Shared>,
    bytes: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.lock().held -= self.bytes;
        self.shared.changed.notify_all();
    }
}

/// Threads that work until [`Pool::finish`].
pub(crate) struct Pool {
    tasks: Tasks,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    pub(crate) fn start(workers: NonZero<usize>) -> Result<Self, Error> {
        let tasks = Tasks(Arc::default());
        let mut pool = Self {
            tasks,
            threads: Vec::new(),
        };
        for number in 0..workers.get() {
            let tasks = pool.tasks.clone();
            let thread = std::thread::Builder::new()
                .name(format!("worker {number}"))
                .spawn(move || {
                    sandbox::let_others_first();
                    tasks.work();
                })?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Waits until less than `most` bytes are held, or a task has failed.
    pub(crate) fn wait_below(&self, most: u64) -> Result<(), Error> {
        let mut state = self.tasks.0.lock();
        while state.held >= most && state.failed.is_none() && state.queue.len() + state.running > 0
        {
            state = self
                .tasks
                .0
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        match state.failed.take() {
            Some(error) => {
                state.is_over = true;
                Err(error)
            }
            None => Ok(()),
        }
    }

    /// Waits until everything is done.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.end(false);
        let mut state = self.tasks.0.lock();
        match state.failed.take() {
            Some(error) => Err(error),
            None if state.parked.is_empty() => Ok(()),
            None => Err(Error::Fault("a segment waits for another for ever".into())),
        }
    }

    fn end(&mut self, drop_what_waits: bool) {
        let mut state = self.tasks.0.lock();
        state.closed = true;
        let mut dropped = None;
        if drop_what_waits {
            state.is_over = true;
            dropped = Some(state.drop_what_waits());
        }
        drop(state);
        drop(dropped);
        self.tasks.0.changed.notify_all();
        for thread in self.threads.drain(..) {
            // Tasks catch their own panics.
            let _ = thread.join();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.end(true);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const TWO: NonZero<usize> = NonZero::new(2).unwrap();

    #[test]
    fn tasks_may_add_tasks_and_all_are_done_at_the_end() {
        let pool = Pool::start(TWO).unwrap();
        let done = Arc::new(AtomicUsize::new(0));
        for segment in 0..10 {
            let done = done.clone();
            pool.tasks().push(false, segment, 0, move |tasks| {
                let held = tasks.hold(5);
                tasks.push(true, segment, 1, move |_| {
                    drop(held);
                    done.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                });
                Ok(())
            });
        }
        pool.wait_below(1).unwrap();
        pool.finish().unwrap();
        assert_eq!(done.load(Ordering::SeqCst), 10);
    }

    #[test]
    fn what_is_parked_is_done_once_it_is_woken() {
        let pool = Pool::start(TWO).unwrap();
        let done = Arc::new(Mutex::new(Vec::new()));
        for segment in [1, 2, 0] {
            let done = done.clone();
            let task = move |tasks: &Tasks| {
                done.lock().unwrap().push(segment);
                tasks.wake((7, segment + 1));
                Ok(())
            };
            match segment {
                0 => pool.tasks().push(false, segment, 0, task),
                _ => pool.tasks().park(false, (7, segment), task),
            }
        }
        pool.tasks().wake((8, 1));
        pool.finish().unwrap();
        assert_eq!(*done.lock().unwrap(), [0, 1, 2]);
    }

    #[test]
    fn the_next_that_is_parked_is_woken_and_who_is_forgotten_is_an_error() {
        let pool = Pool::start(TWO).unwrap();
        let (say, said) = std::sync::mpsc::channel();
        for segment in [3, 5] {
            let say = say.clone();
            pool.tasks().park(false, (0, segment), move |_| {
                say.send(segment).unwrap();
                Ok(())
            });
        }
        pool.tasks().wake((0, 1));
        assert_eq!(said.recv(), Ok(3));
        assert!(pool.finish().is_err());
        drop(say);
        assert_eq!(said.recv().ok(), None);
    }

    #[test]
    fn what_waits_and_holds_memory_is_dropped_with_the_pool_or_after_an_error() {
        for fails in [false, true] {
            let (begin, begun) = std::sync::mpsc::channel::<()>();
            let pool = Pool::start(NonZero::<usize>::MIN).unwrap();
            pool.tasks().push(false, 0, 0, move |_| {
                let _ = begun.recv();
                match fails {
                    true => Err(Error::Fault("broken".into())),
                    false => Ok(()),
                }
            });
            let shared = pool.tasks().0.clone();
            let held = pool.tasks().hold(10);
            pool.tasks().push(true, 1, 0, move |_| {
                drop(held);
                Ok(())
            });
            let held = pool.tasks().hold(10);
            pool.tasks().park(true, (0, 1), move |_| {
                drop(held);
                Ok(())
            });
            let ended = std::thread::spawn(move || match fails {
                true => assert!(pool.finish().is_err()),
                false => drop(pool),
            });
            if !fails {
                let mut state = shared.lock();
                while !state.queue.is_empty() {
                    state = shared.changed.wait(state).unwrap();
                }
            }
            drop(begin);
            ended.join().unwrap();
            assert_eq!(shared.lock().held, 0);
        }
    }

    #[test]
    fn an_error_and_a_panic_end_the_work_and_are_told_once() {
        for bad in [
            |_: &Tasks| Err(Error::Fault("broken".into())),
            |_: &Tasks| panic!("broken"),
        ] {
            let pool = Pool::start(TWO).unwrap();
            pool.tasks().push(false, 0, 0, bad);
            let held = pool.tasks().hold(10);
            let told = pool.wait_below(5).is_err();
            assert_ne!(told, pool.finish().is_err());
            drop(held);
        }
    }
}
