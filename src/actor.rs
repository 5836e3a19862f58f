//! Worker threads behind bounded channels, the only place in the crate that starts a thread.
//!
//! A plugin owns at most one [`Actor`], which [`start`] starts. Systems hand it jobs with [`Actor::queue`], or with
//! [`Actor::try_send`] what may be refused, and read its replies with [`Actor::replies`]; none of these blocks. Every
//! reply rings the [`Wake`] bell, so an idle app sleeps until something has happened. Dropping the actor closes both
//! channels before it joins the threads: a worker blocked on either end returns at once.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use bevy::prelude::*;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::notice::Notice;

/// The bell that workers ring when the app has something to collect.
#[derive(Resource, Clone)]
pub struct Wake {
    ring: Sender<()>,
    heard: Receiver<()>,
    window: Arc<OnceLock<Box<dyn Fn() + Send + Sync>>>,
}

impl Default for Wake {
    fn default() -> Self {
        let (ring, heard) = bounded(1);
        Self { ring, heard, window: Arc::default() }
    }
}

impl Wake {
    /// Rings the bell; ringing it again before it is heard has no effect.
    pub fn ring(&self) {
        // A full channel means the app is about to wake anyway.
        let _ = self.ring.try_send(());
        if let Some(window) = self.window.get() {
            window();
        }
    }

    /// Waits until somebody rings, at most for `timeout`.
    pub fn wait(&self, timeout: Duration) {
        // Both outcomes, a ring and a time-out, mean: look again.
        let _ = self.heard.recv_timeout(timeout);
    }

    /// The same bell without the window, for work that is shown whenever it draws next.
    #[must_use]
    pub fn unhurried(&self) -> Self {
        Self { window: Arc::default(), ..self.clone() }
    }

    /// Also calls `window` on every ring, so that a sleeping event loop wakes. Only the first call counts.
    pub fn also(&self, window: impl Fn() + Send + Sync + 'static) {
        let _ = self.window.set(Box::new(window));
    }
}

/// A flag that tells long-running work to stop; clones share it.
#[derive(Clone, Default, Debug)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks the work to end.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Tells whether the work should end; asked now and then.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where a worker puts its replies.
pub struct Outbox<Reply> {
    replies: Sender<Reply>,
    closed: Stop,
    wake: Wake,
}

impl<Reply> Clone for Outbox<Reply> {
    fn clone(&self) -> Self {
        Self { replies: self.replies.clone(), closed: self.closed.clone(), wake: self.wake.clone() }
    }
}

/// The app has gone away; the worker should return.
#[derive(Debug)]
pub struct Closed;

impl<Reply> Outbox<Reply> {
    /// Delivers a reply, waiting while the app has not yet read the earlier ones.
    ///
    /// # Errors
    /// [`Closed`] once the actor is being dropped.
    pub fn send(&self, reply: Reply) -> Result<(), Closed> {
        self.replies.send(reply).map_err(|_| Closed)?;
        self.wake.ring();
        Ok(())
    }

    /// Delivers a reply that is shown whenever the window draws next.
    ///
    /// # Errors
    /// [`Closed`] once the actor is being dropped.
    pub fn send_unhurried(&self, reply: Reply) -> Result<(), Closed> {
        self.replies.send(reply).map_err(|_| Closed)?;
        self.wake.unhurried().ring();
        Ok(())
    }

    /// Delivers a reply if there is room for it now, for a worker that must not wait.
    ///
    /// # Errors
    /// Gives the reply back when the app has not yet read the earlier ones, or is gone.
    pub fn try_send(&self, reply: Reply) -> Result<(), Reply> {
        self.replies.try_send(reply).map_err(|e| match e {
            TrySendError::Full(reply) | TrySendError::Disconnected(reply) => reply,
        })?;
        self.wake.ring();
        Ok(())
    }

    /// Tells whether the actor is being dropped; long work asks now and then, so that nobody waits for it.
    pub fn is_closed(&self) -> bool {
        self.closed.is_set()
    }
}

/// A named group of worker threads that share one bounded mailbox.
pub struct Actor<Job, Reply> {
    jobs: Option<Sender<Job>>,
    replies: Option<Receiver<Reply>>,
    /// What the full mailbox has not accepted yet, in order.
    waiting: VecDeque<Job>,
    closed: Stop,
    threads: Vec<JoinHandle<()>>,
}

/// Starts what a plugin needs a thread for; tells the user what does not work when the operating system refuses one.
pub fn start<T>(app: &mut App, purpose: &str, spawn: impl FnOnce(&Wake) -> std::io::Result<T>) -> Option<T> {
    let wake = app.world().resource::<Wake>().clone();
    let refused =
        |error| Notice::new(format!("cannot {purpose}: starting a thread failed ({error}); restart Soundkin"));
    match spawn(&wake) {
        Ok(started) => Some(started),
        Err(error) => {
            app.world_mut().write_message(refused(error));
            None
        }
    }
}

impl<Job: Send + 'static, Reply: Send + 'static> Actor<Job, Reply> {
    /// Starts one thread that runs `body` until its inbox closes.
    ///
    /// # Errors
    /// The operating system refused a thread.
    pub fn spawn(
        name: &str,
        mailbox: usize,
        wake: &Wake,
        body: impl FnOnce(Receiver<Job>, Outbox<Reply>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let mut body = Some(body);
        Self::start(name, 1, mailbox, wake, |_| body.take())
    }

    /// Starts `n` threads, each of which builds its own state with `make` and then serves the shared mailbox.
    ///
    /// Long-running work should end when the [`Stop`] is set, which happens when the actor is being dropped: its reply is
    /// not read any more.
    ///
    /// # Errors
    /// The operating system refused a thread.
    pub fn pool<Worker>(
        name: &str,
        n: usize,
        mailbox: usize,
        wake: &Wake,
        make: impl Fn(Stop) -> Worker + Clone + Send + 'static,
    ) -> std::io::Result<Self>
    where
        Worker: FnMut(Job) -> Reply,
    {
        Self::start(name, n, mailbox, wake, |_| {
            let make = make.clone();
            Some(move |inbox: Receiver<Job>, outbox: Outbox<Reply>| {
                let mut worker = make(outbox.closed.clone());
                for job in inbox {
                    if outbox.send(worker(job)).is_err() {
                        return;
                    }
                }
            })
        })
    }

    fn start<Body>(
        name: &str,
        n: usize,
        mailbox: usize,
        wake: &Wake,
        mut body: impl FnMut(usize) -> Option<Body>,
    ) -> std::io::Result<Self>
    where
        Body: FnOnce(Receiver<Job>, Outbox<Reply>) + Send + 'static,
    {
        let (job_sender, inbox) = bounded(mailbox);
        let (reply_sender, replies) = bounded(mailbox.max(n) * 2);
        let closed = Stop::default();
        let mut actor = Self {
            jobs: Some(job_sender),
            replies: Some(replies),
            waiting: VecDeque::new(),
            closed: closed.clone(),
            threads: Vec::with_capacity(n),
        };
        for i in 0..n {
            let Some(body) = body(i) else { break };
            let inbox = inbox.clone();
            let outbox = Outbox { replies: reply_sender.clone(), closed: closed.clone(), wake: wake.clone() };
            #[expect(clippy::disallowed_methods, reason = "this is the one place that starts threads")]
            let thread = Builder::new().name(format!("{name}-{i}")).spawn(move || body(inbox, outbox))?;
            actor.threads.push(thread);
        }
        Ok(actor)
    }

    /// Hands over a job as soon as the mailbox has room for it.
    ///
    /// What has to wait for that is handed on, in order, when another job is queued and whenever the replies are read.
    pub fn queue(&mut self, job: Job) {
        self.waiting.push_back(job);
        self.hand_on();
    }

    /// Takes back the jobs that still wait for room and are not worth it any more.
    pub fn retain_waiting(&mut self, keep: impl FnMut(&Job) -> bool) {
        self.waiting.retain(keep);
    }

    /// Hands over a job that may also be done later or not at all.
    ///
    /// # Errors
    /// Gives the job back when the mailbox is full, or others wait for it, or the workers are gone.
    pub fn try_send(&self, job: Job) -> Result<(), Job> {
        if self.waiting.is_empty() { self.put(job) } else { Err(job) }
    }

    fn hand_on(&mut self) {
        while let Some(job) = self.waiting.pop_front() {
            if let Err(job) = self.put(job) {
                self.waiting.push_front(job);
                return;
            }
        }
    }

    fn put(&self, job: Job) -> Result<(), Job> {
        match &self.jobs {
            Some(jobs) => jobs.try_send(job).map_err(|e| match e {
                TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
            }),
            None => Err(job),
        }
    }

    /// Hands over all jobs and blocks until each is answered, or until `stop` is set; `wake` is the bell that the actor was
    /// made with.
    pub fn work_off(
        &mut self,
        wake: &Wake,
        stop: &Stop,
        jobs: impl IntoIterator<Item = Job>,
        mut take: impl FnMut(Reply),
    ) {
        let (mut jobs, mut waiting) = (jobs.into_iter().peekable(), 0_usize);
        while !stop.is_set() && (jobs.peek().is_some() || waiting > 0) {
            while self.has_room()
                && let Some(job) = jobs.next()
            {
                waiting += usize::from(self.try_send(job).is_ok());
            }
            wake.wait(Duration::from_millis(100));
            for reply in self.replies() {
                waiting -= 1;
                take(reply);
            }
        }
    }

    /// Tells whether the mailbox would take another job now.
    pub fn has_room(&self) -> bool {
        self.waiting.is_empty() && self.jobs.as_ref().is_some_and(|jobs| !jobs.is_full())
    }

    /// Takes the replies that have arrived, without waiting for more.
    pub fn replies(&mut self) -> Vec<Reply> {
        self.hand_on();
        self.replies.iter().flat_map(Receiver::try_iter).collect()
    }
}

impl<Job, Reply> Drop for Actor<Job, Reply> {
    fn drop(&mut self) {
        self.closed.set();
        self.jobs = None;
        self.replies = None;
        for thread in self.threads.drain(..) {
            // A worker that panicked has already been reported by its own handler.
            let _ = thread.join();
        }
    }
}

/// Drops a value on a thread of its own, because dropping it may hang, and waits at most `patience` for that.
pub fn drop_within(patience: Duration, value: impl Send + 'static) {
    let (done, ended) = bounded(1);
    let drop_it = move || {
        drop(value);
        // Nobody may be waiting any more.
        let _ = done.send(());
    };
    #[expect(clippy::disallowed_methods, reason = "this is the one place that starts threads")]
    let thread = Builder::new().name("let go".to_owned()).spawn(drop_it);
    // If no thread could be started, the value has already been dropped on this one.
    if thread.is_ok() {
        let _ = ended.recv_timeout(patience);
    }
}

/// Runs `work` and turns a panic into its message, so that one bad file never ends a worker.
///
/// # Errors
/// The panic's text.
pub fn contained<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| panic_text(payload.as_ref()))
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown cause".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether dropping an actor comes to an end.
    fn drops(actor: Actor<u32, u32>) -> bool {
        let watched = Arc::new(());
        let held = (actor, watched.clone());
        drop_within(Duration::from_secs(20), held);
        Arc::strong_count(&watched) == 1
    }

    #[test]
    fn a_full_mailbox_gives_the_job_back() {
        let (hold, held) = bounded::<()>(0);
        let actor: Actor<u32, u32> = Actor::spawn("test", 1, &Wake::default(), move |inbox, _| {
            let _ = held.recv();
            drop(inbox);
        })
        .unwrap();
        assert_eq!(actor.try_send(1), Ok(()));
        assert_eq!(actor.try_send(2), Err(2));
        drop(hold);
    }

    #[test]
    fn what_a_full_mailbox_refuses_is_handed_on_in_order_unless_it_is_taken_back() {
        let (go, gone) = bounded::<()>(0);
        let mut actor: Actor<u32, u32> =
            Actor::spawn("test", 1, &Wake::default(), move |inbox, outbox: Outbox<u32>| {
                let _ = gone.recv();
                inbox.into_iter().take_while(|job| outbox.send(*job).is_ok()).for_each(drop);
            })
            .unwrap();
        (1..=5).for_each(|job| actor.queue(job));
        assert_eq!((actor.has_room(), actor.try_send(6)), (false, Err(6)), "nobody overtakes");
        actor.retain_waiting(|job| *job != 4);
        drop(go);
        let (mut replies, deadline) = (Vec::new(), std::time::Instant::now() + Duration::from_secs(20));
        while replies.len() < 4 && std::time::Instant::now() < deadline {
            replies.extend(actor.replies());
        }
        assert_eq!(replies, [1, 2, 3, 5]);
        assert_eq!(actor.try_send(6), Ok(()));
    }

    #[test]
    fn the_user_learns_what_does_not_work_without_a_thread() {
        let mut app = App::new();
        app.init_resource::<Wake>().add_message::<Notice>();
        assert_eq!(start(&mut app, "record", |_| Ok(1)), Some(1));
        assert!(app.world().resource::<Messages<Notice>>().is_empty());
        let refused = |_: &Wake| Err::<u32, _>(std::io::Error::other("none left"));
        assert_eq!(start(&mut app, "record", refused), None);
        let told: Vec<String> = app.world_mut().resource_mut::<Messages<Notice>>().drain().map(|n| n.text).collect();
        assert_eq!(told, ["cannot record: starting a thread failed (none left); restart Soundkin"]);
    }

    #[test]
    fn dropping_the_actor_frees_a_worker_that_waits_for_its_reply_to_be_read() {
        let actor: Actor<u32, u32> = Actor::pool("test", 2, 4, &Wake::default(), |_| |n| n).unwrap();
        for n in 0..200 {
            if actor.try_send(n).is_err() {
                break;
            }
        }
        assert!(drops(actor));
    }

    #[test]
    fn long_work_learns_that_the_actor_is_being_dropped() {
        let body = |_: Receiver<u32>, outbox: Outbox<u32>| {
            while !outbox.is_closed() {
                std::thread::yield_now();
            }
        };
        assert!(drops(Actor::spawn("test", 1, &Wake::default(), body).unwrap()));
        let make = |stop: Stop| {
            move |n: u32| {
                while !stop.is_set() {
                    std::thread::yield_now();
                }
                n
            }
        };
        let pool: Actor<u32, u32> = Actor::pool("test", 2, 4, &Wake::default(), make).unwrap();
        assert!((0..4).all(|n| pool.try_send(n).is_ok()));
        assert!(drops(pool));
    }

    #[test]
    fn every_reply_rings_the_bell() {
        let wake = Wake::default();
        let mut actor: Actor<u32, u32> = Actor::pool("test", 1, 4, &wake, |_| |n| n * 2).unwrap();
        actor.try_send(21).unwrap();
        wake.wait(Duration::from_secs(5));
        assert_eq!(actor.replies(), vec![42]);
    }

    #[test]
    fn a_bell_without_the_window_is_heard_all_the_same() {
        let (wake, rung) = (Wake::default(), Arc::new(AtomicBool::new(false)));
        let window = rung.clone();
        wake.also(move || window.store(true, Ordering::Relaxed));
        wake.unhurried().ring();
        let asked = std::time::Instant::now();
        wake.wait(Duration::from_secs(20));
        assert!(asked.elapsed() < Duration::from_secs(20) && !rung.load(Ordering::Relaxed));
        wake.ring();
        assert!(rung.load(Ordering::Relaxed));
    }

    #[test]
    fn an_unhurried_reply_arrives_and_does_not_ring_the_window() {
        let (wake, rung) = (Wake::default(), Arc::new(AtomicBool::new(false)));
        let window = rung.clone();
        wake.also(move || window.store(true, Ordering::Relaxed));
        let body = |inbox: Receiver<bool>, outbox: Outbox<bool>| {
            for hurried in inbox {
                let _ = if hurried { outbox.send(hurried) } else { outbox.send_unhurried(hurried) };
            }
        };
        let mut actor = Actor::spawn("test", 2, &wake, body).unwrap();
        assert!(actor.try_send(false).is_ok());
        wake.wait(Duration::from_secs(20));
        assert_eq!(actor.replies(), [false]);
        assert!(!rung.load(Ordering::Relaxed));
        assert!(actor.try_send(true).is_ok());
        wake.wait(Duration::from_secs(20));
        assert_eq!(actor.replies(), [true]);
        // Dropping it waits for its thread, which rings last.
        drop(actor);
        assert!(rung.load(Ordering::Relaxed));
    }

    #[test]
    fn a_panic_becomes_its_text() {
        assert_eq!(contained(|| 1), Ok(1));
        assert_eq!(contained(|| -> u32 { panic!("bad {}", "packet") }), Err("bad packet".to_owned()));
    }

    #[test]
    fn what_never_lets_go_is_waited_for_only_so_long() {
        struct Stuck(Receiver<()>);
        impl Drop for Stuck {
            fn drop(&mut self) {
                let _ = self.0.recv();
            }
        }
        let (release, held) = bounded::<()>(0);
        let started = std::time::Instant::now();
        drop_within(Duration::from_millis(50), Stuck(held));
        assert!((50..5000).contains(&started.elapsed().as_millis()));
        drop(release);
        let shared = Arc::new(());
        drop_within(Duration::from_mins(1), shared.clone());
        assert_eq!(Arc::strong_count(&shared), 1, "what can be dropped has been");
    }
}
