//! How sequences are drawn: mostly requests and time, and enough trouble in between.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::server::Mode;
use crate::steps::{Grant, Moment, Setting, Step};

pub(crate) fn settings() -> impl Strategy<Value = Setting> {
    let grant =
        prop_oneof![3 => Just(Grant::RefreshToken), 1 => Just(Grant::Client), 1 => Just(Grant::ClientThenRefresh)];
    (grant, any::<bool>(), prop::bool::weighted(0.25), any::<bool>()).prop_map(
        |(grant, token_service, by_chance, ends_the_old)| Setting { grant, token_service, by_chance, ends_the_old },
    )
}

pub(crate) fn sequences() -> impl Strategy<Value = Vec<Step>> {
    let part = prop_oneof![5 => step().prop_map(|step| vec![step]), 1 => scene()];
    vec(part, 1..40).prop_map(|parts| parts.concat())
}

/// What seldom comes together by itself.
fn scene() -> impl Strategy<Value = Vec<Step>> {
    let end = prop_oneof![Just(Moment::Due), Just(Moment::Stale), Just(Moment::Expiry)];
    let outage_when_due = (trouble(), ask()).prop_map(|(trouble, ask)| {
        vec![Step::Server(Mode::Up), Step::Request, Step::PassTo(Moment::Due, 1), trouble, Step::Request, ask]
    });
    let outage_before = (trouble(), end.clone(), off()).prop_map(|(trouble, end, off)| {
        vec![Step::Server(Mode::Up), Step::Request, trouble, Step::Refresh, Step::PassTo(end, off), Step::Request]
    });
    let many_wait = (trouble(), end.clone(), user())
        .prop_map(|(trouble, end, user)| vec![Step::PassTo(end, 1), trouble, Step::Requests(3), Step::Get, user]);
    let ready_in_vain = (trouble(), end.clone(), user()).prop_map(|(trouble, end, user)| {
        vec![Step::Ready, Step::PassTo(end, 1), trouble, Step::Call { oldest: false }, user]
    });
    let late_and_the_api_is_not_ready = (end.clone(), user()).prop_map(|(end, user)| {
        let late = [Step::Server(Mode::Up), Step::Ready, Step::PassTo(end, 1), Step::ApiReady(false)];
        let then = [Step::Call { oldest: false }, user, Step::Hours(1), Step::Get, Step::ApiReady(true)];
        [&late[..], &then].concat()
    });
    let refused_late = (user(), prop::sample::select(vec![Step::Persistent, Step::Request])).prop_map(|(user, ask)| {
        let refused = [Step::Server(Mode::Up), Step::ApiDelay(200), ask, Step::RefuseAll(true), user];
        let then = [Step::Pass(900), Step::RefuseAll(false), Step::Request, Step::Pass(900), Step::Refuse];
        [&refused[..], &then, &[Step::Persistent, Step::Persistent]].concat()
    });
    let login_ends = (end.clone(), off(), trouble(), ask()).prop_map(|(end, off, trouble, ask)| {
        vec![Step::Server(Mode::Up), Step::Request, Step::LogOut, Step::PassTo(end, off), Step::Request, trouble, ask]
    });
    prop_oneof![
        outage_when_due,
        outage_before,
        many_wait,
        ready_in_vain,
        late_and_the_api_is_not_ready,
        refused_late,
        login_ends
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => pass(),
        24 => ask(),
        8 => user(),
        12 => server(),
        8 => api(),
        2 => prop::sample::select(vec![1, 5, 60, 300, 3600, -60, -3600]).prop_map(Step::Wall),
        2 => prop::sample::select(vec![Step::Layer, Step::Clone, Step::Drop]),
    ]
}

/// Milliseconds, about a moment.
fn off() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![-20, -1, 0, 1, 20])
}

fn pass() -> impl Strategy<Value = Step> {
    let moment = prop::sample::select(vec![Moment::Due, Moment::Stale, Moment::Expiry, Moment::Retry]);
    prop_oneof![
        2 => prop::sample::select(vec![1, 20, 100, 500, 900]).prop_map(Step::Pass),
        4 => prop::sample::select(vec![1_000, 2_000, 5_000, 31_000, 60_000, 300_000]).prop_map(Step::Pass),
        1 => prop::sample::select(vec![1, 2, 24]).prop_map(Step::Hours),
        6 => (moment, off()).prop_map(|(moment, off)| Step::PassTo(moment, off)),
    ]
}

fn ask() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => Just(Step::Request),
        3 => (2..6_u8).prop_map(Step::Requests),
        4 => Just(Step::Persistent),
        2 => Just(Step::Ready),
        3 => any::<bool>().prop_map(|oldest| Step::Call { oldest }),
        3 => any::<bool>().prop_map(|oldest| Step::Abort { oldest }),
        2 => Just(Step::Get),
    ]
}

fn user() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Refresh),
        2 => Just(Step::Invalidate),
        2 => (lifetime(), any::<bool>()).prop_map(|(lifetime, refresh_token)| Step::Set { lifetime, refresh_token }),
        1 => Just(Step::Forget),
    ]
}

fn server() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Server(Mode::Up)),
        7 => trouble(),
        4 => lifetime().prop_map(Step::Lifetime),
        1 => any::<bool>().prop_map(Step::Rotates),
        1 => Just(Step::LogOut),
    ]
}

fn trouble() -> impl Strategy<Value = Step> {
    let busy = prop::sample::select(vec![None, Some(0), Some(5), Some(60), Some(7200)]);
    let slow = prop::sample::select(vec![1, 5, 20, 29, 31, 100]);
    prop_oneof![
        2 => Just(Mode::Down),
        2 => busy.prop_map(Mode::Busy),
        3 => slow.prop_map(Mode::Slow),
    ]
    .prop_map(Step::Server)
}

fn lifetime() -> impl Strategy<Value = Option<u64>> {
    prop::sample::select(vec![Some(0), Some(1), Some(2), Some(10), Some(100), Some(600), Some(3600), None])
}

fn api() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Refuse),
        2 => any::<bool>().prop_map(Step::RefuseAll),
        2 => prop::sample::select(vec![0, 0, 200, 3_000]).prop_map(Step::ApiDelay),
        2 => prop::bool::weighted(0.7).prop_map(Step::ApiReady),
    ]
}
