//! What changes the cell during a flight.

use super::*;
use crate::clock;

#[test]
fn loom_an_invalidation_during_a_flight_does_not_lose_its_token() {
    model(|| {
        let (server, runs) = (Server::new(), Arc::new(AtomicUsize::new(0)));
        let cell = cell(&server, &runs);
        cell.set(Token::bearer("old").unwrap());
        cell.invalidate();
        let other = cell.clone();
        let invalidating = thread::spawn(move || other.invalidate());
        server.answer();
        assert_eq!(text(&block_on(acquired(cell.clone()))), "flown");
        invalidating.join().unwrap();
        // Before the landing it spoke of the old token, after it of the new one; the next caller is served either way.
        assert_eq!(text(&block_on(acquired(cell))), "flown");
        assert!(runs.load(Ordering::SeqCst) <= 2);
    });
}

#[test]
fn loom_a_token_that_is_set_during_a_flight_stays() {
    model(|| {
        let (server, runs) = (Server::new(), Arc::new(AtomicUsize::new(0)));
        let cell = cell(&server, &runs);
        let other = cell.clone();
        let setting = thread::spawn(move || other.set(Token::bearer("set").unwrap()));
        server.answer();
        let first = block_on(acquired(cell.clone()));
        assert!(["set", "flown"].contains(&text(&first)));
        setting.join().unwrap();
        assert_eq!(text(&block_on(acquired(cell))), "set");
    });
}

#[test]
fn loom_what_is_forgotten_during_a_flight_does_not_come_back() {
    model(|| {
        let (server, runs) = (Server::new(), Arc::new(AtomicUsize::new(0)));
        let cell = cell(&server, &runs);
        cell.set(Token::bearer("old").unwrap());
        cell.invalidate();
        let other = cell.clone();
        let forgetting = thread::spawn(move || {
            other.forget();
            other.peek()
        });
        server.answer();
        assert_eq!(text(&block_on(acquired(cell.clone()))), "flown");
        // The flight that began after it may have landed by then; the old token is gone.
        assert!(forgetting.join().unwrap().is_none_or(|token| token.access_token() == "flown"));
        assert_eq!(text(&block_on(acquired(cell))), "flown");
        assert!(runs.load(Ordering::SeqCst) <= 2);
    });
}

#[test]
fn loom_two_refusals_of_one_token_make_one_flight() {
    model(|| {
        let (server, runs) = (Server::new(), Arc::new(AtomicUsize::new(0)));
        let cell = cell(&server, &runs);
        cell.set(Token::bearer("old").unwrap());
        let generation = cell.with_usable(|current| current.generation).unwrap();
        let other = cell.clone();
        let refused = thread::spawn(move || {
            assert!(other.refused(generation), "there is another to be had");
            text(&block_on(acquired(other))).to_owned()
        });
        server.answer();
        cell.refused(generation);
        assert_eq!(text(&block_on(acquired(cell))), "flown");
        assert_eq!(refused.join().unwrap(), "flown");
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn loom_the_beacon_does_not_show_a_token_that_was_given_up() {
    model(|| {
        let (server, runs) = (Server::new(), Arc::new(AtomicUsize::new(0)));
        let cell = cell(&server, &runs);
        cell.set(Token::bearer("old").unwrap());
        // It has looked already: the snapshot is not part of the model.
        let (other, looked) = (cell.clone(), cell.snapshot.load_full().unwrap());
        let lighting = thread::spawn(move || other.light(&looked, clock::now()));
        cell.invalidate();
        assert_eq!(cell.beacon.fresh(), 0, "not even if it is lit just now");
        lighting.join().unwrap();
        assert_eq!(cell.beacon.fresh(), 0);
    });
}

#[test]
fn loom_when_all_are_gone_so_is_the_cell() {
    model(|| {
        let (server, runs) = (Server::new(), Arc::new(AtomicUsize::new(0)));
        let cell = cell(&server, &runs);
        let watch = Arc::downgrade(&cell);
        let other = cell.clone();
        let leaving = thread::spawn(move || look_and_leave(Box::pin(acquired(other))));
        look_and_leave(Box::pin(acquired(cell)));
        leaving.join().unwrap();
        assert!(watch.upgrade().is_none());
        // What the server says now reaches nobody, and does no harm.
        server.answer();
    });
}
