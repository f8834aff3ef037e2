//! The authorization code grant with a real browser and the login page of a real server.
//!
//! Without Chromium, the test passes, and prints to standard error that it did not run: see `../servers/README.md`. With
//! `TOWER_OAUTH2_SCREENSHOTS=write`, it updates the screenshots in `docs/images`.
#![cfg(all(test, unix, feature = "loopback"))]

mod chromium;
#[path = "../servers/harness.rs"]
mod harness;
#[path = "../servers/or_skip.rs"]
mod or_skip;
#[allow(dead_code)]
#[path = "../servers/plain.rs"]
mod plain;
#[path = "../servers/process.rs"]
mod process;

use std::path::Path;
use std::{env, fs};

use serde_json::json;
use tokio::sync::mpsc;
use tower_oauth2::{ErrorKind, client::Client, grant::AuthorizationCode};

use self::chromium::{Chromium, View};
use self::harness::Server;
use self::or_skip::or_skip;

const DESKTOP: View = View { name: "desktop", width: 800, height: 480, phone: false, dark: false };
const PHONE: View = View { name: "phone", width: 360, height: 640, phone: true, dark: false };
const VIEWS: [View; 4] = [
    DESKTOP,
    PHONE,
    View { name: "desktop-dark", dark: true, ..DESKTOP },
    View { name: "phone-dark", dark: true, ..PHONE },
];

#[tokio::test]
async fn the_final_page_reports_the_outcome() {
    let chromium = Chromium::start().await;
    if or_skip("chromium", &chromium).is_none() {
        return;
    }
    let server = Server::start("oidc-provider");
    let Some(server) = or_skip("oidc-provider", &server) else { return };
    let browser = chromium.unwrap();
    let api = server.get("API").to_owned();

    let (grant, mut urls) = grant(server);
    let program = tokio::spawn({
        let api = api.clone();
        async move { plain::call(grant, &api).await }
    });
    browser.goto(&urls.recv().await.unwrap()).await;
    browser.find("input[name=login]").await.send_keys("alice").await.unwrap();
    browser.find("input[name=password]").await.send_keys("alice-password").await.unwrap();
    browser.click("button[type=submit]").await;
    assert_eq!(browser.find("form input[value=consent] + button").await.text().await.unwrap(), "Continue");
    browser.click("form input[value=consent] + button").await;

    expect_page(&browser, "You are logged in", "You can close this page and go back to the program.").await;
    let (status, echo) = program.await.unwrap();
    assert_eq!((status.as_u16(), &echo["sub"]), (200, &json!("alice")), "{echo}");
    expect_views(&browser, "login-success", "rgb(26, 127, 55)").await;

    let (grant, mut urls) = self::grant(server);
    let program = tokio::spawn(async move { plain::failed_call(grant, &api).await });
    browser.goto(&urls.recv().await.unwrap()).await;
    browser.click("a[href$='/abort']").await;

    let why = "The server says: End-User aborted interaction";
    expect_page(&browser, "You are not logged in", why).await;
    assert_eq!(program.await.unwrap().kind(), ErrorKind::Denied);
    expect_views(&browser, "login-error", "rgb(180, 35, 24)").await;

    expect_pushed_login(&browser, server).await;
    browser.quit().await;
}

/// The user, who is logged in at the server already, loads the page twice and consents. A third load is too late.
async fn expect_pushed_login(browser: &Chromium, server: &Server) {
    let grant = AuthorizationCode::from_issuer(server.get("ISSUER"), Client::public("native-par")).unwrap();
    let (grant, mut urls) = shown(grant.pushed_if_supported());
    let api = server.get("API").to_owned();
    let program = tokio::spawn(async move { plain::call(grant, &api).await });
    let url = urls.recv().await.unwrap();
    assert!(url.contains("&request_uri=") && !url.contains("code_challenge"), "{url}");
    for _ in 0..2 {
        browser.goto(&url).await;
        browser.find("form input[value=consent] + button").await;
    }
    browser.click("form input[value=consent] + button").await;
    expect_page(browser, "You are logged in", "You can close this page and go back to the program.").await;
    let (status, echo) = program.await.unwrap();
    assert_eq!((status.as_u16(), &echo["client_id"]), (200, &json!("native-par")), "{echo}");

    browser.goto(&url).await;
    let page = browser.evaluate("document.body.textContent").await;
    assert!(page.as_str().unwrap().contains("invalid_request_uri"), "{page}");
}

/// The grant, and where it sends the user.
fn grant(server: &Server) -> (AuthorizationCode, mpsc::UnboundedReceiver<String>) {
    shown(AuthorizationCode::new(server.get("AUTHORIZE"), server.get("TOKEN"), Client::public("native")).unwrap())
}

fn shown(grant: AuthorizationCode) -> (AuthorizationCode, mpsc::UnboundedReceiver<String>) {
    let (show, urls) = mpsc::unbounded_channel();
    let grant = grant.scope("openid offline_access api:read").unwrap().param("prompt", "consent");
    (grant.browser(move |url| show.send(url.to_string()).unwrap()), urls)
}

async fn expect_page(browser: &Chromium, title: &str, text: &str) {
    // Only the page of the crate has this mark.
    browser.find(".mark").await;
    assert_eq!(browser.evaluate("document.title").await, title);
    assert_eq!(browser.find("h1").await.text().await.unwrap(), title);
    assert_eq!(browser.find("h1 + p").await.text().await.unwrap(), text);
}

/// Asserts that the page needs no scrolling, and follows the color scheme. Its style applies, so its content security policy allows it.
async fn expect_views(browser: &Chromium, page: &str, mark: &str) {
    for view in VIEWS {
        let picture = browser.screenshot(view).await;
        let case = format!("{page}-{}", view.name);
        assert_eq!(browser.evaluate("[innerWidth, innerHeight]").await, json!([view.width, view.height]), "{case}");
        let size = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]";
        assert_eq!(browser.evaluate(size).await, json!([view.width, view.height]), "{case}: the page scrolls");
        let color = if view.dark { "rgb(255, 255, 255)" } else { "rgb(0, 0, 0)" };
        assert_eq!(browser.evaluate("getComputedStyle(document.querySelector('h1')).color").await, color, "{case}");
        let background = "getComputedStyle(document.querySelector('.mark')).backgroundColor";
        assert_eq!(browser.evaluate(background).await, mark, "{case}");
        save(&case, &picture);
    }
}

/// Saves the screenshot in the target directory, and those of desktops in the documentation too if `TOWER_OAUTH2_SCREENSHOTS=write`.
fn save(case: &str, picture: &[u8]) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(case).with_extension("png"), picture).unwrap();
    let is_update = env::var("TOWER_OAUTH2_SCREENSHOTS").is_ok_and(|value| value == "write");
    if let (true, Some(page)) = (is_update, case.strip_suffix("-desktop")) {
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
        fs::create_dir_all(&images).unwrap();
        fs::write(images.join(page).with_extension("png"), picture).unwrap();
    }
}
