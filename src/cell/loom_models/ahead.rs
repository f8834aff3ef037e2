//! A token that is due.

use super::*;

/// A token of an hour that is due, in a cell whose server does not answer well.
fn due(server: &Arc<Server>, runs: &Arc<AtomicUsize>) -> Arc<Cell> {
    let cell = cell_of(server, runs, || Err(Error::new(ErrorKind::Overloaded, "")));
    cell.configure(|settings| settings.policy.longest_backoff = Duration::ZERO);
    let (age, left) = (Duration::from_secs(3500), Duration::from_secs(100));
    let token = Token::bearer("due").unwrap().with_expires_in(left);
    cell.change(|state, now, dice| state.set(token, now.earlier(age), dice));
    cell
}

#[test]
fn loom_two_who_see_a_token_due_begin_one_flight_and_its_failure_leaves_the_token() {
    model(|| {
        let (server, runs) = (Server::new(), Arc::new(AtomicUsize::new(0)));
        let cell = due(&server, &runs);
        server.answer();
        let other = cell.clone();
        let passing = thread::spawn(move || {
            other.renew_ahead(|| None);
            text(&block_on(acquired(other))).to_owned()
        });
        cell.renew_ahead(|| None);
        assert_eq!(text(&block_on(acquired(cell.clone()))), "due");
        assert_eq!(passing.join().unwrap(), "due");
        assert_ne!(cell.age(), Age::Stale);
        assert_eq!(runs.load(Ordering::SeqCst), 1, "the gap keeps the second away");
    });
}

#[test]
fn loom_a_token_that_ends_during_its_failing_renewal_is_told_to_all() {
    model(|| {
        let (server, runs) = (Server::new(), Arc::new(AtomicUsize::new(0)));
        let cell = due(&server, &runs);
        cell.renew_ahead(|| None);
        // Its end, as the clock would bring it.
        cell.invalidate();
        let other = cell.clone();
        let waiting = thread::spawn(move || text(&block_on(acquired(other))).to_owned());
        server.answer();
        assert_eq!(text(&block_on(acquired(cell))), "failed");
        assert_eq!(waiting.join().unwrap(), "failed");
    });
}
