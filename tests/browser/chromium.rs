//! Headless Chromium, driven over WebDriver.

use std::path::Path;

use fantoccini::elements::Element;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::{ParseError, Url};

use crate::keeper::{Leash, keep};

/// Runs until its value is dropped or this process has ended.
pub(crate) struct Chromium {
    driver: Client,
    _leash: Leash,
}

/// How the person looks at a page.
#[derive(Clone, Copy)]
pub(crate) struct View {
    pub(crate) name: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) phone: bool,
    pub(crate) dark: bool,
}

/// Starts the driver, waits for the end of the test, however it comes, and ends the driver, which ends the browser.
const KEEPER: &str = r#"
command -v chromium && command -v chromedriver || exit
mkdir -p "$1" && HOME=$1 chromedriver --port=0 &
exec >&2
cat
kill $!
wait
# The browser writes to the last.
for _ in 1 2 3 4 5; do
  rm -rf "$1"
  sleep 1
  [ -e "$1" ] || break
done
"#;

/// A browser that leaves its machine alone: it is new, and knows no host but this one.
const ARGUMENTS: [&str; 12] = [
    "--headless",
    // For root, which test machines often are.
    "--no-sandbox",
    // It ends when its driver does.
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
    /// Starts it; fails where it is not installed.
    pub(crate) async fn start() -> Result<Self, String> {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{}", std::process::id()));
        let (leash, lines) = keep(KEEPER, &home, &[])?;
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ChromeDriver was started successfully on port ").map(str::to_owned))
            .ok_or("chromium and chromedriver are not both there")?;
        let profile = format!("--user-data-dir={}", home.join("profile").display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([profile.as_str()]).collect();
        let capabilities = Capabilities::from_iter([("goog:chromeOptions".to_owned(), json!({"args": arguments}))]);
        let address = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let driver = builder.capabilities(capabilities).connect(&address).await.map_err(|error| error.to_string())?;
        Ok(Self { driver, _leash: leash })
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// The element of this page, or of the next if that is still on its way.
    pub(crate) async fn find(&self, css: &str) -> Element {
        self.driver.wait().for_element(Locator::Css(css)).await.unwrap()
    }

    pub(crate) async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// What an expression of JavaScript says about the page.
    pub(crate) async fn ask(&self, expression: &str) -> Value {
        self.driver.execute(&format!("return {expression}"), Vec::new()).await.unwrap()
    }

    /// A picture of the page, seen that way.
    pub(crate) async fn look(&self, View { width, height, phone, dark, .. }: View) -> Vec<u8> {
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

/// A command of the browser's own, beyond WebDriver.
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
