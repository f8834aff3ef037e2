//! K4: destructors of keys and grants run without a lock, and their panics stay with them.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use tower_oauth2::grant::{Context, Grant};
use tower_oauth2::tenants::TenantsLayer;
use tower_oauth2::{Error, Token};

/// What a destructor does.
type OnDrop = Arc<OnceLock<Box<dyn Fn() + Send + Sync>>>;

/// A key with a destructor.
#[derive(Clone)]
struct DroppedKey(usize, OnDrop);

impl PartialEq for DroppedKey {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for DroppedKey {}

impl Hash for DroppedKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Drop for DroppedKey {
    fn drop(&mut self) {
        if let Some(on_drop) = self.1.get() {
            on_drop();
        }
    }
}

/// A grant with a destructor.
struct DroppedGrant(OnDrop);

impl Grant for DroppedGrant {
    async fn obtain(&self, _: Context) -> Result<Token, Error> {
        Token::bearer("a")
    }
}

impl Drop for DroppedGrant {
    fn drop(&mut self) {
        if let Some(on_drop) = self.0.get() {
            on_drop();
        }
    }
}

/// Runs `run` on another thread, so that a deadlock fails the test.
fn without_deadlock(run: impl FnOnce() + Send + 'static) {
    let (ended, has_ended) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        run();
        let _ = ended.send(());
    });
    match has_ended.recv_timeout(Duration::from_secs(60)) {
        Err(RecvTimeoutError::Timeout) => panic!("a deadlock"),
        _ => thread.join().unwrap(),
    }
}

#[test]
fn k4_the_destructor_of_a_grant_may_use_the_layer() {
    without_deadlock(|| {
        let (on_drop, dropped) = (OnDrop::default(), Arc::new(AtomicUsize::new(0)));
        let of_grants = on_drop.clone();
        let layer = TenantsLayer::new(move |_: &usize| Ok(DroppedGrant(of_grants.clone()))).max_tenants(2).unwrap();
        let (itself, counter) = (layer.clone(), dropped.clone());
        let use_layer = move || {
            counter.fetch_add(1, Ordering::SeqCst);
            assert!(itself.len() < 100);
            itself.forget(&1_000_000);
            if counter.load(Ordering::SeqCst) < 50 {
                itself.tokens(&(2_000_000 + counter.load(Ordering::SeqCst))).unwrap();
            }
        };
        assert!(on_drop.set(Box::new(use_layer)).is_ok());
        for key in 0..100 {
            layer.tokens(&key).unwrap();
            layer.forget(&(key / 2));
        }
        assert!(dropped.load(Ordering::SeqCst) >= 98, "the cells were not dropped");
    });
}

#[test]
fn k4_the_destructor_of_a_key_may_use_the_layer() {
    without_deadlock(|| {
        let (on_drop, dropped) = (OnDrop::default(), Arc::new(AtomicUsize::new(0)));
        let layer = TenantsLayer::new(|_: &DroppedKey| Ok(DroppedGrant(OnDrop::default()))).max_tenants(2).unwrap();
        let (itself, counter) = (layer.clone(), dropped.clone());
        let use_layer = move || {
            counter.fetch_add(1, Ordering::SeqCst);
            assert!(itself.len() < 100);
            itself.forget(&DroppedKey(1_000_000, OnDrop::default()));
            itself.tokens(&DroppedKey(2_000_000, OnDrop::default())).unwrap();
        };
        assert!(on_drop.set(Box::new(use_layer)).is_ok());
        for key in 0..100 {
            layer.tokens(&DroppedKey(key, on_drop.clone())).unwrap();
            layer.forget(&DroppedKey(key / 2, OnDrop::default()));
        }
        // The keys of the test, and those of the map.
        assert!(dropped.load(Ordering::SeqCst) > 150, "{dropped:?}");
    });
}

#[test]
fn k4_the_panic_of_a_destructor_concerns_no_other_key() {
    let on_drop = OnDrop::default();
    let of_grants = on_drop.clone();
    let layer = TenantsLayer::new(move |_: &usize| Ok(DroppedGrant(of_grants.clone()))).max_tenants(3).unwrap();
    assert!(on_drop.set(Box::new(|| panic!("a bug"))).is_ok());
    for key in 0..50 {
        layer.tokens(&key).unwrap().set(Token::bearer(key.to_string()).unwrap());
        assert!(layer.len() <= 3);
    }
    assert_eq!(layer.tokens(&49).unwrap().peek().unwrap().access_token(), "49");
    // The panics of the cells that are left end with this test.
    std::mem::forget(layer);
}
