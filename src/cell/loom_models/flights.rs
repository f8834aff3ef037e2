//! One flight, and those who wait for it.

use super::*;
use crate::cell::flight::Flight;

fn flight(server: &Arc<Server>) -> Arc<Flight<u32>> {
    let server = server.clone();
    Flight::new(async move {
        server.answered().await;
        7
    })
}

#[test]
fn loom_two_wait_for_a_flight_that_nobody_drives() {
    model(|| {
        let server = Server::new();
        let flight = flight(&server);
        let other = flight.waiter();
        let waiting = thread::spawn(move || block_on(other));
        let answering = thread::spawn(move || server.answer());
        assert_eq!(block_on(flight.waiter()), 7);
        assert_eq!(waiting.join().unwrap(), 7);
        answering.join().unwrap();
    });
}

#[test]
fn loom_one_of_two_waiters_leaves() {
    model(|| {
        let server = Server::new();
        let flight = flight(&server);
        let other = flight.waiter();
        let leaving = thread::spawn(move || look_and_leave(other));
        let answering = thread::spawn(move || server.answer());
        assert_eq!(block_on(flight.waiter()), 7);
        leaving.join().unwrap();
        answering.join().unwrap();
    });
}

#[test]
fn loom_a_task_drives_and_one_of_two_waiters_leaves() {
    model(|| {
        let server = Server::new();
        let flight = flight(&server);
        let driver = flight.driver();
        let other = flight.waiter();
        let driving = thread::spawn(move || block_on(driver));
        let leaving = thread::spawn(move || look_and_leave(other));
        server.answer();
        assert_eq!(block_on(flight.waiter()), 7);
        leaving.join().unwrap();
        driving.join().unwrap();
    });
}

#[test]
fn loom_the_runtime_goes_away_in_the_middle() {
    model(|| {
        let server = Server::new();
        let flight = flight(&server);
        let driver = flight.driver();
        let dying = thread::spawn(move || look_and_leave(driver));
        let answering = thread::spawn(move || server.answer());
        assert_eq!(block_on(flight.waiter()), 7);
        dying.join().unwrap();
        answering.join().unwrap();
    });
}
