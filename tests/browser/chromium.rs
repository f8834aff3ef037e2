//! Headless Chromium, driven over WebDriver.

use std::path::Path;

use fantoccini::elements::Element;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::{ParseError, Url};

use crate::process::{ProcessGuard, spawn};

/// A browser that runs until this is dropped or this process ends.
pub(crate) struct Chromium {
    driver: Client,
    _guard: ProcessGuard,
}

/// The window and the color scheme of a browser.
#[derive(Clone, Copy)]
pub(crate) struct View {
    pub(crate) name: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) phone: bool,
    pub(crate) dark: bool,
}

/// Starts the driver, waits for the end of this process, and stops the driver, which stops the browser.
const SCRIPT: &str = r#"
command -v chromium && command -v chromedriver || exit
mkdir -p "$1" && HOME=$1 chromedriver --port=0 &
exec >&2
cat
kill $!
wait
# The browser may still write files.
for _ in 1 2 3 4 5; do
  rm -rf "$1"
  sleep 1
  [ -e "$1" ] || break
done
"#;

/// The browser has a new profile and connects only to this host.
const ARGUMENTS: [&str; 12] = [
    "--headless",
    // Required for root, the user of many test machines.
    "--no-sandbox",
    // The browser exits with its driver.
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-first-run",
    "--lang=en",
];

impl Chromium {
    /// Starts the browser. Fails if it is not installed.
    pub(crate) async fn start() -> Result<Self, String> {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{}", std::process::id()));
        let (guard, lines) = spawn(SCRIPT, &home, &[])?;
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ChromeDriver was started successfully on port ").map(str::to_owned))
            .ok_or("chromium or chromedriver is missing")?;
        let profile = format!("--user-data-dir={}", home.join("profile").display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([profile.as_str()]).collect();
        let capabilities = Capabilities::from_iter([("goog:chromeOptions".to_owned(), json!({"args": arguments}))]);
        let address = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let driver = builder.capabilities(capabilities).connect(&address).await.map_err(|error| error.to_string())?;
        Ok(Self { driver, _guard: guard })
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// Finds an element, and waits for it if the page is still loading.
    pub(crate) async fn find(&self, css: &str) -> Element {
        self.driver.wait().for_element(Locator::Css(css)).await.unwrap()
    }

    pub(crate) async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// Evaluates a JavaScript expression in the page.
    pub(crate) async fn evaluate(&self, expression: &str) -> Value {
        self.driver.execute(&format!("return {expression}"), Vec::new()).await.unwrap()
    }

    /// Takes a screenshot of the page with this view.
    pub(crate) async fn screenshot(&self, View { width, height, phone, dark, .. }: View) -> Vec<u8> {
        let scheme = json!({"name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" }});
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone});
        for command in [
            DevTools("Emulation.setDeviceMetricsOverride", size),
            DevTools("Emulation.setEmulatedMedia", json!({"features": [scheme]})),
        ] {
            self.driver.issue_cmd(command).await.unwrap();
        }
        self.driver.screenshot().await.unwrap()
    }

    pub(crate) async fn quit(self) {
        self.driver.close().await.unwrap();
    }
}

/// A command of the DevTools protocol, which WebDriver lacks.
#[derive(Debug)]
struct DevTools(&'static str, Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        base_url.join(&format!("session/{}/goog/cdp/execute", session_id.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({"cmd": self.0, "params": self.1}).to_string()))
    }
}
