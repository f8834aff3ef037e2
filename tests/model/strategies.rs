//! The strategies that generate sequences: mostly requests and time, with failures in between.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::server::Mode;
use crate::steps::{Grant, Moment, Setting, Step};

pub(crate) fn settings() -> impl Strategy<Value = Setting> {
    let grant =
        prop_oneof![3 => Just(Grant::RefreshToken), 1 => Just(Grant::Client), 1 => Just(Grant::ClientThenRefresh)];
    (grant, any::<bool>(), prop::bool::weighted(0.25), any::<bool>()).prop_map(
        |(grant, token_service, with_jitter, ends_the_old)| Setting { grant, token_service, with_jitter, ends_the_old },
    )
}

pub(crate) fn sequences() -> impl Strategy<Value = Vec<Step>> {
    let part = prop_oneof![5 => step().prop_map(|step| vec![step]), 1 => scene()];
    vec(part, 1..40).prop_map(|parts| parts.concat())
}

/// Generates combinations of steps that are rare in random sequences.
fn scene() -> impl Strategy<Value = Vec<Step>> {
    let end = prop_oneof![Just(Moment::Due), Just(Moment::Stale), Just(Moment::Expiry)];
    let outage_when_due = (trouble(), request_step()).prop_map(|(trouble, request)| {
        vec![Step::Server(Mode::Up), Step::Request, Step::PassTo(Moment::Due, 1), trouble, Step::Request, request]
    });
    let outage_before = (trouble(), end.clone(), offset()).prop_map(|(trouble, end, offset)| {
        vec![Step::Server(Mode::Up), Step::Request, trouble, Step::Refresh, Step::PassTo(end, offset), Step::Request]
    });
    let many_wait = (trouble(), end.clone(), user())
        .prop_map(|(trouble, end, user)| vec![Step::PassTo(end, 1), trouble, Step::Requests(3), Step::Get, user]);
    let expired_before_call = (trouble(), end.clone(), user()).prop_map(|(trouble, end, user)| {
        vec![Step::Ready, Step::PassTo(end, 1), trouble, Step::Call { oldest: false }, user]
    });
    let late_and_the_api_is_not_ready = (end.clone(), user()).prop_map(|(end, user)| {
        let late = [Step::Server(Mode::Up), Step::Ready, Step::PassTo(end, 1), Step::ApiReady(false)];
        let then = [Step::Call { oldest: false }, user, Step::Hours(1), Step::Get, Step::ApiReady(true)];
        [&late[..], &then].concat()
    });
    let rejected_late =
        (user(), prop::sample::select(vec![Step::Retried, Step::Request])).prop_map(|(user, request)| {
            let rejected = [Step::Server(Mode::Up), Step::ApiDelay(200), request, Step::ApiRejectsAll(true), user];
            let then =
                [Step::Pass(900), Step::ApiRejectsAll(false), Step::Request, Step::Pass(900), Step::ApiRejectsNewest];
            [&rejected[..], &then, &[Step::Retried, Step::Retried]].concat()
        });
    let login_ends = (end.clone(), offset(), trouble(), request_step()).prop_map(|(end, offset, trouble, request)| {
        vec![
            Step::Server(Mode::Up),
            Step::Request,
            Step::LogOut,
            Step::PassTo(end, offset),
            Step::Request,
            trouble,
            request,
        ]
    });
    let rejected_in_use = (trouble(), offset(), user()).prop_map(|(trouble, offset, user)| {
        let in_use = [Step::Server(Mode::Up), Step::ApiRejectsAll(false), Step::ApiDelay(0), Step::Request, trouble];
        let rejected = [Step::Reject { newest: true }, Step::Requests(2), Step::PassTo(Moment::Retry, offset), user];
        [&in_use[..], &rejected, &[Step::Request, Step::Reject { newest: true }, Step::Retried]].concat()
    });
    let series = (prop::collection::vec(series_pass(), 1..6), trouble()).prop_map(|(passes, trouble)| {
        let start = [Step::Server(Mode::Up), trouble, Step::ApiRejectsAll(true), Step::ApiDelay(0), Step::Request];
        let continues = passes.into_iter().flat_map(|pass| [pass, Step::Retried]);
        start.into_iter().chain(continues).chain([Step::ApiRejectsAll(false)]).collect()
    });
    prop_oneof![
        rejected_in_use,
        series,
        outage_when_due,
        outage_before,
        many_wait,
        expired_before_call,
        late_and_the_api_is_not_ready,
        rejected_late,
        login_ends
    ]
}

/// Generates durations near the back-offs after one, two and three refreshes.
fn series_pass() -> impl Strategy<Value = Step> {
    prop::sample::select(vec![1, 900, 1_001, 1_599, 1_601, 2_559, 2_561, 5_001]).prop_map(Step::Pass)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => pass(),
        24 => request_step(),
        8 => user(),
        12 => server(),
        8 => api(),
        2 => prop::sample::select(vec![1, 5, 60, 300, 3600, -60, -3600]).prop_map(Step::Wall),
        2 => prop::sample::select(vec![Step::Layer, Step::Clone, Step::Drop]),
    ]
}

/// Generates milliseconds around a moment.
fn offset() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![-20, -1, 0, 1, 20])
}

fn pass() -> impl Strategy<Value = Step> {
    let moment = prop::sample::select(vec![Moment::Due, Moment::Stale, Moment::Expiry, Moment::Retry]);
    prop_oneof![
        2 => prop::sample::select(vec![1, 20, 100, 500, 900]).prop_map(Step::Pass),
        4 => prop::sample::select(vec![1_000, 2_000, 5_000, 31_000, 60_000, 300_000]).prop_map(Step::Pass),
        1 => prop::sample::select(vec![1, 2, 24]).prop_map(Step::Hours),
        6 => (moment, offset()).prop_map(|(moment, offset)| Step::PassTo(moment, offset)),
    ]
}

fn request_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => Just(Step::Request),
        3 => (2..6_u8).prop_map(Step::Requests),
        4 => Just(Step::Retried),
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
        2 => prop::bool::weighted(0.8).prop_map(|newest| Step::Reject { newest }),
        1 => Just(Step::Flush),
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
        4 => Just(Step::ApiRejectsNewest),
        2 => any::<bool>().prop_map(Step::ApiRejectsAll),
        2 => prop::sample::select(vec![0, 0, 200, 3_000]).prop_map(Step::ApiDelay),
        2 => prop::bool::weighted(0.7).prop_map(Step::ApiReady),
    ]
}
