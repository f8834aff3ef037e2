//! One of the processes: it has a layer and fifty tasks that send requests to the API, and reports events.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::Value;
use tower::{BoxError, Layer as _};
use tower_oauth2::store::{FileStore, TokenStore};
use tower_oauth2::{Error, OAuth2Layer};

use crate::login::{Setting, StoreLocation, redis_store};
use crate::plain::{self, get, send};
use crate::plan::Dice;
use crate::report::{Counts, Line, now};
use crate::watched::{Seen, Watched, Wire};

/// The environment variable with the configuration.
pub(crate) const SETTING: &str = "PROCESSES_CHILD";
pub(crate) const TASKS: u32 = 50;

/// The pause between two requests of a task, in milliseconds. All processes send some 400 requests a second, so that the server is not the
/// bottleneck.
const PAUSE: std::ops::Range<u64> = 500..1500;

/// Runs until standard input is closed, which also happens when the parent process ends. Without a configuration it returns at once.
pub(crate) fn run() {
    let Ok(setting) = std::env::var(SETTING) else { return };
    let setting: Setting = serde_json::from_str(&setting).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match &setting.location {
            StoreLocation::File(folder) => serve(&setting, FileStore::new(folder)).await,
            StoreLocation::Redis(url) => serve(&setting, redis_store(url)).await,
        }
    });
}

async fn serve<S: TokenStore>(setting: &Setting, store: S) {
    let recorder = Arc::new(Recorder::default());
    // No person is present, so a login means that the login was lost.
    let grant = setting.grant(|_| Line::Login.print()).timeout(Duration::from_secs(1)).persisted(Watched(store));
    let grant = grant.on_store_error({
        let recorder = recorder.clone();
        move |error| {
            let kind = chain(error);
            *recorder.counts.lock().unwrap().store_errors.entry(kind).or_default() += 1;
        }
    });
    let wire = Wire { http: plain::client(), token_url: setting.token.as_str().into(), seen: recorder.seen.clone() };
    let api = OAuth2Layer::new(grant).layer(wire);

    let is_over = Arc::new(AtomicBool::new(false));
    std::thread::spawn({
        let is_over = is_over.clone();
        move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            is_over.store(true, Ordering::Relaxed);
        }
    });
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (api, recorder, is_over, url) = (api.clone(), recorder.clone(), is_over.clone(), setting.api.clone());
            let mut dice = Dice::new(now() ^ u64::from(task).rotate_right(8));
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(dice.pick(PAUSE))).await;
                    let began = Instant::now();
                    recorder.record(send(api.clone(), get(&url)).await, began.elapsed());
                }
            })
        })
        .collect();
    while !is_over.load(Ordering::Relaxed) {
        recorder.print();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for task in tasks {
        let _ = task.await;
    }
    // A background refresh must not be interrupted.
    tokio::time::sleep(Duration::from_millis(500)).await;
    recorder.print();
}

/// Records the events of this process.
#[derive(Default)]
struct Recorder {
    counts: Mutex<Counts>,
    seen: Arc<Seen>,
    /// The expiry of the newest token that the API has reported, in Unix seconds.
    ends: AtomicU64,
    /// The kinds of errors that were printed. Only the first error of each kind is printed.
    known: Mutex<HashMap<String, ()>>,
}

impl Recorder {
    fn record(&self, outcome: Result<(StatusCode, Value), BoxError>, took: Duration) {
        let mut counts = self.counts.lock().unwrap();
        let took = u64::try_from(took.as_millis()).unwrap();
        counts.longest_ms = counts.longest_ms.max(took);
        counts.waited += u64::from(took > 1000);
        let (kind, text) = match outcome {
            Ok((StatusCode::OK, echo)) => {
                counts.served += 1;
                self.ends.fetch_max(echo["exp"].as_u64().unwrap_or_default(), Ordering::Relaxed);
                return;
            }
            // The server counts whole seconds, so a token expires up to one second before the end of its `expires_in`.
            Ok((StatusCode::UNAUTHORIZED, _)) if now() / 1_000_000 >= self.ends.load(Ordering::Relaxed) => {
                counts.rejected_late += 1;
                return;
            }
            Ok((StatusCode::UNAUTHORIZED, body)) => {
                counts.rejected += 1;
                ("401".into(), body.to_string())
            }
            Ok((status, body)) => (status.to_string(), body.to_string()),
            Err(error) => match error.downcast_ref::<Error>() {
                Some(ours) => (format!("{:?}", ours.kind()), chain(ours)),
                None => ("below the layer".into(), chain(&*error)),
            },
        };
        if kind != "401" {
            *counts.errors.entry(kind.clone()).or_default() += 1;
        }
        if self.known.lock().unwrap().insert(kind.clone(), ()).is_none() {
            Line::Odd { kind, text }.print();
        }
    }

    fn print(&self) {
        let counts = self.counts.lock().unwrap().clone();
        Line::Counts(Counts { tokens: self.seen.used(), own: self.seen.own(), ..counts }).print();
    }
}

/// An error with all its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
