//! A login that waits for its redirect, and the pages for the requests to it.

use std::borrow::Cow;

use tokio::sync::{oneshot, watch};
use url::Url;

use super::page::Page;
use crate::error::Error;
use crate::grant::authorization_code::callback::{self, Callback, Expected};
use crate::secret::Secret;
use crate::sync::{Mutex, lock};

/// The result that the redirect contains: the code, or the error of the server.
pub(super) type CodeResult = Result<Secret, Error>;

/// A pending login. The first valid redirect completes it. Repeated requests for the same URL get the same page, because a browser may
/// fetch a URL twice.
pub(super) struct PendingLogin {
    expected: Expected,
    /// The path in the form that a browser requests.
    path: String,
    start: Option<StartRedirect>,
    state: Mutex<PendingState>,
    page: watch::Sender<Option<Page>>,
    /// The number of requests that wait for the page or receive it.
    open: watch::Sender<usize>,
}

/// A local path that redirects to the login URL once, so that the command line of a browser does not contain the `state`.
pub(super) struct StartRedirect {
    pub(super) path: String,
    pub(super) location: Url,
}

struct PendingState {
    sender: Option<oneshot::Sender<CodeResult>>,
    /// The query of the redirect that completed the login.
    accepted_query: Option<Secret>,
    is_start_used: bool,
    last_unrelated: Option<Cow<'static, str>>,
}

/// A request to the redirect URI.
pub(super) enum CallbackRequest<'a> {
    Unrelated(Page),
    /// It has completed the login. The page follows when the login has ended.
    Completes(PendingPage<'a>),
}

/// Counts a request that waits for the final page, or receives it, until it is dropped.
pub(super) struct PendingPage<'a>(&'a PendingLogin);

impl PendingLogin {
    /// Creates a login with this redirect URI. The receiver gets the result of the redirect.
    pub(super) fn new(
        expected: Expected,
        redirect_uri: &str,
        start: Option<StartRedirect>,
    ) -> (Self, oneshot::Receiver<CodeResult>) {
        // Browsers encode some characters and resolve dot segments.
        let path = Url::parse(redirect_uri).map_or_else(|_| "/".to_owned(), |url| url.path().to_owned());
        let (sender, receiver) = oneshot::channel();
        let state =
            PendingState { sender: Some(sender), accepted_query: None, is_start_used: false, last_unrelated: None };
        let state = Mutex::new(state);
        let login = Self { expected, path, start, state, page: watch::Sender::new(None), open: watch::Sender::new(0) };
        (login, receiver)
    }

    pub(super) fn is_redirect(&self, path: &str) -> bool {
        path == self.path
    }

    pub(super) fn is_start(&self, path: &str) -> bool {
        self.start.as_ref().is_some_and(|start| start.path == path)
    }

    /// Returns the login URL for the start path. Returns `None` if the path was used before, or the login is complete.
    pub(super) fn start(&self) -> Option<&Url> {
        let start = self.start.as_ref()?;
        let mut state = lock(&self.state);
        let is_first = state.sender.is_some() && !std::mem::replace(&mut state.is_start_used, true);
        is_first.then_some(&start.location)
    }

    /// Handles a request to the redirect URI.
    pub(super) fn receive(&self, query: &str) -> CallbackRequest<'_> {
        let mut state = lock(&self.state);
        if state.accepted_query.as_ref().is_some_and(|accepted| accepted.expose() == query) {
            drop(state);
            return CallbackRequest::Completes(PendingPage::new(self));
        }
        let result = match callback::read(query, &self.expected) {
            Callback::Unrelated(why) => {
                let page = Page::unrelated(400, &sentence(&why));
                state.last_unrelated = Some(why);
                return CallbackRequest::Unrelated(page);
            }
            Callback::Code(code) => Ok(code),
            Callback::Failed(error) => Err(error),
        };
        let Some(sender) = state.sender.take() else {
            let why = match *self.page.borrow() {
                Some(_) => "This login has ended.",
                None => "This login was completed by an earlier request.",
            };
            return CallbackRequest::Unrelated(Page::unrelated(400, why));
        };
        state.accepted_query = Some(Secret::new(query));
        drop(state);
        // Counted before the login can end.
        let open = PendingPage::new(self);
        let _ = sender.send(result);
        CallbackRequest::Completes(open)
    }

    /// Records a request to the redirect URI that is not a redirect.
    pub(super) fn record_unrelated(&self, why: &'static str) {
        lock(&self.state).last_unrelated = Some(why.into());
    }

    /// Returns why the last request that did not complete the login was not accepted.
    pub(super) fn last_unrelated(&self) -> Option<Cow<'static, str>> {
        lock(&self.state).last_unrelated.clone()
    }

    /// Ends the login with this page.
    pub(super) fn end(&self, page: Page) {
        drop(lock(&self.state).sender.take());
        self.page.send_replace(Some(page));
    }

    /// Waits for the page of the login.
    pub(super) async fn page(&self) -> Page {
        match self.page.subscribe().wait_for(Option::is_some).await.as_deref() {
            Ok(Some(page)) => page.clone(),
            // Unreachable: `self` owns the sender, and the value is set.
            _ => Page::unrelated(410, "This login has ended."),
        }
    }

    /// Waits until all requests have received the page.
    pub(super) async fn delivered(&self) {
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }
}

/// Turns a reason into a sentence.
fn sentence(why: &str) -> String {
    let mut rest = why.chars();
    rest.next().map(|first| format!("{}{}.", first.to_uppercase(), rest.as_str())).unwrap_or_default()
}

impl<'a> PendingPage<'a> {
    fn new(login: &'a PendingLogin) -> Self {
        login.open.send_modify(|open| *open += 1);
        Self(login)
    }

    pub(super) async fn page(&self) -> Page {
        self.0.page().await
    }
}

impl Drop for PendingPage<'_> {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}
