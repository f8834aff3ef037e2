//! One word for each concept: words that the crate does not use, and what it uses instead.

use crate::prose::{Text, Token, tokens};
use crate::words::words;

/// Where a word must not occur.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In prose, and as part of an identifier.
    Everywhere,
    /// In comments, strings and pages, except in what is marked as code.
    Prose,
    /// As part of an identifier in `src`.
    Code,
    /// As an identifier, in upper and lower case as it is written here, in all folders.
    PublicName,
    /// As an identifier in `src`.
    Name,
    /// As the name of a function, a type or a module that is defined in `src`.
    Definition,
    /// As the name of a file in `src`.
    File,
}

use Scope::{Code, Definition, Everywhere, File, Name, Prose, PublicName};

/// The words, by what to write instead. A `*` stands for any ending.
const RULES: &[(Scope, &str, &str)] = &[
    // Concepts.
    (Everywhere, "token request", "token call, token calls"),
    (Everywhere, "refresh", "renew*"),
    (Everywhere, "reject (a server), deny (a user or an option), or return an error", "refusal*, refuse*, refusing"),
    (Everywhere, "another process, or peer process", "sibling*"),
    (Code, "shared", "ground"),
    (Everywhere, "waiters, or waiting callers", "those who wait, those that wait, who waits, who wait"),
    (Everywhere, "refresh, refresh task, start, end", "flight, flights, departure*, landing, landings, lands, landed"),
    (Everywhere, "superseded", "overtak*, overtook"),
    (Code, "max", "longest"),
    (Code, "min", "smallest"),
    // Figures of speech.
    (Everywhere, "reentrant, or registered", "aboard"),
    (Everywhere, "return, report, notify, or distinguish", "tell, tells, told, telling"),
    (Everywhere, "receive, or observe", "hear, hears, heard, hearing"),
    (
        Everywhere,
        "the caller, the task, the process, the person: by name",
        "whoever, whomever, somebody, anybody, nobody",
    ),
    (Everywhere, "start", "embark*"),
    (Everywhere, "lost", "astray"),
    (Everywhere, "entry, or coordinator", "keeper*, shelf, shelves"),
    (Prose, "has, needs, or requires", "knows, wants"),
    (Prose, "lock, or lock guard", "the turn, a turn, its turn, their turn, whose turn"),
    (Prose, "cannot be reached, or fails", "is away, sign of life"),
    (Prose, "is extended to its expiry", "hold out, holds out, held out, holding out"),
    (Prose, "the name of the thing", "one who, ones who, those who, he who, the one who"),
    (Prose, "again", "anew, afresh"),
    (Prose, "except, or instead", "aside"),
    (Prose, "without effect", "in vain"),
    (Prose, "permanently", "for good, for ever"),
    (Prose, "available, or obtain it", "at hand, be had, is had, was had"),
    (Prose, "automatically, or alone", "by itself, by themselves, of its own accord"),
    (Prose, "stop, or fail", "gives up, give up, given up, gave up, giving up"),
    (Prose, "in progress, or running", "in the air, on the way, on its way, is at it"),
    (Prose, "expire, end, or exist", "dies, die, died, lives, live on"),
    (Prose, "because", "for it is, for they are, for there is, for it has, for they have"),
    (Prose, "must", "is to be, are to be, is not to, are not to"),
    // Types and variants.
    (Definition, "ReentrancyGuard, WaitList, RefreshTask", "Aboard, Board, Notes, Look, Flight, Patience, Driver"),
    (Definition, "FreshFlag, CachedHeader, Attached", "Beacon, Pass, Sent"),
    (Definition, "Acquire, Lookup, RefreshDecision, Attempt, Jitter", "Acquired, Found, Ahead, Departure, Dice"),
    (Definition, "CachedToken, Freshness, RejectionBackoff, Shared", "Current, Age, Refusals, Ground"),
    (Definition, "TokenRejected, Deferred, PendingToken", "Refused, Late, Wanted, Begun, Held"),
    (Definition, "AuthorizePolicy, TokenSink, ErasedService, Timer", "Attach, News, Through, Alarm"),
    (Definition, "GrantConfig, RefreshOutcome, initial", "Common, Renewal, InTheAir"),
    (Definition, "KeySet, EncryptionKey", "Seals, Seal"),
    (Definition, "PubSub, Subscriptions, Subscription", "Ear, Newsroom"),
    (Definition, "CallbackRequest", "Arrival"),
    (Name, "Callback::Unrelated", "Foreign"),
    (Name, "Reason::{Missing, Proactive, Forced}", "Needed, Asked"),
    // Functions, fields and constants.
    (Name, "run_grant, is_reentrant, is_registered, poll", "board, is_aboard, look, look_closer, MAX_LOOKS"),
    (Definition, "spawn, clear, update, publish, start_refresh", "launch, help, light, place, after"),
    (Name, "clear, observes_responses, adopt", "put_out, heeds, no_pass, hear_of"),
    (Name, "is_transient, extend_to_expiry, awaiting_acceptance", "passing, holding_out, grace, GRACE, in_doubt"),
    (
        Name,
        "backoff_error, still_applies, maybe_rejected, call_slow",
        "waited_out, stands, may_be_refusal, call_with_care",
    ),
    (Definition, "valid", "usable"),
    (Name, "should_authorize, should_authorize_fast, is_allowed_origin", "wants, plainly_wants, is_at_home, is_of"),
    (Definition, "offer, matches, message, report", "newer, says"),
    (Name, "catch_panic, MAX_DURATION, mock", "caught, FAR, steered"),
    (Name, "with_source, with_response_of, needs_user", "because, citing, curable, asked_in_vain, waits_for_the_user"),
    (Name, "lock, guard, or lock_and_load", "turn"),
    (Definition, "adopt_if_newer, select, last_seen, key_id", "choose, see, mark"),
    (Name, "reset, last_error, reject_while", "hang_up, trouble, refuse_during"),
    // Files.
    (File, "reentrancy, waiters, refresh, fast_path", "aboard, board, flight, beacon, light, passes"),
    (File, "acquire, state, cached, rejections", "callers, terms, refusals"),
    (File, "rejection, deferred, slow_path, options, authorize", "heard, late, careful, numbers, reach, attach"),
    (File, "catch_panic, error/mod, config, initial", "panics, failure, common, preset"),
    (File, "coordinator, entry, save_task, watch_task", "keeper, shelf, saving, follow"),
    (File, "encryption, paths, error, ops, format, fs", "sealed, place, problem, content, disk"),
    (File, "connection, subscriber, entries", "link, news, table"),
    (File, "noop, noop_span, record, metrics, labels", "nobody, no_spans, logbook, meters, words"),
    // Public options.
    (Definition, "clock_skew", "skew"),
    (PublicName, "min_refresh_interval, max_retry_after", "smallest_gap, longest_retry_after"),
    (
        PublicName,
        "backoff_multiplier, token_timeout, max_response_size",
        "backoff_growth, token_deadline, response_limit",
    ),
    (PublicName, "reject_when, deny_other_origins", "also_refused, refuse_foreign_origins"),
    (PublicName, "lock_timeout, refresh_without_store", "lock_deadline, renew_without_store"),
    (PublicName, "decrypt_with, Context::reason", "encrypted_before, is_asked_for, is_ahead"),
    (PublicName, "LoginRequired, OriginDenied", "LoginNeeded, ForeignOrigin"),
];

/// Phrases in which one of the words is right: terms of the field, and texts of others.
const EXCEPT: &[(&str, &str)] = &[
    ("refuse*", "connection refused"),
    ("refuse*", "refused connection"),
    ("refuse*", "refuses connections"),
    // A user of the test server.
    ("nobody", "user ; nobody"),
    ("landing", "landing page"),
    ("flight", "in flight"),
    ("flight", "single flight"),
];

/// The words of `RULES` in a file, each as a line of text.
pub(crate) fn findings(file: &Text) -> Vec<String> {
    if file.path.ends_with("floors/vocabulary.rs") {
        return Vec::new();
    }
    let mut found: Vec<(usize, String)> = Vec::new();
    let tokens = tokens(file);
    let identifiers = words(&file.text);
    let is_source = file.path.starts_with("src/");
    let name = file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    for (scope, instead, list) in RULES {
        for word in list.split(", ") {
            let message = |line: usize| (line, format!("{}:{line}: `{word}`: write {instead}", file.path));
            match scope {
                Everywhere => found.extend(phrases(&tokens, word, |_| true).into_iter().map(message)),
                Prose => found.extend(phrases(&tokens, word, |token| token.is_prose).into_iter().map(message)),
                Code if is_source => {
                    found.extend(phrases(&tokens, word, |token| !token.is_prose).into_iter().map(message));
                }
                Name | PublicName if is_source || *scope == PublicName => {
                    found.extend(identifiers.iter().filter(|found| *found == word).map(|found| message(found.line)));
                }
                Definition if is_source => {
                    let defined = identifiers.windows(2).filter(|two| {
                        two[1] == word && ["fn", "struct", "enum", "trait", "type", "mod"].contains(&&*two[0].text)
                    });
                    found.extend(defined.map(|two| message(two[1].line)));
                }
                File if name == word && is_source => found.push(message(1)),
                Code | Name | PublicName | Definition | File => {}
            }
        }
    }
    found.sort();
    found.dedup();
    found.into_iter().map(|(_, text)| text).collect()
}

/// The lines in which the phrase begins.
fn phrases(tokens: &[Token], phrase: &str, counts: impl Fn(&Token) -> bool) -> Vec<usize> {
    let parts: Vec<&str> = phrase.split(' ').collect();
    let mut lines = Vec::new();
    for (at, window) in tokens.windows(parts.len()).enumerate() {
        let is_match = is_phrase(window, &parts) && window.iter().all(&counts);
        let is_exception = || {
            EXCEPT.iter().filter(|(word, _)| *word == phrase).any(|(_, around)| {
                let around: Vec<&str> = around.split(' ').collect();
                let from = at.saturating_sub(around.len() - 1);
                let to = (at + around.len()).min(tokens.len());
                tokens[from..to].windows(around.len()).any(|window| is_phrase(window, &around))
            })
        };
        if is_match && !is_exception() {
            lines.push(window[0].line);
        }
    }
    lines
}

fn is_phrase(tokens: &[Token], parts: &[&str]) -> bool {
    tokens.iter().zip(parts).all(|(token, part)| match part.strip_suffix('*') {
        Some(start) => token.text.starts_with(start),
        None => token.text == *part,
    })
}

#[test]
fn a_word_that_is_not_used_is_reported_with_its_replacement() {
    let found = |path: &str, text: &str| findings(&Text { path: path.to_owned(), text: text.to_owned() });
    // In prose and in identifiers, over the end of a line, and in any form that the rule names.
    assert_eq!(found("docs/a.md", "It was\nrenewed."), ["docs/a.md:2: `renew*`: write refresh"]);
    assert_eq!(found("src/a.rs", "fn may_renew() {}"), ["src/a.rs:1: `renew*`: write refresh"]);
    assert_eq!(found("src/a.rs", "struct IsRenewed;"), ["src/a.rs:1: `renew*`: write refresh"]);
    assert_eq!(found("src/a.rs", "/// A token\n/// call."), ["src/a.rs:1: `token call`: write token request"]);
    assert_eq!(
        found("src/a.rs", "const A: &str = \"a token call\";"),
        ["src/a.rs:1: `token call`: write token request"]
    );
    assert!(found("docs/a.md", "A token. Call it.").is_empty());
    assert!(found("src/a.rs", "f(token, call); a.token().call();").is_empty());
    // In prose only.
    assert_eq!(found("tests/a.rs", "// Sent anew.").len(), 1);
    assert!(found("docs/a.md", "The function `anew`.\n```\nlet a = anew;\n```\n").is_empty());
    // As a name only.
    assert_eq!(found("src/a.rs", "struct Board;\nfn look() {}").len(), 2);
    assert_eq!(found("src/a/heard.rs", "").len(), 1);
    assert!(found("src/a.rs", "// Boards look like this.\nlet change = 1;").is_empty());
    assert!(found("tests/heard.rs", "fn look() {}").is_empty());
    // Terms of the field.
    assert_eq!(found("docs/a.md", "The server refused it.").len(), 1);
    assert!(found("docs/a.md", "A refused connection, \"connection refused\", or `ConnectionRefused`.").is_empty());
}
