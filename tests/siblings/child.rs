//! One of the processes: a layer of its own, fifty tasks that call the API, and a report.

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

use crate::login::{Setting, Shelf, redis_store};
use crate::plain::{self, get, send};
use crate::plan::Dice;
use crate::report::{Counts, Line, now};
use crate::watched::{Seen, Watched, Wire};

/// Tells a process that it is one of these, and with which setting.
pub(crate) const SETTING: &str = "SIBLINGS_CHILD";
pub(crate) const TASKS: u32 = 50;

/// Between two requests of a task: some 400 a second from all processes, so that the server is not what they wait for.
const PAUSE: std::ops::Range<u64> = 500..1500;

/// Lives until standard input ends, as it does when the parent ends in whatever way. Without a setting it is over at once.
pub(crate) fn live() {
    let Ok(setting) = std::env::var(SETTING) else { return };
    let setting: Setting = serde_json::from_str(&setting).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match &setting.shelf {
            Shelf::File(folder) => serve(&setting, FileStore::new(folder)).await,
            Shelf::Redis(url) => serve(&setting, redis_store(url)).await,
        }
    });
}

async fn serve<S: TokenStore>(setting: &Setting, store: S) {
    let diary = Arc::new(Diary::default());
    // The person is not there. To be asked is to be logged out.
    let grant = setting.grant(|_| Line::Login.tell()).timeout(Duration::from_secs(1)).persisted(Watched(store));
    let grant = grant.on_store_error({
        let diary = diary.clone();
        move |error| {
            let kind = chain(error);
            *diary.counts.lock().unwrap().told.entry(kind).or_default() += 1;
        }
    });
    let wire = Wire { http: plain::client(), token_url: setting.token.as_str().into(), seen: diary.seen.clone() };
    let api = OAuth2Layer::new(grant).layer(wire);

    let over = Arc::new(AtomicBool::new(false));
    std::thread::spawn({
        let over = over.clone();
        move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            over.store(true, Ordering::Relaxed);
        }
    });
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (api, diary, over, url) = (api.clone(), diary.clone(), over.clone(), setting.api.clone());
            let mut dice = Dice::new(now() ^ u64::from(task).rotate_right(8));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(dice.pick(PAUSE))).await;
                    let began = Instant::now();
                    diary.note(send(api.clone(), get(&url)).await, began.elapsed());
                }
            })
        })
        .collect();
    while !over.load(Ordering::Relaxed) {
        diary.tell();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for task in tasks {
        let _ = task.await;
    }
    // A renewal in the background may be under way, and nobody has an excuse to break it off.
    tokio::time::sleep(Duration::from_millis(500)).await;
    diary.tell();
}

/// What has happened here so far.
#[derive(Default)]
struct Diary {
    counts: Mutex<Counts>,
    seen: Arc<Seen>,
    /// When the newest token that the API has told us of ends there, in Unix seconds.
    ends: AtomicU64,
    /// The first of each kind is told in words.
    known: Mutex<HashMap<String, ()>>,
}

impl Diary {
    fn note(&self, outcome: Result<(StatusCode, Value), BoxError>, took: Duration) {
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
            // The server counts whole seconds, so a token ends up to one second earlier than its `expires_in` says.
            Ok((StatusCode::UNAUTHORIZED, _)) if now() / 1_000_000 >= self.ends.load(Ordering::Relaxed) => {
                counts.refused_late += 1;
                return;
            }
            Ok((StatusCode::UNAUTHORIZED, body)) => {
                counts.refused += 1;
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
            Line::Odd { kind, text }.tell();
        }
    }

    fn tell(&self) {
        let counts = self.counts.lock().unwrap().clone();
        Line::Counts(Counts { tokens: self.seen.used(), own: self.seen.own(), ..counts }).tell();
    }
}

/// An error with all its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
