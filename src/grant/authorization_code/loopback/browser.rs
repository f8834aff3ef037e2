//! Shows the login URL to the user, on its own thread.

use std::io::{self, Write};
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use url::Url;

use super::settings::Loopback;
use crate::catch_panic::catch_panic;
use crate::error::{Error, ErrorKind};

/// Shows `url`, or opens the system's browser at `start`. The receiver gets an error if a function of the application panics.
///
/// A browser in the foreground exits when the user closes it, which may be after the final page. So the login does not wait for the
/// thread. It is not a blocking thread of the runtime, because the runtime would wait for it on shutdown.
pub(super) fn show(options: &Loopback, url: Url, start: Option<String>) -> Result<oneshot::Receiver<Error>, Error> {
    let (browser, announce) = (options.browser.clone(), options.announce.clone());
    let (failed, failure) = oneshot::channel();
    let runtime = Handle::try_current().ok();
    let show = move || {
        // The functions of the application may spawn tasks.
        let _runtime = runtime.as_ref().map(Handle::enter);
        let shown = catch_panic(|| {
            match (&announce, &browser) {
                (Some(announce), _) => announce(&url),
                (None, None) => print(&mut io::stderr().lock(), &url),
                (None, Some(_)) => {}
            }
            match (&browser, start) {
                (Some(browser), _) => browser(&url),
                // If there is no browser, the user has the printed URL.
                (None, start) => drop(webbrowser::open(start.as_deref().unwrap_or(url.as_str()))),
            }
        });
        if let Err(panicked) = shown {
            let _ = failed.send(panicked);
        }
    };
    match thread::Builder::new().name("tower-oauth2-browser".into()).spawn(show) {
        Ok(_) => Ok(failure),
        Err(why) => {
            Err(Error::new(ErrorKind::Loopback, "the thread for the browser could not be started").with_source(why))
        }
    }
}

/// Ignores errors: standard error may be closed, or a file on a full disk.
fn print(to: &mut impl Write, url: &Url) {
    let _ = writeln!(to, "To log in, open this address in a browser:\n{url}").and_then(|()| to.flush());
}
