//! The plan of one request, drawn before it is sent: what the API does, and what the caller does.
//!
//! The path encodes the behavior of the API. It therefore depends on the seed, and not on the order in which requests arrive.

use std::time::Duration;

use fastrand::Rng;

/// What the API does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApiBehavior {
    Respond,
    RespondAfter(u64),
    Unavailable,
    CutBody,
    Reset,
    /// Drawn only for a caller that times out or is aborted.
    Stall,
    /// Revokes the token that the request carries.
    Revoke,
}

/// What the caller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallerBehavior {
    Patient,
    /// Drops the request if it would have to wait for a token. Often it has started the token request itself.
    DropsInsteadOfWaiting,
    /// Polls the service until it is ready, and does not call it.
    DropsReadyService,
    /// Waits before it calls the ready service, and before it polls the response again.
    Delays(Duration, Duration),
    /// Drops the request after this many polls.
    DropsAfterPolls(u8),
    TimesOut(Duration),
    /// Sends the request in a task that is aborted.
    IsAborted(Duration),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestPlan {
    pub(crate) api: ApiBehavior,
    pub(crate) caller: CallerBehavior,
    /// Whether the caller uses a clone of the service, and drops it, instead of its own service.
    pub(crate) clones: bool,
}

impl RequestPlan {
    pub(crate) fn draw(rng: &mut Rng, revokes: bool) -> Self {
        let caller = CallerBehavior::draw(rng);
        let mut api = ApiBehavior::draw(rng, revokes);
        let ends = matches!(caller, CallerBehavior::TimesOut(_) | CallerBehavior::IsAborted(_));
        if ends && rng.u8(0..20) == 0 {
            api = ApiBehavior::Stall;
        }
        Self { api, caller, clones: rng.bool() }
    }
}

impl CallerBehavior {
    fn draw(rng: &mut Rng) -> Self {
        let mut moment = |max_millis: u64| Duration::from_micros(rng.u64(0..max_millis * 1_000));
        let (short, pause) = (moment(15), moment(15));
        // Long enough for a token to expire and be replaced meanwhile.
        let long = moment(2_500);
        match rng.u16(0..1_000) {
            0..750 => Self::Patient,
            750..950 => Self::DropsInsteadOfWaiting,
            950..960 => Self::DropsReadyService,
            960..965 => Self::Delays(short, pause),
            965 => Self::Delays(long, pause),
            966 => Self::Delays(short, long),
            967..978 => Self::DropsAfterPolls(rng.u8(1..4)),
            978..989 => Self::TimesOut(short),
            989.. => Self::IsAborted(short),
        }
    }
}

impl ApiBehavior {
    fn draw(rng: &mut Rng, revokes: bool) -> Self {
        match rng.u16(0..1_000) {
            0..600 => Self::Respond,
            600..970 => Self::RespondAfter(rng.u64(1..8)),
            970..980 => Self::Unavailable,
            980..985 => Self::CutBody,
            985..990 => Self::Reset,
            990..993 if revokes => Self::Revoke,
            990.. => Self::Respond,
        }
    }

    pub(crate) fn path(self) -> String {
        match self {
            Self::Respond => "/answer".into(),
            Self::RespondAfter(millis) => format!("/answer/{millis}"),
            Self::Unavailable => "/unavailable".into(),
            Self::CutBody => "/half".into(),
            Self::Reset => "/reset".into(),
            Self::Stall => "/stall".into(),
            Self::Revoke => "/revoke".into(),
        }
    }

    pub(crate) fn of(path: &str) -> Self {
        match path {
            "/unavailable" => Self::Unavailable,
            "/half" => Self::CutBody,
            "/reset" => Self::Reset,
            "/stall" => Self::Stall,
            "/revoke" => Self::Revoke,
            _ => match path.strip_prefix("/answer/").and_then(|millis| millis.parse().ok()) {
                Some(millis) => Self::RespondAfter(millis),
                None => Self::Respond,
            },
        }
    }
}
