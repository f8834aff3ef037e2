//! Those who come to a cell for the token.

use super::*;

#[test]
fn loom_two_callers_of_an_empty_cell_make_one_flight() {
    model(|| {
        let (server, runs) = (Server::new(), Arc::new(AtomicUsize::new(0)));
        let cell = cell(&server, &runs);
        let other = cell.clone();
        let waiting = thread::spawn(move || block_on(acquired(other)).unwrap());
        server.answer();
        block_on(acquired(cell)).unwrap();
        waiting.join().unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn loom_one_of_two_callers_leaves_and_the_flight_is_not_repeated() {
    model(|| {
        let (server, runs) = (Server::new(), Arc::new(AtomicUsize::new(0)));
        let cell = cell(&server, &runs);
        let other = cell.clone();
        let leaving = thread::spawn(move || look_and_leave(Box::pin(acquired(other))));
        server.answer();
        block_on(acquired(cell)).unwrap();
        leaving.join().unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    });
}
