//! What one request is going to meet, drawn before it begins: what the API does, and how its caller behaves.
//!
//! What the API is to do stands in the path. So a seed decides it, and not the order in which requests happen to arrive.

use std::time::Duration;

use fastrand::Rng;

/// What the API does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Answer,
    AnswerAfter(u64),
    Unavailable,
    Half,
    Reset,
    /// Only a caller with a time-out asks for it.
    Stall,
    /// Revokes the token that the request carries, with all that are under way with it.
    Revoke,
}

/// How the caller behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    Patient,
    /// Goes away at the first sign that it would have to wait for a token: often it is who has begun the token call.
    WaitsForNoToken,
    /// Readies the service and does not call it.
    OnlyReadies,
    /// Lets the ready service stand for a while, and then its response.
    Dawdles(Duration, Duration),
    /// Drops the request after so many polls.
    DropsAfterPolls(u8),
    TimesOut(Duration),
    /// The task is aborted.
    IsAborted(Duration),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) fate: Fate,
    pub(crate) manners: Manners,
    /// Whether a clone of the service is used once and dropped, or the caller's own again and again.
    pub(crate) clones: bool,
}

impl Plan {
    pub(crate) fn draw(dice: &mut Rng, revokes: bool) -> Self {
        let manners = Manners::draw(dice);
        let mut fate = Fate::draw(dice, revokes);
        let ends = matches!(manners, Manners::TimesOut(_) | Manners::IsAborted(_));
        if ends && dice.u8(0..20) == 0 {
            fate = Fate::Stall;
        }
        Self { fate, manners, clones: dice.bool() }
    }
}

impl Manners {
    fn draw(dice: &mut Rng) -> Self {
        let mut moment = |longest: u64| Duration::from_micros(dice.u64(0..longest * 1_000));
        let (short, pause) = (moment(15), moment(15));
        // Long enough for a token to end meanwhile, and its successor to come.
        let long = moment(2_500);
        match dice.u16(0..1_000) {
            0..750 => Self::Patient,
            750..950 => Self::WaitsForNoToken,
            950..960 => Self::OnlyReadies,
            960..965 => Self::Dawdles(short, pause),
            965 => Self::Dawdles(long, pause),
            966 => Self::Dawdles(short, long),
            967..978 => Self::DropsAfterPolls(dice.u8(1..4)),
            978..989 => Self::TimesOut(short),
            989.. => Self::IsAborted(short),
        }
    }
}

impl Fate {
    fn draw(dice: &mut Rng, revokes: bool) -> Self {
        match dice.u16(0..1_000) {
            0..600 => Self::Answer,
            600..970 => Self::AnswerAfter(dice.u64(1..8)),
            970..980 => Self::Unavailable,
            980..985 => Self::Half,
            985..990 => Self::Reset,
            990..993 if revokes => Self::Revoke,
            990.. => Self::Answer,
        }
    }

    pub(crate) fn path(self) -> String {
        match self {
            Self::Answer => "/answer".into(),
            Self::AnswerAfter(millis) => format!("/answer/{millis}"),
            Self::Unavailable => "/unavailable".into(),
            Self::Half => "/half".into(),
            Self::Reset => "/reset".into(),
            Self::Stall => "/stall".into(),
            Self::Revoke => "/revoke".into(),
        }
    }

    pub(crate) fn of(path: &str) -> Self {
        match path {
            "/unavailable" => Self::Unavailable,
            "/half" => Self::Half,
            "/reset" => Self::Reset,
            "/stall" => Self::Stall,
            "/revoke" => Self::Revoke,
            _ => match path.strip_prefix("/answer/").and_then(|millis| millis.parse().ok()) {
                Some(millis) => Self::AnswerAfter(millis),
                None => Self::Answer,
            },
        }
    }
}
