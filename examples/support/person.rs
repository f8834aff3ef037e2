use std::{collections::HashMap, env, io::IsTerminal};

use bytes::Bytes;
use http::{
    Method, Request, StatusCode,
    header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE},
};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{runtime::Handle, sync::mpsc};
use tower::BoxError;
use url::{Url, form_urlencoded};

use super::pages::PERSON;

/// Whether a user is at the terminal. Otherwise the examples simulate a user.
pub(crate) fn is_attended() -> bool {
    let unattended = cfg!(test) || env::var_os("TOWER_OAUTH2_UNATTENDED").is_some();
    !unattended && std::io::stdin().is_terminal()
}

/// A simulated user with a browser: follows redirects, keeps cookies, and submits the authorization server's forms.
pub(crate) struct Person {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    cookies: HashMap<String, String>,
}

/// The page at the end of the redirects.
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Page {
    /// The text of the page without the markup.
    pub(crate) fn message(&self) -> String {
        let body = self.text.rsplit("</style>").next().unwrap_or_default();
        let text = body
            .split('<')
            .map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text))
            .collect::<Vec<_>>()
            .join(" ");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Choice {
    Allow,
    Deny,
}

impl Person {
    pub(crate) fn new() -> Self {
        let http = legacy::Client::builder(TokioExecutor::new()).build_http();
        Self { http, cookies: HashMap::new() }
    }

    /// Opens a URL and follows its redirects.
    pub(crate) async fn open(&mut self, url: &str) -> Result<Page, BoxError> {
        self.browse(Method::GET, Url::parse(url)?, String::new()).await
    }

    /// Opens a URL that leads to the login page, submits the decision, and returns the resulting page.
    pub(crate) async fn log_in(&mut self, url: &str, choice: Choice) -> Result<Page, BoxError> {
        let page = self.open(url).await?;
        self.submit_form(page, None, choice).await
    }

    /// Opens the verification page of a device, and submits the user code and the decision.
    pub(crate) async fn type_code(&mut self, uri: &str, code: &str, choice: Choice) -> Result<Page, BoxError> {
        let page = self.open(uri).await?;
        self.submit_form(page, Some(code), choice).await
    }

    async fn submit_form(&mut self, page: Page, user_code: Option<&str>, choice: Choice) -> Result<Page, BoxError> {
        if !page.text.contains("<form method=\"post\">") {
            return Err(format!("no form at {}: {}", page.url, page.status).into());
        }
        self.browse(Method::POST, page.url, filled_form(user_code, choice)).await
    }

    async fn browse(&mut self, mut method: Method, mut url: Url, mut form: String) -> Result<Page, BoxError> {
        for _ in 0..10 {
            let host = url.host_str().unwrap_or_default().to_owned();
            let mut request = Request::builder().method(&method).uri(url.as_str());
            if let Some(cookie) = self.cookies.get(&host) {
                request = request.header(COOKIE, cookie);
            }
            if method == Method::POST {
                request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            }
            let response = self.http.request(request.body(Full::from(form))?).await?;
            if let Some(cookie) = response.headers().get(SET_COOKIE) {
                let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
                self.cookies.insert(host, cookie.to_owned());
            }
            let location = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
            let Some(location) = location else {
                let status = response.status();
                let body = response.into_body().collect().await?.to_bytes();
                return Ok(Page { url, status, text: String::from_utf8_lossy(&body).into_owned() });
            };
            url = url.join(location.to_str()?)?;
            (method, form) = (Method::GET, String::new());
        }
        Err("too many redirects".into())
    }
}

fn filled_form(user_code: Option<&str>, choice: Choice) -> String {
    let decision = match choice {
        Choice::Allow => "allow",
        Choice::Deny => "deny",
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("username", PERSON).append_pair("password", "any").append_pair("decision", decision);
    if let Some(user_code) = user_code {
        form.append_pair("user_code", user_code);
    }
    form.finish()
}

/// Simulates the system's browser. Returns a function that opens a URL, and the pages that this resulted in.
pub(crate) fn browser(
    choice: Choice,
) -> (impl Fn(&Url) + Send + Sync + 'static, mpsc::UnboundedReceiver<Result<Page, BoxError>>) {
    let (pages, shown) = mpsc::unbounded_channel();
    let runtime = Handle::current();
    let open = move |url: &Url| {
        let (url, pages) = (url.to_string(), pages.clone());
        runtime.spawn(async move {
            // The receiver may have been dropped.
            let _ = pages.send(Person::new().log_in(&url, choice).await);
        });
    };
    (open, shown)
}
